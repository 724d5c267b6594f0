/**
 * As many workers as are wanted: started, replaced when they end unasked (after 0.2 s, doubling to 30 s while it goes on), ended when they hang,
 * drained youngest first when fewer are wanted. The first ones must start; later a worker that cannot is tried again while the others serve.
 */
import { type Clock, systemClock, type Timer } from '@postern/clock';
import { MergedMetrics, type Metrics } from '@postern/telemetry';
import { WorkerProcess, type WorkerProgram } from './worker-process.js';

export interface WorkerPoolOptions {
  /** Default: this program with its arguments. */
  readonly program?: WorkerProgram;
  /** Options of Node for workers besides those of this process. */
  readonly nodeOptions?: readonly string[];
  /** Those of the supervisor itself. */
  readonly metrics: Metrics;
  /** Longest time of a drain; what is left then is ended. */
  readonly drainTimeoutMs: number;
  readonly clock?: Clock;
  readonly onStarted: (worker: WorkerProcess) => void;
  /** `wanted`: it was told to end. */
  readonly onEnded: (worker: WorkerProcess, how: string, wanted: boolean) => void;
  readonly onHung: (worker: WorkerProcess) => void;
}

export const lookEveryMs = 1_000;
const hungLooks = 30;
const firstDelayMs = 200;
const longestDelayMs = 30_000;
/** Deaths farther apart than this begin at the first delay again. */
const calmMs = 60_000;
const readDeadlineMs = 1_000;
/** So that little of what a worker counted goes with it when it is killed. */
const readEveryLooks = 5;
/** After its drain a worker releases what it holds. */
const releaseMs = 12_000;

const thisProgram = (): WorkerProgram => ({ file: process.argv[1] ?? '', args: process.argv.slice(2) });

type Phase =
  | { readonly kind: 'starting' }
  | { readonly kind: 'kept' }
  | { readonly kind: 'failed'; readonly why: string };

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #clock: Clock;
  readonly #merged: MergedMetrics;
  readonly #workers = new Set<WorkerProcess>();
  /** Those told to end. */
  readonly #told = new Map<WorkerProcess, Timer>();
  readonly #timer: Timer;
  #phase: Phase = { kind: 'starting' };
  #numbers = 0;
  #wanted = 0;
  #looks = 0;
  #delayMs = firstDelayMs;
  #lastDeathMs = Number.NEGATIVE_INFINITY;
  #refill: Timer | undefined;
  #changed: (() => void)[] = [];

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#merged = new MergedMetrics(options.metrics);
    this.#timer = this.#clock.setInterval(lookEveryMs, () => this.#look(), { unref: true });
  }

  get workers(): readonly WorkerProcess[] {
    return [...this.#workers];
  }

  get wanted(): number {
    return this.#wanted;
  }

  get contentType(): string {
    return this.#merged.contentType;
  }

  /** What /metrics of the pod shows. */
  async text(): Promise<string> {
    await this.#read();
    return this.#merged.text();
  }

  /** The first workers; rejects when one of them ends before it serves. */
  async start(count: number): Promise<void> {
    this.resize(count);
    while (this.#phase.kind === 'starting') {
      if (this.workers.every(({ state }) => state.kind !== 'starting')) this.#phase = { kind: 'kept' };
      else await this.#change();
    }
    if (this.#phase.kind === 'failed') throw new Error(this.#phase.why);
  }

  resize(count: number): void {
    this.#wanted = count;
    const serving = this.workers.filter((worker) => !this.#told.has(worker));
    for (const worker of serving.slice(count)) this.#drain(worker);
    if (this.#refill === undefined) this.#fill();
  }

  /** Resolves when the last one has ended. */
  async drain(): Promise<void> {
    this.resize(0);
    while (this.#workers.size > 0) await this.#change();
  }

  /** Ends what is left, at once. */
  kill(): void {
    this.#wanted = 0;
    this.#timer.cancel();
    this.#refill?.cancel();
    for (const worker of this.#workers) worker.kill();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }

  #read(): Promise<unknown> {
    return Promise.all(this.workers.map((worker) => worker.read(readDeadlineMs)));
  }

  #fill(): void {
    this.#refill = undefined;
    for (let missing = this.#wanted - (this.#workers.size - this.#told.size); missing > 0; missing--) {
      const { program = thisProgram(), nodeOptions = [] } = this.#options;
      const worker = new WorkerProcess(
        ++this.#numbers,
        { ...program, nodeOptions },
        {
          onStarted: (started) => {
            this.#options.onStarted(started);
            this.#tell();
          },
          onReadings: ({ number }, readings) => this.#merged.take(number, readings),
          onEnded: (ended) => this.#ended(ended),
        },
      );
      this.#workers.add(worker);
    }
  }

  #drain(worker: WorkerProcess): void {
    this.#told.set(
      worker,
      this.#clock.setTimer(this.#options.drainTimeoutMs + releaseMs, () => worker.kill()),
    );
    worker.drain();
  }

  #ended(worker: WorkerProcess): void {
    const bound = this.#told.get(worker);
    bound?.cancel();
    this.#told.delete(worker);
    this.#workers.delete(worker);
    this.#merged.retire(worker.number);
    const how = worker.state.kind === 'ended' ? worker.state.how : '';
    this.#options.onEnded(worker, how, bound !== undefined);
    if (bound === undefined && this.#wanted > 0) this.#replace(worker, how);
    this.#tell();
  }

  #replace(worker: WorkerProcess, how: string): void {
    if (this.#phase.kind !== 'kept') {
      this.#phase = { kind: 'failed', why: `worker ${worker.number} ended before it served (${how})` };
      return;
    }
    const now = this.#clock.monotonic();
    this.#delayMs = now - this.#lastDeathMs > calmMs ? firstDelayMs : Math.min(this.#delayMs * 2, longestDelayMs);
    this.#lastDeathMs = now;
    this.#refill ??= this.#clock.setTimer(this.#delayMs, () => this.#fill());
  }

  #look(): void {
    if (++this.#looks % readEveryLooks === 0) void this.#read();
    for (const worker of this.#workers) {
      // A start may take long, and a drain has its own bound.
      if (worker.look() < hungLooks || worker.state.kind !== 'running') continue;
      this.#options.onHung(worker);
      worker.kill();
    }
  }

  #tell(): void {
    for (const resolve of this.#changed.splice(0)) resolve();
  }
}
