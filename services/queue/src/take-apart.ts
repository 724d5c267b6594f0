/**
 * Puts envelopes of a batch back into SPOOL as messages of their own, marked `Postern-Again`. A whole batch, when it came back: one of its mails may be what ends
 * the process that works on it, and only that one shall be parked at the end. One part, when it cannot be placed for long: the others are not to be
 * kept from their acknowledgement. Order: stored again, then acknowledged; a crash in between repeats it under the same Msg-Ids.
 */
import { failpoint } from '@postern/lifecycle';
import { type Delivery, type Publisher, type PublishResult, spoolSubjectOf } from '@postern/stream';
import type { BatchObserver } from './batch-observer.js';

export interface TakeApart {
  /**
   * Of a batch that was left in WORK (`take-over.ts`): the parts that SPOOL has no room for, to be worked on here; the others are in SPOOL, and acknowledged.
   * None, too, where it is to come again.
   */
  whole(message: Delivery, parts: readonly Delivery[]): Promise<readonly Delivery[]>;
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
    async whole(message, parts) {
      const tried = await Promise.all(
        parts.map(async (part, index) => ({ part, kind: (await putBack(message, part.data, index)).kind })),
      );
      if (tried.some(({ kind }) => kind === 'unknown')) {
        observer.apart(message, 'no_answer');
        message.nak(againAfterMs);
        return [];
      }
      const { refused = [], stored = [] } = Object.groupBy(tried, ({ kind }) => kind);
      observer.apart(message, refused.length === 0 ? 'whole' : 'no_room');
      if (stored.length > 0) failpoint('queue.after-put-back');
      // What was put back is worked on by whoever takes it, and by nobody else.
      for (const { part } of stored) part.ack();
      return refused.map(({ part }) => part);
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
