/**
 * Time within the time of a check: what it asks others ends a little before its own time, so that it concludes with what is known by then. The
 * declared fallback of a check is for what cannot conclude at all.
 */
import type { Clock, Timer } from '@postern/clock';

const marginShare = 0.1;
const longestMarginMs = 250;

/** How long a check that has `ms` may wait for others. */
export const patienceOf = (ms: number): number => ms - Math.min(longestMarginMs, ms * marginShare);

/** Undefined = not in time; the work goes on and nobody waits for it. */
export async function within<T>(clock: Clock, ms: number, work: Promise<T> | undefined): Promise<T | undefined> {
  if (work === undefined) return undefined;
  let timer: Timer | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = clock.setTimer(Math.max(0, ms), () => resolve(undefined));
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    timer?.cancel();
  }
}
