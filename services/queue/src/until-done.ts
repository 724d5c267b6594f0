/** Work that a full or absent stream holds up is tried again until it is done, with the message kept ours. Ends when this pod stops. */
import type { Clock } from '@postern/clock';
import type { Step } from './placer.js';

export interface StallObserver {
  /** One mail, or the mails of one message, began to wait for a stream. */
  stalled(step: string, reason: string): void;
  /** It goes on, was put back, or is left to another pod. */
  unstalled(): void;
}

/** False = this pod stops, or `isEnough` said so. `repeated`: it was tried before. */
export type UntilDone = (
  work: (repeated: boolean) => Promise<Step>,
  isEnough?: () => Promise<boolean>,
) => Promise<boolean>;

const stallPauseMs = 1_000;

export const untilDoneWith =
  (clock: Clock, observer: StallObserver, stopping: AbortSignal): UntilDone =>
  async (work, isEnough = () => Promise.resolve(false)) => {
    let isStalled = false;
    try {
      for (;;) {
        const step = await work(isStalled);
        if (step.done) return true;
        if (stopping.aborted || (await isEnough())) return false;
        if (!isStalled) observer.stalled(step.step, step.reason);
        isStalled = true;
        await clock.sleep(stallPauseMs, stopping).catch(() => undefined);
      }
    } finally {
      if (isStalled) observer.unstalled();
    }
  };
