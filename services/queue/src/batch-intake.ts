/**
 * Several mails that are one message of SPOOL (ADR 14): their items go as one message where they can (`take-over.ts`), else each mail goes by itself
 * (`mail-intake.ts`). One that came back is left in WORK instead, and what its mails began is recorded where WORK had taken their items.
 */
import type { Envelope } from '@postern/proto/mail/v1/envelope';
import type { Delivery, MetServer } from '@postern/stream';
import { allOf } from './all-of.js';
import type { LaneWindows } from './lanes.js';
import type { IntakeObserver, MailIntake } from './mail-intake.js';
import { readEnvelope } from './read-envelope.js';
import { isCreation, type TakenOver, type TakeOver } from './take-over.js';
import type { UntilDone } from './until-done.js';

export interface BatchIntakeParts {
  readonly windows: LaneWindows;
  readonly takeOver: TakeOver;
  readonly observer: IntakeObserver;
  readonly met: Pick<MetServer, 'isInDoubt'>;
}

export interface BatchIntake {
  /** Its first delivery. */
  take(message: Delivery, mails: readonly Delivery[]): Promise<void>;
  /** It came back. */
  leave(message: Delivery, mails: readonly Delivery[]): Promise<void>;
}

export function createBatchIntake(parts: BatchIntakeParts, mail: MailIntake, untilDone: UntilDone): BatchIntake {
  const { windows, takeOver, observer, met } = parts;

  /** Undefined = this pod stops. */
  const takenOver = async (take: (repeated: boolean) => Promise<TakenOver>): Promise<TakenOver | undefined> => {
    let taken: TakenOver | undefined;
    const isDone = await untilDone(async (repeated) => {
      taken = await take(repeated);
      return taken.step;
    });
    return isDone ? taken : undefined;
  };

  return {
    async take(message, mails) {
      const envelopes = envelopesOf(mails);
      const [first] = envelopes;
      if (first === undefined || envelopes.length < mails.length) return allOf(mails.map(mail.work));
      const plans = envelopes.map((envelope) => ({ envelope, placement: mail.plan(envelope) }));
      const together = takeOver.together(plans.map(({ placement }) => placement));
      if (together === undefined)
        return allOf(
          plans.map(async ({ envelope, placement }, index) => {
            const one = mails[index];
            if (one !== undefined) await mail.finish(one, await mail.place(one, envelope, placement));
          }),
        );
      const again = met.isInDoubt(message.storedAtMs);
      const taken = await takenOver((repeated) => takeOver.place(message, first.queueId, together, again || repeated));
      if (taken === undefined) return message.nak();
      if (!taken.wasPlaced) return message.ack();
      windows.together(plans.length);
      for (const { envelope, placement } of plans) observer.placed(envelope, placement);
      return mail.finish(message, { kind: 'placed', outcomes: plans.flatMap(({ placement }) => placement.outcomes) });
    },
    async leave(message, mails) {
      const left = await takenOver(() => takeOver.leave(message));
      if (left === undefined) return message.nak();
      // A pod that is gone may not have recorded them.
      const creations = (envelope: Envelope) => mail.plan(envelope, () => true).outcomes.filter(isCreation);
      const outcomes = left.wasPlaced ? envelopesOf(mails).flatMap(creations) : [];
      return mail.finish(message, { kind: 'placed', outcomes });
    },
  };
}

/** Of those that can be read. */
const envelopesOf = (mails: readonly Delivery[]): Envelope[] =>
  mails.flatMap(({ data }) => {
    const read = readEnvelope(data);
    return 'envelope' in read ? [read.envelope] : [];
  });
