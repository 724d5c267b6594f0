/**
 * Messages, recipients and bytes per interval of subjects: an address, an authenticated user, a tenant. The rates of all
 * subjects of a message are decided together, all or none: one call. The keys of a subject share a hash tag of its own, so a cluster
 * spreads subjects: there each is a call, and what was taken before a refusal is given back. Store away: this pod's share, limit / live pods; at most one further
 * limit is admitted in the window in which the store went or came back.
 */
import type { Clock } from '@postern/clock';
import type { LimitStore } from './limit-store.js';
import { localShare, type Rate, type RateDemand, rateDemand } from './limits.js';
import { LocalWindows } from './local-windows.js';
import { RecentRefusals, type Refusal } from './recent-refusals.js';
import { GIVE_BACK, RESET, SHOW, TAKE } from './scripts.js';

export type RateSubjectKind = 'address' | 'user' | 'tenant';
export type RateKind = 'messages' | 'recipients' | 'bytes';

export interface RateSubject {
  readonly kind: RateSubjectKind;
  /** The address (or its prefix), the login, the tenant's id. Any bytes: it is data, never part of the syntax. */
  readonly id: string;
}

export type RateLimits = { readonly [Kind in RateKind]?: Rate | undefined };
export type RateUse = { readonly [Kind in RateKind]?: number | undefined };

export type RateDecision =
  | { readonly kind: 'taken'; readonly decidedBy: 'cluster' | 'local' }
  | {
      readonly kind: 'refused';
      readonly refusal: Refusal;
      /** Which of the subjects, from 0. */
      readonly at: number;
      readonly decidedBy: 'cluster' | 'local';
    };

export interface RateRequest {
  readonly subject: RateSubject;
  readonly limits: RateLimits;
}

export interface RateReading {
  readonly kind: RateKind;
  readonly limit: number;
  readonly intervalMs: number;
  readonly used: number;
  /** Milliseconds until nothing counts any more if nothing more comes. */
  readonly resetMs: number;
}

export interface RateLimiterOptions {
  readonly store: LimitStore;
  readonly clock: Clock;
  /** Pods that share a limit while the store is away; the connection limiter's heartbeat knows. */
  readonly livePods: () => number;
  /** How long a store that failed is left alone. @default 1000 */
  readonly retryMs?: number;
  /** @default 50000 */
  readonly localCapacity?: number;
  readonly onStoreLost?: (reason: string) => void;
}

type Demands = readonly RateDemand<RateKind>[];

type Decided =
  | { readonly kind: 'taken'; readonly decidedBy: 'cluster' | 'local' }
  | {
      readonly kind: 'refused';
      readonly demand: RateDemand<RateKind>;
      readonly wait: number;
      readonly decidedBy: 'cluster' | 'local';
    };

/** As long as an operator's reset may take to hold everywhere. */
const REFUSAL_HOLD_MS = 1_000;

const KINDS: readonly RateKind[] = ['messages', 'recipients', 'bytes'];

export class RateLimiter {
  readonly #options: RateLimiterOptions;
  readonly #windows: LocalWindows;
  readonly #recent: RecentRefusals;
  #askAgainAt = 0;

  constructor(options: RateLimiterOptions) {
    this.#options = options;
    this.#windows = new LocalWindows(options.localCapacity ?? 50_000);
    this.#recent = new RecentRefusals(options.localCapacity ?? 50_000, REFUSAL_HOLD_MS);
  }

  /** Was this subject refused one more message a moment ago? Answered from memory. */
  recentlyRefused(subject: RateSubject): Refusal | undefined {
    return this.#recent.find(memoryKey(subject), this.#options.clock.monotonic());
  }

  take(subject: RateSubject, use: RateUse, limits: RateLimits): Promise<RateDecision> {
    return this.takeAll([{ subject, limits }], use);
  }

  /** All or none: what one subject refuses counts for no other. */
  async takeAll(requests: readonly RateRequest[], use: RateUse): Promise<RateDecision> {
    const demands = requests.map(({ subject, limits }) => rateDemands(subject, use, limits));
    const decided = await this.#decide(demands.filter((group) => group.length > 0));
    if (decided.kind === 'taken') return decided;
    const { demand, wait, decidedBy } = decided;
    const at = demands.findIndex((group) => group.includes(demand));
    const refusal = refusalOf(demand, wait);
    const subject = requests[at]?.subject;
    if (subject !== undefined && demand.kind === 'messages')
      this.#recent.remember(memoryKey(subject), refusal, this.#options.clock.monotonic());
    return { kind: 'refused', refusal, at, decidedBy };
  }

