/**
 * Admits or refuses a connection against all limits of a service at once, over all pods: one script call.
 *
 * Bounds. With the store reachable: never above a limit, except by what a pod that was silent longer than the time to
 * live still holds when it returns. A pod that dies frees its share within ttl + one beat (20 s + 5 s). Store away, or
 * in the first beat after it was found empty: each pod holds at most max(1, limit / live pods) per counter beyond what it held
 * before, so fewer than twice the limit (or one per pod). A rate restarts when the store lost it or comes back: at most one further
 * limit in that window. A changed interval starts a fresh window.
 * Decision time: one command timeout, the gate's patience and the gap commands are gathered in, 95 ms; at once while the store is known away.
 */
import type { Clock, Timer } from '@postern/clock';
import { clientPrefix } from './client-prefix.js';
import { Heartbeat, type LinkState } from './heartbeat.js';
import { LeaseTable } from './lease-table.js';
import type { LimitStore } from './limit-store.js';
import {
  type ConnectionDemand,
  type ConnectionLimitKind,
  connectionDemand,
  type LimitScope,
  localShare,
} from './limits.js';
import { LocalWindows } from './local-windows.js';
import { RecentRefusals, type Refusal } from './recent-refusals.js';
import { ADMIT, LEAVE, RELEASE, SHOW } from './scripts.js';

export interface ConnectionLimiterOptions {
  readonly store: LimitStore;
  readonly clock: Clock;
  /** Names the hash tag: one per set of limits that is decided together, for example `smtp`. */
  readonly service: string;
  /** ULID of this process's life; a restarted pod is another incarnation. */
  readonly incarnation: string;
  /** @default 5000 */
  readonly beatMs?: number;
  /** @default 20000 */
  readonly ttlMs?: number;
  /** How often a store that is away is asked again. @default 1000 */
  readonly retryMs?: number;
  /** How long releases are collected before they are sent. @default 10 */
  readonly releaseMs?: number;
  /** Refusals remembered, each of one limit and what it counts. @default 50000 */
  readonly refusalCapacity?: number;
  /** Local rate counters kept while the store is away. @default 50000 */
  readonly localCapacity?: number;
  /** Called when the store takes over or is lost, for the event and the gauge. */
  readonly onState?: (state: LinkState, livePods: number) => void;
}

export interface AdmissionRequest {
  readonly address: string;
  readonly scopes: readonly LimitScope[];
  /** Prefix IPv6 clients are counted by in scopes that name none. @default 64 */
  readonly ipv6Prefix?: number;
}

export interface Lease {
  /** Gives the places back; a second call does nothing. */
  release(): void;
}

export type DecidedBy = 'cluster' | 'local' | 'memory';

export type Admission =
  | { readonly kind: 'admitted'; readonly lease: Lease; readonly decidedBy: DecidedBy }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly decidedBy: DecidedBy }
  /** This pod was paused or just began and has not joined yet: answer 421 and let the client try another pod. */
  | { readonly kind: 'joining' };

export interface LimitReading {
  readonly scope: string;
  readonly kind: ConnectionLimitKind;
  readonly limit: number;
  readonly used: number;
  /** Milliseconds until it is empty if nothing more comes; 0 for places, which connections give back. */
  readonly resetMs: number;
}

const defaultIpv6Prefix = 64;
const PATIENCE_MS = 40;
const REFUSAL_HOLD_MS = 1_000;
const FREE: Lease = { release: () => undefined };

export class ConnectionLimiter {
  readonly #store: LimitStore;
  readonly #clock: Clock;
  readonly #incarnation: string;
  readonly #ttlMs: number;
  readonly #warmupMs: number;
  readonly #releaseMs: number;
  readonly #tag: string;
  readonly #key = (name: string): string => `${this.#tag}${name}`;
  readonly #table = new LeaseTable();
  readonly #recent: RecentRefusals;
  readonly #windows: LocalWindows;
  readonly #heartbeat: Heartbeat;
  #releaseTimer: Timer | undefined;

