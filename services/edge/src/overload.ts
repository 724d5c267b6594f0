/**
 * Is this process too busy to take mail, and from whom (row C8)? Five readings against their marks: delay of the event loop, heap, memory, time of
 * the durable write, bytes of SPOOL. At a mark strangers are shed, well above it everybody. Recovers by itself, below the mark by a margin, so
 * that it does not flap. Sheds with 421 and 452, never 5xx.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Clock, Timer } from '@postern/clock';
import type { Overload } from '@postern/proto/config/v1/snapshot';

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

/** `severe`: times the mark from which on everybody is shed. */
const dimensions = [
  { field: 'loopDelayMs', reason: 'event loop', mark: 500, severe: 2 },
  { field: 'heapPercent', reason: 'heap', mark: 90, severe: 1.05 },
  { field: 'memoryPercent', reason: 'memory', mark: 85, severe: 1.1 },
  { field: 'spoolLatencyMs', reason: 'spool latency', mark: 5_000, severe: 2 },
  { field: 'storagePercent', reason: 'storage', mark: 90, severe: 1.05 },
] as const;

/** Below this share of a mark it has recovered. */
const recovery = 0.85;
const readEveryMs = 500;
const readStorageEveryMs = 5_000;

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
  readonly onChange: (state: OverloadState) => void;
}

export function watchOverload({
  clock,
  marks,
  spoolLatencyMs,
  memory,
  storage,
  onChange,
}: OverloadWatchOptions): OverloadWatch {
  const delays = monitorEventLoopDelay({ resolution: 20 });
  delays.enable();
  let state = idle;
  let storagePercent = 0;
  let storageReadAt = Number.NEGATIVE_INFINITY;
  const readStorage = (): void => {
    storageReadAt = clock.monotonic();
    // What cannot be read is no overload: the durable write itself says whether it works.
    storage().then(
      (share) => (storagePercent = share * 100),
      () => (storagePercent = 0),
    );
  };
  const timer: Timer = clock.setInterval(
    readEveryMs,
    () => {
      if (clock.monotonic() - storageReadAt >= readStorageEveryMs) readStorage();
      const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
      const reading = {
        loopDelayMs: Number.isNaN(delays.mean) ? 0 : delays.mean / 1e6,
        heapPercent: (100 * used) / limit,
        memoryPercent: memory(),
        spoolLatencyMs: spoolLatencyMs(),
        storagePercent,
      };
      delays.reset();
      const next = judgeLoad(reading, marks(), state);
      const changed = next.shed !== state.shed || next.reason !== state.reason;
      state = next;
      if (changed) onChange(next);
    },
    { unref: true },
  );
  return {
    reason: (isTrusted) =>
      state.shed === 'everybody' || (state.shed === 'strangers' && !isTrusted) ? state.reason : undefined,
    stop: () => {
      timer.cancel();
      delays.disable();
    },
  };
}
