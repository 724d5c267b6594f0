/** Metrics and log of messages of SPOOL with several mails that came back, and of what is put back by itself (ADR 14). At rest nothing of it happens. */
import { type Delivery, saidParts } from '@postern/stream';
import type { Logger } from '@postern/telemetry';
import type { QueueEvent } from './events.js';
import type { QueueMetrics } from './metrics.js';

/** WORK keeps the message itself; or it had taken the items of its mails before. */
export type LeftFate = 'left' | 'placed';

/**
 * Each mail of what was left is in SPOOL by itself; SPOOL had no room and they are worked on as they are; or it did not answer for one, so that the message was
 * given back. `part`: one mail of a batch that waited for room.
 */
export type ApartResult = 'whole' | 'no_room' | 'no_answer' | 'part';

export interface BatchObserver {
  left(message: Delivery, fate: LeftFate): void;
  apart(message: Delivery, result: ApartResult): void;
}

export function createBatchObserver(metrics: QueueMetrics, log: Logger<QueueEvent>): BatchObserver {
  const seen = (message: Delivery) => ({
    subject: message.subject,
    sequence: message.sequence,
    mails: saidParts(message),
    deliveries: message.deliveryCount,
    ...(message.part === undefined ? {} : { part: message.part }),
  });
  return {
    left(message, fate) {
      metrics.batchesLeft.with({ fate }).inc();
      log.warn('queue.batch.left', { ...seen(message), fate });
    },
    apart(message, result) {
      metrics.batchesApart.with({ result }).inc();
      if (result === 'no_answer') log.warn('queue.batch.returned', seen(message));
      else log.warn('queue.batch.apart', { ...seen(message), result });
    },
  };
}
