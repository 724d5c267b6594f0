/**
 * Is this process too busy to take mail, and from whom (row C8)? Five readings against their marks: delay of the event loop, heap, memory, time of
 * the durable write, bytes of SPOOL. At a mark strangers are shed, well above it everybody. Recovers by itself, below the mark by a margin, so
 * that it does not flap. Sheds with 421 and 452, never 5xx. Memory counts without what a collection frees.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Clock, Timer } from '@postern/clock';
import type { Overload } from '@postern/proto/config/v1/snapshot';
import { MemoryCollection } from './memory-collection.js';

export interface OverloadReading {
  readonly loopDelayMs: number;
  /** Percent of the heap limit. */
  readonly heapPercent: number;
  /** Percent of the memory the process may have: heap and what is outside it. */
  readonly memoryPercent: number;
  readonly spoolLatencyMs: number;
  /** Percent of the limit of SPOOL. */
  readonly storagePercent: number;
}

export interface OverloadState {
  /** strangers: those without login, relay right or trust. */
  readonly shed: 'nobody' | 'strangers' | 'everybody';
  readonly reason: string;
}

/** `severe`: times the mark from which on everybody is shed. `own`: of this process alone, while every pod has the same SPOOL. */
const dimensions = [
  { field: 'loopDelayMs', reason: 'event loop', mark: 500, severe: 2, own: true },
  { field: 'heapPercent', reason: 'heap', mark: 90, severe: 1.05, own: true },
  { field: 'memoryPercent', reason: 'memory', mark: 85, severe: 1.1, own: true },
  { field: 'spoolLatencyMs', reason: 'spool latency', mark: 5_000, severe: 2, own: false },
  { field: 'storagePercent', reason: 'storage', mark: 90, severe: 1.05, own: false },
] as const;

const isOfMemory = ({ reason }: OverloadState): boolean => reason === 'heap' || reason === 'memory';
const isOwn = (state: OverloadState): boolean => dimensions.some(({ reason, own }) => own && reason === state.reason);

/** Below this share of a mark it has recovered. */
const recovery = 0.85;
const readEveryMs = 500;
const readStorageEveryMs = 5_000;
/** Everybody is shed for so long before the process asks to be spared: shorter ones are over before anybody could act. */
const spareAfterMs = 5_000;

export const idle: OverloadState = { shed: 'nobody', reason: '' };
const ranks = { nobody: 0, strangers: 1, everybody: 2 } as const;

/** The next state, given the last. */
export function judgeLoad(reading: OverloadReading, marks: Overload | undefined, before: OverloadState): OverloadState {
  let worst = idle;
  for (const { field, reason, mark, severe } of dimensions) {
    const share = reading[field] / (marks?.[field] || mark);
    const isHeld = (state: OverloadState['shed']): boolean =>
      before.reason === reason && ranks[before.shed] >= ranks[state];
    const over = (state: OverloadState['shed'], at: number): boolean => share >= (isHeld(state) ? at * recovery : at);
    const shed = over('everybody', severe) ? 'everybody' : over('strangers', 1) ? 'strangers' : 'nobody';
    if (ranks[shed] > ranks[worst.shed]) worst = { shed, reason };
  }
  return worst;
}

export interface OverloadWatch {
  /** Why a client is not served now; undefined = it is. */
  reason(isTrusted: boolean): string | undefined;
  /** Why other pods should have the connections: this one alone has had nothing for anybody for a while. */
  leaveReason(): string | undefined;
  stop(): void;
}

export interface OverloadWatchOptions {
  readonly clock: Clock;
  readonly marks: () => Overload | undefined;
  /** Milliseconds of the durable write since the last question. */
  readonly spoolLatencyMs: () => number;
  /** Percent of the memory this process may have. */
  readonly memory: () => number;
  /** Share of SPOOL in use, 0 to 1. */
  readonly storage: () => Promise<number>;
  /** Frees what is no longer used. */
  readonly collect: () => Promise<void>;
  readonly onCollected: (seconds: number) => void;
  readonly onChange: (state: OverloadState) => void;
}

export function watchOverload(options: OverloadWatchOptions): OverloadWatch {
  const { clock, marks, spoolLatencyMs, memory, storage, onChange } = options;
  const delays = monitorEventLoopDelay({ resolution: 20 });
  delays.enable();
  let state = idle;
  let storagePercent = 0;
  let storageReadAt = Number.NEGATIVE_INFINITY;
  /** Since when everybody is shed. */
  let closedSince = 0;
  const readStorage = (): void => {
    storageReadAt = clock.monotonic();
    // What cannot be read is no overload: the durable write itself says whether it works.
    storage().then(
      (share) => (storagePercent = share * 100),
      () => (storagePercent = 0),
    );
  };
  const readMemory = () => {
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
    return { heapPercent: (100 * used) / limit, memoryPercent: memory() };
  };
  const take = (next: OverloadState): void => {
    const changed = next.shed !== state.shed || next.reason !== state.reason;
    if (next.shed === 'everybody' && state.shed !== 'everybody') closedSince = clock.monotonic();
    state = next;
    if (changed) onChange(next);
  };
  const collection = new MemoryCollection(options);
  const look = (): void => {
    if (clock.monotonic() - storageReadAt >= readStorageEveryMs) readStorage();
    const loopDelayMs = Number.isNaN(delays.mean) ? 0 : delays.mean / 1e6;
    delays.reset();
    const rest = { loopDelayMs, spoolLatencyMs: spoolLatencyMs(), storagePercent };
    const judge = (): OverloadState => judgeLoad({ ...rest, ...readMemory() }, marks(), state);
    const next = judge();
    // Nobody more is shed for what a collection frees.
    const isAsked = isOfMemory(next) && collection.ask(() => take(judge()));
    if (!isAsked || ranks[next.shed] <= ranks[state.shed]) take(next);
  };
  const timer: Timer = clock.setInterval(readEveryMs, look, { unref: true });
  return {
    reason: (isTrusted) =>
      state.shed === 'everybody' || (state.shed === 'strangers' && !isTrusted) ? state.reason : undefined,
    leaveReason: () => {
      const isLong = state.shed === 'everybody' && clock.monotonic() - closedSince >= spareAfterMs;
      return isLong && isOwn(state) ? state.reason : undefined;
    },
    stop: () => {
      timer.cancel();
      delays.disable();
    },
  };
}
