/** Copies a message that cannot be worked on to PARKED and acknowledges it; an operator decides (design.md, State). Not stored = not acknowledged. */
import { type Delivery, type Publisher, parkedSubject } from '@postern/stream';
import type { WorkerObserver } from './observer.js';

export interface Park {
  park(message: Delivery, reason: string): Promise<void>;
}

export function createPark(publisher: Publisher, observer: WorkerObserver): Park {
  return {
    async park(message, reason) {
      const result = await publisher.publish(parkedSubject('work'), message.data, {
        msgId: `parked:work:${message.sequence}`,
        headers: { 'Postern-Reason': reason.replace(/[^\x20-\x7e]/g, ' '), 'Postern-Subject': message.subject },
      });
      observer.parked(message.subject, reason, result.kind);
      if (result.kind === 'stored') message.ack();
    },
  };
}
