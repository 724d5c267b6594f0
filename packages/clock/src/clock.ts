/**
 * The one way product code learns the time and waits. Passed in as a parameter, so that tests drive it by hand.
 * now() is wall time and may jump; monotonic() never goes back and is what durations are measured with.
 * A callback given to a timer must not throw; nothing here catches for it.
 */
import { performance } from 'node:perf_hooks';

export interface Timer {
  /** Harmless when the timer has fired or is cancelled already. */
  cancel(): void;
}

export interface TimerOptions {
  /** True: the timer alone does not keep the process alive. */
  readonly unref?: boolean;
}

export interface Clock {
  /** Milliseconds since 1970, wall time. */
  now(): number;
  /** Milliseconds since an arbitrary start, never going back. */
  monotonic(): number;
  /** Milliseconds of CPU this thread has used, never going back: a bound that a busy machine does not shrink. */
  cpu(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  setTimer(ms: number, fire: () => void, options?: TimerOptions): Timer;
  setInterval(ms: number, fire: () => void, options?: TimerOptions): Timer;
}

// setTimeout takes a signed 32 bit delay; a longer one would fire at once.
const longestTimerMs = 2_147_483_647;

class SystemClock implements Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  cpu(): number {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1_000;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  setTimer(ms: number, fire: () => void, options?: TimerOptions): Timer {
    const due = performance.now() + ms;
    let handle: NodeJS.Timeout;
    const arm = (delay: number): void => {
      handle = setTimeout(
        () => {
          if (delay <= longestTimerMs) fire();
          else arm(due - performance.now());
        },
        Math.max(0, Math.min(delay, longestTimerMs)),
      );
      if (options?.unref) handle.unref();
    };
    arm(ms);
    return { cancel: () => clearTimeout(handle) };
  }

  setInterval(ms: number, fire: () => void, options?: TimerOptions): Timer {
    const handle = setInterval(fire, Math.min(ms, longestTimerMs));
    if (options?.unref) handle.unref();
    return { cancel: () => clearInterval(handle) };
  }
}

/** sleep in terms of setTimer: shared by both clocks. */
export function sleepOn(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

export const systemClock: Clock = new SystemClock();
