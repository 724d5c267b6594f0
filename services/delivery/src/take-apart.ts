/**
 * Puts the items of a batch of WORK back as messages of their own, marked `Postern-Again`, when it keeps coming back: one of them may be what ends the process
 * that works on it, and only that one shall be parked at the end. Order: stored again, then acknowledged; a crash in between repeats it under the
 * same Msg-Ids. Items that were done have their mark.
 */
import { failpoint } from '@postern/lifecycle';
import type { Delivery, Publisher } from '@postern/stream';
import type { WorkerObserver } from './observer.js';

export interface TakeApart {
  /** The parts that are to be worked on here: all, where it stays whole; none, where it was put back or is to come again. */
  apart(message: Delivery, parts: readonly Delivery[]): Promise<readonly Delivery[]>;
}

/** Deliveries of a batch that are tried whole. */
const wholeDeliveries = 2;
const publishDeadlineMs = 5_000;
/** A stream that does not answer is given time. */
const againAfterMs = 2_000;

export function createTakeApart(publisher: Publisher, observer: Pick<WorkerObserver, 'apart'>): TakeApart {
  return {
    async apart(message, parts) {
      if (parts.length === 1 || message.deliveryCount <= wholeDeliveries) return parts;
      const { subject, sequence, storedAtMs } = message;
      const putBack = await Promise.all(
        parts.map(async (part, index) => {
          const { kind } = await publisher.publish(subject, part.data, {
            msgId: `apart:${sequence}.${index}:${storedAtMs}`,
            deadlineMs: publishDeadlineMs,
            headers: { 'Postern-Again': 'apart' },
          });
          return { part, kind };
        }),
      );
      if (putBack.some(({ kind }) => kind === 'unknown')) {
        message.nak(againAfterMs);
        observer.apart(message, parts.length, 'no_answer');
        return [];
      }
      const { refused = [], stored = [] } = Object.groupBy(putBack, ({ kind }) => kind);
      observer.apart(message, parts.length, refused.length > 0 ? 'no_room' : 'put_back');
      failpoint('delivery.after-put-back');
      for (const { part } of stored) part.ack();
      // Room comes from working on what is there; what was put back is worked on by whoever takes it, and by nobody else.
      return refused.map(({ part }) => part);
    },
  };
}
