/**
 * Background rounds: one at a time, a pause between them, none when the last one found more to do. A round that fails is counted and said, and
 * the loop goes on after a longer pause. Stop waits for the round in progress.
 */
import type { Clock } from '@postern/clock';
import type { LoopName } from './metrics.js';

export interface Loop {
  /** Begins the next round now. */
  wake(): void;
  stop(): Promise<void>;
}

export interface LoopOptions {
  readonly name: LoopName;
  readonly clock: Clock;
  readonly everyMs: number;
  /** True: there is more to do, go on at once. */
  readonly round: (signal: AbortSignal) => Promise<boolean>;
  readonly onFailure: (name: LoopName, error: unknown) => void;
  readonly onRound?: (name: LoopName, durationMs: number) => void;
}

const longestPauseMs = 30_000;

export function startLoop({ name, clock, everyMs, round, onFailure, onRound }: LoopOptions): Loop {
  const stopped = new AbortController();
  let wakeUp = new AbortController();
  let woken = false;
  const pause = async (ms: number): Promise<void> => {
    if (woken) return;
    await clock.sleep(ms, AbortSignal.any([stopped.signal, wakeUp.signal])).catch(() => undefined);
  };
  const run = async (): Promise<void> => {
    let failures = 0;
    while (!stopped.signal.aborted) {
      woken = false;
      wakeUp = new AbortController();
      const began = clock.monotonic();
      try {
        const more = await round(stopped.signal);
        failures = 0;
        onRound?.(name, clock.monotonic() - began);
        if (!more) await pause(everyMs);
      } catch (error) {
        onFailure(name, error);
        failures++;
        await clock
          .sleep(Math.min(everyMs * 2 ** Math.min(failures, 6), Math.max(longestPauseMs, everyMs)), stopped.signal)
          .catch(() => undefined);
      }
    }
  };
  const running = run();
  return {
    wake: () => {
      woken = true;
      wakeUp.abort();
    },
    stop: async () => {
      stopped.abort();
      await running;
    },
  };
}
