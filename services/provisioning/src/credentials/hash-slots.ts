/**
 * Bounds how many password hashes run and wait at once: each takes 19 MiB and about 25 ms of a core. Beyond the bound the answer is
 * `credentials-unavailable` (454), never a wrong 535.
 */
import { PosternError } from '@postern/errors';

export interface HashSlots {
  run<T>(work: () => Promise<T>): Promise<T>;
  waiting(): number;
}

export function createHashSlots(concurrent: number, maxWaiting: number): HashSlots {
  let running = 0;
  const queue: (() => void)[] = [];
  return {
    waiting: () => queue.length,
    async run(work) {
      if (running >= concurrent) {
        if (queue.length >= maxWaiting) throw new PosternError('credentials-unavailable', 'too many logins wait');
        await new Promise<void>((resolve) => queue.push(resolve));
      } else running++;
      try {
        return await work();
      } finally {
        const next = queue.shift();
        // The slot passes on to the one that waits, so `running` does not change.
        if (next === undefined) running--;
        else next();
      }
    },
  };
}