  async #decide(demands: readonly Demands[]): Promise<Decided> {
    if (demands.length === 0) return { kind: 'taken', decidedBy: 'local' };
    const { clock, store } = this.#options;
    if (clock.monotonic() < this.#askAgainAt) return this.#takeLocally(demands.flat());
    const calls = store.isSpread === true ? demands : [demands.flat()];
    try {
      for (const [nth, call] of calls.entries()) {
        const [status = 0, index = 0, wait = 0] = await store.run(TAKE, ...asked(call));
        if (status === 1) continue;
        await this.#giveBack(calls.slice(0, nth));
        const demand = call[index - 1];
        if (demand === undefined) throw new Error(`script take refused an unknown rate ${index}`);
        return { kind: 'refused', demand, wait, decidedBy: 'cluster' };
      }
      return { kind: 'taken', decidedBy: 'cluster' };
    } catch (error) {
      this.#lost(error);
      return this.#takeLocally(demands.flat());
    }
  }

  /** A failure changes no decision: what cannot be given back counts until its window has passed. */
  async #giveBack(taken: readonly Demands[]): Promise<void> {
    const { store } = this.#options;
    await Promise.all(taken.map((call) => store.run(GIVE_BACK, ...asked(call)))).catch((error: unknown) =>
      this.#lost(error),
    );
  }

  #lost(error: unknown): void {
    const { clock, retryMs = 1_000, onStoreLost } = this.#options;
    this.#askAgainAt = clock.monotonic() + retryMs;
    onStoreLost?.(error instanceof Error ? error.message : 'unknown failure');
  }

  /** What the subject has used of each limit, over all pods. Throws when the store is away. */
  async show(subject: RateSubject, limits: RateLimits): Promise<readonly RateReading[]> {
    const demands = rateDemands(subject, { messages: 0, recipients: 0, bytes: 0 }, limits);
    if (demands.length === 0) return [];
    const windows = demands.flatMap(({ limit, windowMs }) => [limit, windowMs]);
    const keys = demands.map(({ counter }) => counter);
    const used = await this.#options.store.run(SHOW, keys, [0, 0, ...windows]);
    return demands.map(({ kind, limit, windowMs }, index) => ({
      kind,
      limit,
      intervalMs: windowMs,
      used: used[index * 2] ?? 0,
      resetMs: used[index * 2 + 1] ?? 0,
    }));
  }

  /** Forgets what the subject used, here and over all pods. Throws when the store is away. */
  async reset(subject: RateSubject, limits: RateLimits): Promise<void> {
    const keys = rateDemands(subject, { messages: 0, recipients: 0, bytes: 0 }, limits).map(({ counter }) => counter);
    for (const key of keys) this.#windows.forget(key);
    this.#recent.forget(memoryKey(subject));
    if (keys.length > 0) await this.#options.store.run(RESET, keys, []);
  }

  #takeLocally(demands: Demands): Decided {
    const now = this.#options.clock.monotonic();
    const pods = this.#options.livePods();
    for (const demand of demands) {
      const share = localShare(demand.limit, pods);
      const wait = this.#windows.wait(demand.counter, share, demand.windowMs, demand.weight, now);
      if (wait > 0) return { kind: 'refused', demand, wait, decidedBy: 'local' };
    }
    for (const { counter, windowMs, weight } of demands) this.#windows.add(counter, windowMs, weight, now);
    return { kind: 'taken', decidedBy: 'local' };
  }
}

function rateDemands(subject: RateSubject, use: RateUse, limits: RateLimits): RateDemand<RateKind>[] {
  const tag = `{postern:flow:rate:${subject.kind}:${tagSafe(subject.id)}}`;
  return KINDS.flatMap((kind) => {
    const rate = limits[kind];
    const weight = use[kind];
    if (rate === undefined || weight === undefined) return [];
    return [rateDemand(subject.kind, kind, `${tag}:${kind}`, rate, weight)];
  });
}

const memoryKey = ({ kind, id }: RateSubject): string => `${kind} ${id}`;

/** Braces would move the hash tag's end; percent keeps the spelling reversible. */
function tagSafe(id: string): string {
  return id.replace(/[%{}]/g, encodeURIComponent);
}

const asked = (demands: Demands): [keys: string[], args: number[]] => [
  demands.map(({ counter }) => counter),
  demands.flatMap(({ limit, windowMs, weight }) => [limit, windowMs, weight]),
];

function refusalOf({ scope, kind, limit, windowMs }: RateDemand<RateKind>, retryAfterMs: number): Refusal {
  return { scope, kind, limit, intervalMs: windowMs, retryAfterMs };
}
