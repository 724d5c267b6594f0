/**
 * Keeps one process alive: first start, restart with back-off (0.2 s doubling to 10 s, back to 0.2 s after 30 s of
 * running), stop. Every death is said. In the first start a process that ends by itself twice in a row is a mistake
 * of configuration and ends the start; after it has served once it is restarted for ever.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { processIdentity } from '../servers/process-identity.js';
import type { Exit, LaunchControl, RunningServer } from '../servers/running-server.js';
import { SetupError } from '../setup-error.js';

export type KeeperState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'starting'; readonly pid: number | undefined }
  | { readonly kind: 'running'; readonly server: RunningServer }
  | { readonly kind: 'waiting'; readonly delayMs: number }
  | { readonly kind: 'stopped' };

export interface KeptProcess {
  readonly pid: number;
  /** Undefined where the system does not tell. */
  readonly identity: string | undefined;
}

export interface KeeperOptions {
  readonly name: string;
  readonly launch: (control: LaunchControl) => Promise<RunningServer>;
  /** One line for the person at the terminal. */
  readonly say: (line: string) => void;
  /** Called whenever the state or the pid changes. */
  readonly changed: () => void;
  readonly firstReadyWithinMs?: number;
  /** Injected by tests; rejects when the signal aborts. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly monotonicMs?: () => number;
}

export const shortestDelayMs = 200;
export const longestDelayMs = 10_000;
export const stableAfterMs = 30_000;
const firstStartTries = 2;

/** The way out of a start, to look into its log, is none for one that is tried again. */
function reasonOf(error: unknown): string {
  if (error instanceof SetupError) return error.problem;
  return error instanceof Error ? error.message : String(error);
}

const describe = ({ code, signal }: Exit) => (signal === null ? `exit code ${code ?? 'unknown'}` : signal);

export class Keeper {
  readonly name: string;
  readonly #options: KeeperOptions;
  readonly #ending = new AbortController();
  #state: KeeperState = { kind: 'idle' };
  #restarts = 0;
  #last: KeptProcess | undefined;
  #watching: Promise<void> = Promise.resolve();

  constructor(options: KeeperOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get state(): KeeperState {
    return this.#state;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Pid of the process that is starting or running. */
  get pid(): number | undefined {
    if (this.#state.kind === 'running') return this.#state.server.pid;
    return this.#state.kind === 'starting' ? this.#state.pid : undefined;
  }

  /** The one that is starting or running, or that ended last; undefined = none has started yet. */
  get last(): KeptProcess | undefined {
    return this.#last;
  }

  /** Start it for the first time and resolve when it serves; rejects with its last words. */
  async start(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#launch(this.#options.firstReadyWithinMs ?? 60_000);
        break;
      } catch (error) {
        if (attempt >= firstStartTries || this.#ending.signal.aborted) throw error;
        await this.#sleep(shortestDelayMs);
      }
    }
    this.#watching = this.#watch();
  }

  /** End it for good; waits until it is gone. */
  async stop(signal?: NodeJS.Signals): Promise<void> {
    this.#ending.abort();
    if (this.#state.kind === 'running') await this.#state.server.stop(signal);
    await this.#watching;
    this.#set({ kind: 'stopped' });
  }

  /** End it now, without waiting. */
  kill(): void {
    this.#ending.abort();
    const { pid } = this;
    try {
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    } catch {
      // It is gone already.
    }
  }

  async #launch(readyWithinMs: number): Promise<void> {
    this.#set({ kind: 'starting', pid: undefined });
    const server = await this.#options.launch({
      abort: this.#ending.signal,
      readyWithinMs,
      spawned: (pid) => this.#set({ kind: 'starting', pid }),
    });
    this.#set({ kind: 'running', server });
  }

  async #watch(): Promise<void> {
    const now = this.#options.monotonicMs ?? (() => performance.now());
    let delayMs = shortestDelayMs;
    while (this.#state.kind === 'running') {
      const { server } = this.#state;
      const since = now();
      const exit = await server.exited;
      if (this.#ending.signal.aborted) return;
      if (now() - since >= stableAfterMs) delayMs = shortestDelayMs;
      delayMs = await this.#restart(`${this.name} (pid ${server.pid}) ended by itself (${describe(exit)})`, delayMs);
    }
  }

  /** Try until it serves again or the end is wanted; returns the next delay. */
  async #restart(reason: string, firstDelayMs: number): Promise<number> {
    let delayMs = firstDelayMs;
    let why = reason;
    let told = '';
    for (;;) {
      // What stays wrong is not told every ten seconds.
      if (why !== told || delayMs < longestDelayMs)
        this.#options.say(`${why}; starting it again in ${delayMs / 1000} s`);
      told = delayMs === longestDelayMs ? why : '';
      this.#set({ kind: 'waiting', delayMs });
      await this.#sleep(delayMs);
      if (this.#ending.signal.aborted) return delayMs;
      delayMs = Math.min(delayMs * 2, longestDelayMs);
      this.#restarts += 1;
      try {
        await this.#launch(Number.POSITIVE_INFINITY);
        this.#options.say(`${this.name} serves again (pid ${this.pid})`);
        return delayMs;
      } catch (error) {
        if (this.#ending.signal.aborted) return delayMs;
        why = reasonOf(error);
      }
    }
  }

  async #sleep(ms: number): Promise<void> {
    const { signal } = this.#ending;
    const sleep = this.#options.sleep ?? ((time, aborted) => delay(time, undefined, { signal: aborted }));
    await sleep(ms, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  #set(state: KeeperState): void {
    this.#state = state;
    const { pid } = this;
    if (pid !== undefined && pid !== this.#last?.pid) this.#last = { pid, identity: processIdentity(pid) };
    this.#options.changed();
  }
}
