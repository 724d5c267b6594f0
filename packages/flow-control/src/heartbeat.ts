/**
 * The tie between one pod incarnation and the store. Every beat asserts the pod's whole counts, in chunks, so that an
 * emptied store is right again after one beat and a lost reply is repaired by the next. While a chunk is asserted the
 * gate is shut: admissions in flight finish first, so no assertion can overwrite an admission it does not know.
 * joining: nothing is admitted until a beat has succeeded. joined: the store decides. local: the store is away and this
 * pod decides by its share. A pod whose last beat is older than the time to live was paused: it is joining again.
 */
import type { Clock, Timer } from '@postern/clock';
import type { LeaseTable } from './lease-table.js';
import type { LimitStore } from './limit-store.js';
import { BEAT } from './scripts.js';

export type LinkState =
  | { readonly kind: 'joining' }
  | { readonly kind: 'joined'; readonly beatAt: number }
  | { readonly kind: 'local'; readonly reason: string; readonly since: number };

/** cluster: ask the store, and call `leave` after. local: decide by share. wait: admit nothing now. */
export type Entry = 'cluster' | 'local' | 'wait';

export interface HeartbeatOptions {
  readonly store: LimitStore;
  readonly clock: Clock;
  readonly table: LeaseTable;
  readonly incarnation: string;
  readonly key: (name: string) => string;
  readonly beatMs: number;
  readonly ttlMs: number;
  /** A store found empty may not know the other pods for this long. */
  readonly warmupMs: number;
  readonly retryMs: number;
  /** How long an admission may stand at a shut gate before it is answered without the store. */
  readonly patienceMs: number;
  readonly onState: (state: LinkState, livePods: number) => void;
}

const CHUNK = 500;

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #state: LinkState = { kind: 'joining' };
  #livePods = 1;
  #inFlight = 0;
  #drained: (() => void) | undefined;
  #gate: Promise<void> | undefined;
  #beating: Promise<boolean> | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  get state(): LinkState {
    return this.#state;
  }

  get livePods(): number {
    return this.#livePods;
  }

  /** Another pod count, heard from an admission: never lower than the last beat's until the next beat. */
  hearPods(count: number): void {
    this.#livePods = Math.max(this.#livePods, count);
  }

  async start(): Promise<void> {
    await this.beat();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#beating;
  }

  entry(): Entry | Promise<Entry> {
    if (this.#state.kind === 'joined' && this.#overdue(this.#state.beatAt)) {
      this.#become({ kind: 'joining' });
      void this.beat();
    }
    if (this.#state.kind === 'local') return 'local';
    if (this.#gate === undefined && this.#state.kind === 'joined') return this.#admitted();
    return this.#atGate();
  }

  leave(): void {
    this.#inFlight -= 1;
    if (this.#inFlight === 0) this.#drained?.();
  }

  /** The store does not know this pod: assert everything before anything else is admitted. */
  async rejoin(): Promise<boolean> {
    if (this.#state.kind === 'joined') this.#become({ kind: 'joining' });
    return this.beat();
  }

  lost(reason: string): void {
    if (this.#state.kind === 'local') return;
    this.#become({ kind: 'local', reason, since: this.#options.clock.now() });
    if (this.#beating === undefined) this.#schedule(this.#options.retryMs);
  }

  /** One beat at a time; a second caller waits for the one under way. */
  beat(): Promise<boolean> {
    this.#beating ??= this.#assertAll().finally(() => {
      this.#beating = undefined;
      this.#schedule(this.#state.kind === 'joined' ? this.#options.beatMs : this.#options.retryMs);
    });
    return this.#beating;
  }

  async #atGate(): Promise<Entry> {
    const passed = await this.#within(this.#state.kind === 'joining' ? this.beat() : this.#gate);
    switch (this.#state.kind) {
      case 'local':
        return 'local';
      case 'joining':
        return 'wait';
      case 'joined':
        return passed && this.#gate === undefined ? this.#admitted() : 'local';
    }
  }

  /** True when it came about within the patience of one admission. */
  async #within(awaited: Promise<unknown> | undefined): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = this.#options.clock.setTimer(this.#options.patienceMs, () => resolve(false));
    void Promise.resolve(awaited).then(() => resolve(true));
    const inTime = await promise;
    timer.cancel();
    return inTime;
  }

  #admitted(): Entry {
    this.#inFlight += 1;
    return 'cluster';
  }

  #overdue(beatAt: number): boolean {
    return this.#options.clock.monotonic() - beatAt > this.#options.ttlMs;
  }

  async #assertAll(): Promise<boolean> {
    const { clock, table } = this.#options;
    const startedAt = clock.monotonic();
    const counters = table.counters();
    try {
      for (let from = 0; from === 0 || from < counters.length; from += CHUNK) {
        await this.#assertChunk(counters.slice(from, from + CHUNK));
      }
    } catch (error) {
      this.lost(error instanceof Error ? error.message : 'unknown failure');
      return false;
    }
    this.#become({ kind: 'joined', beatAt: startedAt });
    return true;
  }

  async #assertChunk(counters: readonly string[]): Promise<void> {
    const { store, table, incarnation, key, ttlMs, warmupMs } = this.#options;
    const gate = Promise.withResolvers<void>();
    this.#gate = gate.promise;
    try {
      if (this.#inFlight > 0) {
        await new Promise<void>((resolve) => {
          this.#drained = resolve;
        });
        this.#drained = undefined;
      }
      const counts = table.assertion(counters);
      const keys = [key('pods'), key('born'), ...counters.map(key)];
      const [livePods = 1, warming = 0] = await store.run(BEAT, keys, [incarnation, ttlMs, warmupMs, ...counts]);
      this.#livePods = Math.max(1, livePods, warming === 1 ? this.#livePods : 1);
      table.settle(counters);
    } finally {
      this.#gate = undefined;
      gate.resolve();
    }
  }

  #become(state: LinkState): void {
    const changed = state.kind !== this.#state.kind;
    this.#state = state;
    if (changed) this.#options.onState(state, this.#livePods);
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel();
    if (this.#stopped) return;
    this.#timer = this.#options.clock.setTimer(delayMs, () => void this.beat());
  }
}
