/**
 * Errors of clients by address over all pods: collected here, sent together four times a second, counted by one script that also bans.
 * An error costs no question of its own. Store away: counted by this pod alone against the whole limit, and its bans are its own.
 */
import type { Clock, Timer } from '@postern/clock';
import type { LimitStore } from '../limit-store.js';
import { LocalWindows } from '../local-windows.js';
import { type ErrorKind, mostBans } from './ban-book.js';
import type { BanList } from './ban-list.js';
import { banKeys, errorKey, REPORT, strikeKey } from './scripts.js';

export interface ErrorLimit {
  /** The error that ends in a ban; 0 = none does. */
  readonly limit: number;
  readonly windowMs: number;
  readonly banMs: number;
  readonly longestMs: number;
}

export interface ErrorCountsOptions {
  readonly store: LimitStore;
  readonly clock: Clock;
  readonly bans: BanList;
  readonly onBanned: (prefix: string, kind: ErrorKind, lengthMs: number, decidedBy: 'cluster' | 'local') => void;
}

interface Counted extends ErrorLimit {
  readonly kind: ErrorKind;
  readonly prefix: string;
  count: number;
}

const flushMs = 250;
const atOnce = 500;
const capacity = 50_000;

export class ErrorCounts {
  readonly #options: ErrorCountsOptions;
  readonly #local = new LocalWindows(capacity);
  #waiting = new Map<string, Counted>();
  #timer: Timer | undefined;

  constructor(options: ErrorCountsOptions) {
    this.#options = options;
  }

  count(prefix: string, kind: ErrorKind, limit: ErrorLimit): void {
    if (limit.limit === 0) return;
    const key = `${kind} ${prefix}`;
    const known = this.#waiting.get(key);
    if (known !== undefined) known.count++;
    else if (this.#waiting.size < capacity) this.#waiting.set(key, { ...limit, kind, prefix, count: 1 });
    this.#timer ??= this.#options.clock.setTimer(flushMs, () => void this.flush(), { unref: true });
  }

  async flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const all = [...this.#waiting.values()];
    this.#waiting = new Map();
    for (let from = 0; from < all.length; from += atOnce) await this.#send(all.slice(from, from + atOnce));
  }

  async #send(counted: readonly Counted[]): Promise<void> {
    const keys = counted.flatMap(({ kind, prefix }) => [errorKey(kind, prefix), strikeKey(prefix)]);
    const args = counted.flatMap((one) => [
      one.prefix,
      one.limit,
      one.windowMs,
      one.count,
      one.banMs,
      one.longestMs,
      reasonOf(one),
    ]);
    try {
      const lengths = await this.#options.store.run(REPORT, [...banKeys, ...keys], [mostBans, ...args]);
      for (const [index, one] of counted.entries()) this.#ban(one, lengths[index] ?? 0, 'cluster');
    } catch {
      for (const one of counted) this.#countLocally(one);
    }
  }

  #countLocally(one: Counted): void {
    const now = this.#options.clock.monotonic();
    const key = `${one.kind} ${one.prefix}`;
    const isOver = this.#local.wait(key, one.limit - 1, one.windowMs, one.count, now) > 0;
    if (isOver) this.#ban(one, one.banMs, 'local');
    else this.#local.add(key, one.windowMs, one.count, now);
  }

  #ban(one: Counted, lengthMs: number, decidedBy: 'cluster' | 'local'): void {
    if (lengthMs <= 0) return;
    this.#options.bans.put(one.prefix, lengthMs, reasonOf(one));
    this.#options.onBanned(one.prefix, one.kind, lengthMs, decidedBy);
  }
}

const reasonOf = ({ kind, limit }: Counted): string => `${limit} times ${kind.replace('_', ' ')}`;