  constructor(options: ConnectionLimiterOptions) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#incarnation = options.incarnation;
    this.#ttlMs = options.ttlMs ?? 20_000;
    this.#warmupMs = Math.min(options.beatMs ?? 5_000, this.#ttlMs);
    this.#releaseMs = options.releaseMs ?? 10;
    this.#tag = `{postern:flow:${options.service}}:`;
    this.#recent = new RecentRefusals(options.refusalCapacity ?? 50_000, REFUSAL_HOLD_MS);
    this.#windows = new LocalWindows(options.localCapacity ?? 50_000);
    this.#heartbeat = new Heartbeat({
      store: options.store,
      clock: options.clock,
      table: this.#table,
      incarnation: options.incarnation,
      key: this.#key,
      beatMs: options.beatMs ?? 5_000,
      ttlMs: this.#ttlMs,
      warmupMs: this.#warmupMs,
      retryMs: options.retryMs ?? 1_000,
      patienceMs: PATIENCE_MS,
      onState: options.onState ?? (() => undefined),
    });
  }

  get state(): LinkState {
    return this.#heartbeat.state;
  }

  /** Pods seen by the last heartbeat; other limiters divide by it when the store is away. */
  get livePods(): number {
    return this.#heartbeat.livePods;
  }

  /** Joins with a first beat. A store that is away is no reason not to start. */
  async start(): Promise<void> {
    await this.#heartbeat.start();
  }

  /** Gives everything back. Call after the last connection was answered. */
  async stop(): Promise<void> {
    this.#releaseTimer?.cancel();
    await this.#heartbeat.stop();
    if (this.state.kind === 'local') return;
    const keys = [this.#key('pods'), ...this.#table.counters().map(this.#key)];
    await this.#store.run(LEAVE, keys, [this.#incarnation]).catch(() => undefined);
  }

  async admit(request: AdmissionRequest): Promise<Admission> {
    const demand = demandOf(request);
    if (demand.leases.length + demand.rates.length === 0) return { kind: 'admitted', lease: FREE, decidedBy: 'memory' };
    const remembered = this.#remembered(demand);
    if (remembered !== undefined) return { kind: 'refused', refusal: remembered, decidedBy: 'memory' };
    return this.#decide(demand, true);
  }

  /** A limit this connection asks for that refused another a moment ago; what others ask for is no concern of it. */
  #remembered({ leases, rates }: ConnectionDemand): Refusal | undefined {
    if (this.#recent.isEmpty) return undefined;
    const now = this.#clock.monotonic();
    for (const demands of [leases, rates])
      for (const { counter, limit } of demands) {
        const refusal = this.#recent.find(counter, now);
        if (refusal !== undefined && refusal.limit >= limit) return refusal;
      }
    return undefined;
  }

  #refuse(demand: ConnectionDemand, index: number, retryAfterMs: number, decidedBy: DecidedBy): Admission {
    const rate = demand.rates[index - demand.leases.length];
    const limit = demand.leases[index] ?? rate;
    const interval = rate === undefined ? {} : { intervalMs: rate.windowMs };
    const { scope = '', kind = '', limit: count = 0, counter } = limit ?? {};
    const refusal: Refusal = { scope, kind, limit: count, ...interval, retryAfterMs };
    if (counter !== undefined && willLast(refusal)) this.#recent.remember(counter, refusal, this.#clock.monotonic());
    return { kind: 'refused', refusal, decidedBy };
  }

  /** What every limit that concerns this address holds now, over all pods. Throws when the store is away. */
  async show(request: AdmissionRequest): Promise<readonly LimitReading[]> {
    const demand = demandOf(request);
    const limits = [...demand.leases, ...demand.rates];
    const keys = limits.map(({ counter }) => this.#key(counter));
    const windows = demand.rates.flatMap(({ limit, windowMs }) => [limit, windowMs]);
    const used = await this.#store.run(SHOW, keys, [this.#ttlMs, demand.leases.length, ...windows]);
    return limits.map(({ scope, kind, limit }, index) => ({
      scope,
      kind,
      limit,
      used: used[index * 2] ?? 0,
      resetMs: used[index * 2 + 1] ?? 0,
    }));
  }

  async #decide(demand: ConnectionDemand, mayRejoin: boolean): Promise<Admission> {
    const pending = this.#heartbeat.entry();
    const entry = typeof pending === 'string' ? pending : await pending;
    if (entry === 'wait') return { kind: 'joining' };
    if (entry === 'local') return this.#decideLocally(demand);
    const answer = await this.#ask(demand);
    if (answer === undefined) return this.#decideLocally(demand);
    const [status = 0, index = 0, wait = 0] = answer;
    switch (status) {
      case 1:
        return this.#admitted(demand, 'cluster');
      case 2:
        if (mayRejoin && (await this.#heartbeat.rejoin())) return this.#decide(demand, false);
        return this.#decideLocally(demand);
      case 3:
        this.#heartbeat.hearPods(index);
        return this.#decideLocally(demand);
      default:
        return this.#refuse(demand, index - 1, wait, 'cluster');
    }
  }

  /** The lease is written down before the gate learns that the answer came: a beat in between must assert it. */
  async #ask(demand: ConnectionDemand): Promise<readonly number[] | undefined> {
    const counters = demand.leases.map(({ counter }) => counter);
    const keys = [
      this.#key('pods'),
      this.#key('born'),
      ...counters.map(this.#key),
      ...demand.rates.map(({ counter }) => this.#key(counter)),
    ];
    const limits = demand.leases.map(({ limit }) => limit);
    const rates = demand.rates.flatMap(({ limit, windowMs, weight }) => [limit, windowMs, weight]);
    const args = [this.#incarnation, this.#ttlMs, this.#warmupMs, limits.length, ...limits, ...rates];
    try {
      const answer = await this.#store.run(ADMIT, keys, args);
      if (answer[0] === 1) this.#table.hold(counters);
      return answer;
    } catch (error) {
      this.#table.doubt(counters);
      this.#heartbeat.lost(error instanceof Error ? error.message : 'unknown failure');
      return undefined;
    } finally {
      this.#heartbeat.leave();
    }
  }

  #decideLocally(demand: ConnectionDemand): Admission {
    const now = this.#clock.monotonic();
    const pods = this.#heartbeat.livePods;
    for (const [index, { counter, limit }] of demand.leases.entries()) {
      if (this.#table.held(counter) >= localShare(limit, pods)) return this.#refuse(demand, index, 0, 'local');
    }
    for (const [index, { counter, limit, windowMs, weight }] of demand.rates.entries()) {
      const wait = this.#windows.wait(counter, localShare(limit, pods), windowMs, weight, now);
      if (wait > 0) return this.#refuse(demand, demand.leases.length + index, wait, 'local');
    }
    for (const { counter, windowMs, weight } of demand.rates) this.#windows.add(counter, windowMs, weight, now);
    this.#table.hold(demand.leases.map(({ counter }) => counter));
    return this.#admitted(demand, 'local');
  }

  #admitted(demand: ConnectionDemand, decidedBy: DecidedBy): Admission {
    const counters = demand.leases.map(({ counter }) => counter);
    if (counters.length === 0) return { kind: 'admitted', lease: FREE, decidedBy };
    let open = true;
    const release = (): void => {
      if (!open) return;
      open = false;
      this.#table.release(counters);
      for (const counter of counters) this.#recent.forget(counter);
      this.#releaseTimer ??= this.#clock.setTimer(this.#releaseMs, () => void this.#sendReleases());
    };
    return { kind: 'admitted', lease: { release }, decidedBy };
  }

  /** A failure loses nothing: the counters stay listed and the next beat asserts them. */
  async #sendReleases(): Promise<void> {
    this.#releaseTimer = undefined;
    const releases = this.#table.takeReleases();
    if (releases.length === 0 || this.state.kind === 'local') return;
    const keys = releases.map(([counter]) => this.#key(counter));
    const counts = releases.map(([, count]) => count);
    try {
      await this.#store.run(RELEASE, keys, [this.#incarnation, ...counts]);
    } catch (error) {
      this.#table.doubt(releases.map(([counter]) => counter));
      this.#heartbeat.lost(error instanceof Error ? error.message : 'unknown failure');
    }
  }
}

function demandOf({ address, scopes, ipv6Prefix = defaultIpv6Prefix }: AdmissionRequest): ConnectionDemand {
  return connectionDemand(scopes, (scope) => clientPrefix(address, scope.ipv6Prefix ?? ipv6Prefix));
}

/** A place of an address is free again when it gives one back, which is heard here; a full total may have room the next millisecond. */
function willLast(refusal: Refusal): boolean {
  return refusal.retryAfterMs > 0 || refusal.kind === 'simultaneous-per-address';
}
