/** Is it decided within so many milliseconds? Measured against a timer set at the same moment, which gets as much longer as it was itself late: what holds up the whole process is no fault of the decision. */
import { systemClock } from '@postern/clock';

async function timer(ms: number): Promise<'late'> {
  const begun = performance.now();
  await systemClock.sleep(ms);
  const heldUpMs = performance.now() - begun - ms;
  if (heldUpMs > 1) await systemClock.sleep(heldUpMs);
  return 'late';
}

export const decidedWithin = async (ms: number, decision: Promise<unknown>): Promise<boolean> =>
  (await Promise.race([decision.then(() => 'decided' as const), timer(ms)])) === 'decided';
