/**
 * Puts envelopes of a batch back into SPOOL as messages of their own, marked `Postern-Again`. A whole batch, when it came back: one of its mails may be what ends
 * the process that works on it, and only that one shall be parked at the end. One part, when it cannot be placed for long: the others are not to be
 * kept from their acknowledgement. Order: stored again, then acknowledged; a crash in between repeats it under the same Msg-Ids.
 */
import { failpoint } from '@postern/lifecycle';
import { type Delivery, type Publisher, type PublishResult, spooledEnvelopes, spoolSubjectOf } from '@postern/stream';
import type { BatchObserver } from './batch-observer.js';

export interface TakeApart {
  /** Of a batch that was left in WORK (`take-over.ts`): acknowledged when each of its mails is in SPOOL. False = SPOOL has no room for them. */
  whole(message: Delivery): Promise<boolean>;
  /** True when the part was put back and acknowledged. */
  part(part: Delivery): Promise<boolean>;
}

const publishDeadlineMs = 5_000;
/** A stream that does not answer is given time. */
const againAfterMs = 2_000;

export function createTakeApart(publisher: Publisher, observer: Pick<BatchObserver, 'apart'>): TakeApart {
  const putBack = (message: Delivery, data: Uint8Array, part: number): Promise<PublishResult> =>
    publisher.publish(spoolSubjectOf(message.subject), data, {
      msgId: `apart:${message.subject}:${message.sequence}.${part}:${message.storedAtMs}`,
      deadlineMs: publishDeadlineMs,
      headers: { 'Postern-Again': 'apart' },
    });
  return {
    async whole(message) {
      const results = await Promise.all(spooledEnvelopes(message).map((data, part) => putBack(message, data, part)));
      if (results.some(({ kind }) => kind === 'refused')) {
        observer.apart(message, 'no_room');
        return false;
      }
      const isWhole = results.every(({ kind }) => kind === 'stored');
      observer.apart(message, isWhole ? 'whole' : 'no_answer');
      if (isWhole) {
        failpoint('queue.after-put-back');
        message.ack();
      } else message.nak(againAfterMs);
      return true;
    },
    async part(part) {
      if (part.part === undefined || (await putBack(part, part.data, part.part)).kind !== 'stored') return false;
      observer.apart(part, 'part');
      failpoint('queue.after-put-back');
      part.ack();
      return true;
    },
  };
}
