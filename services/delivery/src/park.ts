/**
 * Copies a message that cannot be worked on to PARKED and acknowledges it; an operator decides (design.md, State). Not stored = not acknowledged. Where it
 * can be read its recipients' trace says so; that may be lost and holds nothing up.
 */
import type { Clock } from '@postern/clock';
import type { Item } from '@postern/proto/mail/v1/item';
import { TraceBatch } from '@postern/proto/mail/v1/trace';
import { type Delivery, type Publisher, parkedSubject, traceSubject } from '@postern/stream';
import type { WorkerObserver } from './observer.js';

export interface Park {
  /** `item`, where it can be read. */
  park(message: Delivery, reason: string, item?: Item): Promise<void>;
}

const traceDeadlineMs = 2_000;

export function createPark(publisher: Publisher, clock: Clock, observer: WorkerObserver): Park {
  return {
    async park(message, reason, item) {
      const { sequence, part = '', storedAtMs } = message;
      // A server that was killed may give a sequence anew: what has it then is another message.
      const msgId = `parked:work:${sequence}.${part}:${storedAtMs}`;
      const result = await publisher.publish(parkedSubject('work'), message.data, {
        msgId,
        headers: { 'Postern-Reason': reason.replace(/[^\x20-\x7e]/g, ' '), 'Postern-Subject': message.subject },
      });
      observer.parked(message.subject, reason, result.kind);
      if (result.kind !== 'stored') return;
      message.ack();
      if (item === undefined) return;
      const { queueId, sessionId, tenant, reversePath, attempt } = item;
      const events = item.recipients.map(({ address }) => ({
        ...{ atMs: clock.now(), event: 'delivery.item.parked', sessionId, queueId, tenant, reversePath },
        ...{ recipient: address, reply: '', detail: { reason, attempt: String(attempt) } },
      }));
      const options = { msgId: `trace:${msgId}`, deadlineMs: traceDeadlineMs };
      await publisher.publish(traceSubject('delivery'), TraceBatch.encode({ events }).finish(), options);
    },
  };
}
