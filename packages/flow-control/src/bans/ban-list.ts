/**
 * The bans as one pod knows them: a copy in memory, so that a connection costs no question, brought up to date once a second by what changed.
 * Store away: the copy stays and its bans end on time. A pod that could not ask for long reads everything anew.
 */
import type { Clock, Timer } from '@postern/clock';
import type { BanBook } from './ban-book.js';
import { mostBans } from './ban-book.js';
import { liftedMs } from './scripts.js';

export interface KnownBan {
  /** Of the monotonic clock. */
  readonly untilMs: number;
  readonly reason: string;
}

export interface BanListOptions {
  readonly book: BanBook;
  readonly clock: Clock;
  /** @default 1000 */
  readonly everyMs?: number;
  readonly onState?: (isReachable: boolean, reason: string) => void;
}

const pagesAtOnce = 10;

export class BanList {
  readonly #options: BanListOptions;
  readonly #bans = new Map<string, KnownBan>();
  #epoch = '';
  #version = 0;
  #askedAt = 0;
  #reachable = true;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: BanListOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#bans.size;
  }

  async start(): Promise<void> {
    await this.refresh();
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  find(prefix: string): KnownBan | undefined {
    if (this.#bans.size === 0) return undefined;
    const ban = this.#bans.get(prefix);
    if (ban === undefined || ban.untilMs > this.#options.clock.monotonic()) return ban;
    this.#bans.delete(prefix);
    return undefined;
  }

  /** Known here at once; other pods read it from the store. */
  put(prefix: string, lengthMs: number, reason: string): void {
    if (this.#bans.size < mostBans)
      this.#bans.set(prefix, { untilMs: this.#options.clock.monotonic() + lengthMs, reason });
  }

  async refresh(): Promise<void> {
    const { book, clock } = this.#options;
    try {
      if (clock.monotonic() - this.#askedAt > liftedMs / 2) this.#epoch = '';
      for (let turn = 0; turn < pagesAtOnce; turn++) {
        const { epoch, version, changes } = await book.changes(this.#epoch, this.#version);
        if (epoch !== this.#epoch) this.#bans.clear();
        this.#epoch = epoch;
        this.#version = version;
        for (const change of changes) {
          if ('lifted' in change) this.#bans.delete(change.prefix);
          else this.put(change.prefix, change.remainingMs, change.reason);
        }
        if (changes.length === 0) break;
      }
      this.#askedAt = clock.monotonic();
      this.#become(true, '');
    } catch (error) {
      this.#become(false, error instanceof Error ? error.message : 'unknown failure');
    }
    const now = clock.monotonic();
    for (const [prefix, { untilMs }] of this.#bans) if (untilMs <= now) this.#bans.delete(prefix);
  }

  #become(isReachable: boolean, reason: string): void {
    if (this.#reachable === isReachable) return;
    this.#reachable = isReachable;
    this.#options.onState?.(isReachable, reason);
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.setTimer(
      this.#options.everyMs ?? 1_000,
      () => {
        void this.refresh().then(() => this.#schedule());
      },
      { unref: true },
    );
  }
}
