/**
 * SPOOL to WORK (design.md, step 6): a mail alone (`mail-intake.ts`), several of one message (`batch-intake.ts`), and what was left in WORK to come back. Order:
 * body into BODIES when anything waits or fans out, then WORK, then OUTCOMES, then the acknowledgement. Never asks PostgreSQL. Whatever waits for a stream is
 * kept ours meanwhile. Invariant: an acknowledged message has every unit in WORK or in a stored outcome.
 */
import { type Delivery, type MetServer, spoolParts } from '@postern/stream';
import { allOf } from './all-of.js';
import { type BatchIntakeParts, createBatchIntake } from './batch-intake.js';
import { createMailIntake, type MailIntakeParts, mayBeKnown } from './mail-intake.js';
import type { Renewal } from './renewal.js';
import { untilDoneWith } from './until-done.js';

export interface IntakeParts extends MailIntakeParts, BatchIntakeParts {
  readonly renewal: Renewal;
  readonly met: Pick<MetServer, 'isInDoubt' | 'isFromBeforeLoss'>;
}

export interface Intake {
  handle(batch: readonly Delivery[]): Promise<void>;
  /** A batch that was left in WORK (`take-over.ts`). */
  handleLeft(message: Delivery): Promise<void>;
  /** Stops waiting for streams: what is stalled is given back. */
  abort(): void;
}

export function createIntake(parts: IntakeParts): Intake {
  const { renewal, takeApart, takeOver, met } = parts;
  const aborted = new AbortController();
  const untilDone = untilDoneWith(parts.clock, parts.observer, aborted.signal);
  const mail = createMailIntake(parts, untilDone);
  const batch = createBatchIntake(parts, mail, untilDone);

  const held = async (message: Delivery, work: () => Promise<void>): Promise<void> => {
    renewal.hold(message);
    try {
      await work();
    } finally {
      renewal.release(message);
    }
  };
  const handleOne = (message: Delivery): Promise<void> =>
    held(message, async () => {
      const mails = spoolParts(message);
      const [only] = mails;
      if (only !== undefined && mails.length === 1) await mail.work(only);
      // A pod that never lost the server trusts its counts: what has waited for a pod is not taken apart.
      else if (mayBeKnown(message) || met.isFromBeforeLoss(message.storedAtMs)) await batch.leave(message, mails);
      else await batch.take(message, mails);
    });
  return {
    handle: (messages) => allOf(messages.map(handleOne)),
    handleLeft: (message) =>
      held(message, async () => {
        await takeOver.dropSpooled(message);
        // Room comes from working on what is there.
        const rest = await takeApart.whole(message, spoolParts(message));
        await allOf(rest.map(mail.work));
      }),
    abort: () => aborted.abort(),
  };
}
