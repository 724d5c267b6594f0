/**
 * Puts envelopes of a batch of SPOOL back as messages of their own, marked `Postern-Again`. A whole batch, when it keeps coming back: one of its mails may be
 * what ends the process that works on it, and only that one shall be parked at the end. One part, when it cannot be placed for long: the others are not
 * to be kept from their acknowledgement. Order: stored again, then acknowledged; a crash in between repeats it under the same Msg-Ids.
 */
import { failpoint } from '@postern/lifecycle';
import { type Delivery, type Publisher, type PublishResult, spooledEnvelopes } from '@postern/stream';

export interface TakeApart {
  /** What is to be worked on; undefined = it was put back in parts, or comes again. */
  whole(message: Delivery): Promise<Delivery | undefined>;
  /** True when the part was put back and acknowledged. */
  part(part: Delivery): Promise<boolean>;
}

/** Deliveries of a batch that are tried whole. */
const wholeDeliveries = 2;
const publishDeadlineMs = 5_000;
/** A stream that does not answer is given time. */
const againAfterMs = 2_000;

export function createTakeApart(publisher: Publisher): TakeApart {
  const putBack = (message: Delivery, data: Uint8Array, part: number): Promise<PublishResult> =>
    publisher.publish(message.subject, data, {
      msgId: `apart:${message.sequence}.${part}:${message.storedAtMs}`,
      deadlineMs: publishDeadlineMs,
      headers: { 'Postern-Again': 'apart' },
    });
  return {
    async whole(message) {
      if (message.deliveryCount <= wholeDeliveries) return message;
      const envelopes = spooledEnvelopes(message);
      if (envelopes.length === 1) return message;
      const results = await Promise.all(envelopes.map((data, part) => putBack(message, data, part)));
      if (results.every(({ kind }) => kind === 'stored')) {
        failpoint('queue.after-put-back');
        message.ack();
      }
      // Room comes from working on what is there.
      else if (results.some(({ kind }) => kind === 'refused')) return message;
      else message.nak(againAfterMs);
      return undefined;
    },
    async part(part) {
      if (part.part === undefined || (await putBack(part, part.data, part.part)).kind !== 'stored') return false;
      failpoint('queue.after-put-back');
      part.ack();
      return true;
    },
  };
}
