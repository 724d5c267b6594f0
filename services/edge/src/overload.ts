/**
 * Is this process too busy to take mail? Looks at the event loop's delay and the heap once in a while; between the marks it keeps what it
 * said, so it does not flap. Sheds with 452, never 5xx, and recovers by itself.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Clock, Timer } from '@postern/clock';

export interface OverloadReading {
  readonly loopDelayMs: number;
  /** Share of the heap limit in use. */
  readonly heap: number;
}

const shedAt: OverloadReading = { loopDelayMs: 500, heap: 0.9 };
const takeAt: OverloadReading = { loopDelayMs: 200, heap: 0.8 };
const readEveryMs = 500;

/** The next word, given the last: undefined = take mail. */
export function judgeLoad(reading: OverloadReading, before: string | undefined): string | undefined {
  const mark = before === undefined ? shedAt : takeAt;
  if (reading.loopDelayMs > mark.loopDelayMs) return 'event loop';
  return reading.heap > mark.heap ? 'memory' : undefined;
}

export interface OverloadWatch {
  reason(): string | undefined;
  stop(): void;
}

export function watchOverload(clock: Clock, onChange: (reason: string | undefined) => void): OverloadWatch {
  const delays = monitorEventLoopDelay({ resolution: 20 });
  delays.enable();
  let reason: string | undefined;
  const timer: Timer = clock.setInterval(
    readEveryMs,
    () => {
      const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
      const next = judgeLoad({ loopDelayMs: delays.mean / 1e6, heap: used / limit }, reason);
      delays.reset();
      if (next === reason) return;
      reason = next;
      onChange(next);
    },
    { unref: true },
  );
  return {
    reason: () => reason,
    stop: () => {
      timer.cancel();
      delays.disable();
    },
  };
}
