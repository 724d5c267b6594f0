/**
 * Runs one service from start to exit: start -> running -> SIGTERM -> drain -> stop -> exit 0.
 * Readiness is false from the first signal on. Drain is bounded by drainTimeoutMs; a second signal ends the process
 * at once with code 1, as does anything nobody caught: what is not acknowledged is redelivered, so ending is safe.
 */
import { type Clock, systemClock } from '@postern/clock';
import type { Telemetry } from '@postern/telemetry';
import { failureText } from './failure-text.js';
import { type Host, processHost } from './host.js';
import { type MetricsSource, type Probes, type Readiness, serveProbes } from './probes.js';
import { type ServiceState, StateHolder } from './state.js';

export interface ServiceContext {
  /** In start: aborted when a stop is asked for. In drain and stop: aborted when the time is over. */
  readonly signal: AbortSignal;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

export interface Service {
  readonly name: string;
  /** Connects and listens; when it resolves the service is running. */
  start(context: ServiceContext): Promise<void>;
  /** Takes no new work and finishes what is in flight. */
  drain(context: ServiceContext): Promise<void>;
  /** Releases what start took; also called when start failed half way. */
  stop(context: ServiceContext): Promise<void>;
  ready(): Readiness;
}

export interface RunOptions {
  readonly drainTimeoutMs: number;
  /** Undefined: no operations port, as for a worker, whose supervisor has it. */
  readonly metricsAddress?: { readonly host: string; readonly port: number };
  /** Default: the metrics of this process. */
  readonly metrics?: MetricsSource;
  readonly workers?: () => readonly object[];
  readonly clock?: Clock;
  readonly host?: Host;
}

const stopTimeoutMs = 10_000;

/** Resolves with the exit code after `host.exit` was asked for. */
export function runService(service: Service, telemetry: Telemetry, options: RunOptions): Promise<number> {
  return new ServiceRun(service, telemetry, options).run();
}

class ServiceRun {
  readonly #service: Service;
  readonly #telemetry: Telemetry;
  readonly #options: RunOptions;
  readonly #clock: Clock;
  readonly #host: Host;
  readonly #state: StateHolder;
  readonly #stopAsked = Promise.withResolvers<string>();
  readonly #starting = new AbortController();
  readonly #ended = Promise.withResolvers<number>();
  #probes: Probes | undefined;

  constructor(service: Service, telemetry: Telemetry, options: RunOptions) {
    this.#service = service;
    this.#telemetry = telemetry;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#host = options.host ?? processHost;
    this.#state = new StateHolder(telemetry);
  }

  run(): Promise<number> {
    let signals = 0;
    this.#host.onSignal((signal) => {
      signals += 1;
      if (signals > 1) void this.#abandon(`second ${signal}`);
      this.#stopAsked.resolve(signal);
      this.#starting.abort(new Error(`stopped by ${signal}`));
    });
    this.#host.onFault((kind, error) => this.#fault(kind, error));
    void this.#live();
    return this.#ended.promise;
  }

  async #live(): Promise<void> {
    try {
      this.#probes = await this.#serveProbes();
      await this.#service.start(this.#context(this.#starting.signal));
    } catch (error) {
      if (!this.#starting.signal.aborted) {
        await this.#startFailed(error);
        return;
      }
    }
    if (!this.#starting.signal.aborted) this.#state.go('running', 'started');
    const why = await this.#stopAsked.promise;
    if (!this.#state.go('draining', why)) return;
    await this.#bounded('lifecycle.drain.expired', this.#options.drainTimeoutMs, (context) =>
      this.#service.drain(context),
    );
    this.#state.go('drained', 'work in flight is done');
    await this.#release();
    this.#state.go('stopped', 'released');
    await this.#end(0);
  }

  async #serveProbes(): Promise<Probes | undefined> {
    const { metricsAddress: address, metrics = this.#telemetry.metrics, workers } = this.#options;
    if (address === undefined) return undefined;
    return serveProbes({
      address,
      metrics,
      ...(workers === undefined ? {} : { workers }),
      live: () => ({ ok: this.#state.current !== 'failed', reasons: [this.#state.current] }),
      ready: () => this.#readiness(),
    });
  }

  #readiness(): Readiness {
    const state: ServiceState = this.#state.current;
    return state === 'running' ? this.#service.ready() : { ok: false, reasons: [`${this.#service.name} is ${state}`] };
  }

  async #startFailed(error: unknown): Promise<void> {
    this.#state.go('failed', failureText(error));
    this.#host.complain(`postern-${this.#service.name}: could not start: ${failureText(error)}`);
    await this.#release();
    await this.#end(1);
  }

  #release(): Promise<void> {
    return this.#bounded('lifecycle.stop.failed', stopTimeoutMs, (context) => this.#service.stop(context));
  }

  /** Waits for `work`, at most `ms`; then its signal is aborted and life goes on. */
  async #bounded(event: string, ms: number, work: (context: ServiceContext) => Promise<void>): Promise<void> {
    const over = new AbortController();
    const timeout = Promise.withResolvers<void>();
    const timer = this.#clock.setTimer(ms, () => {
      over.abort(new Error(`not done within ${ms} ms`));
      this.#telemetry.log.warn(event, { timeout_ms: ms });
      timeout.resolve();
    });
    const begun = (async () => work(this.#context(over.signal)))();
    const finished = begun.catch((error: unknown) => {
      if (!over.signal.aborted) this.#telemetry.log.error(event, { error });
    });
    await Promise.race([finished, timeout.promise]);
    timer.cancel();
  }

  #context(signal: AbortSignal): ServiceContext {
    return { signal, telemetry: this.#telemetry, clock: this.#clock };
  }

  #fault(kind: 'exception' | 'rejection', error: unknown): void {
    this.#telemetry.log.error('lifecycle.fault.caught', { kind, error });
    this.#host.complain(`postern-${this.#service.name}: unhandled ${kind}: ${failureText(error)}`);
    void this.#abandon(`unhandled ${kind}`);
  }

  async #abandon(why: string): Promise<void> {
    this.#state.go('failed', why);
    await this.#telemetry.flush();
    this.#host.exit(1);
    this.#ended.resolve(1);
  }

  async #end(code: number): Promise<void> {
    await this.#probes?.close();
    await this.#telemetry.shutdown();
    this.#host.exit(code);
    this.#ended.resolve(code);
  }
}
