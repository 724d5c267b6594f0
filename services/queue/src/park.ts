/** Copies a message that cannot be worked on to PARKED, then acknowledges it; an operator decides (design.md, State). Not stored = not acknowledged. */
import { type Delivery, type Publisher, parkedSubject } from '@postern/stream';
import type { Logger } from '@postern/telemetry';
import type { QueueEvent } from './events.js';
import type { QueueMetrics } from './metrics.js';

export type Park = (message: Delivery, reason: string) => Promise<void>;

export function createPark(
  stream: 'spool' | 'outcomes',
  publisher: Publisher,
  log: Logger<QueueEvent>,
  metrics: QueueMetrics,
): Park {
  return async (message, reason) => {
    const result = await publisher.publish(parkedSubject(stream), message.data, {
      msgId: `parked:${stream}:${message.sequence}`,
      headers: { 'Postern-Reason': reason.replace(/[^\x20-\x7e]/g, ' '), 'Postern-Subject': message.subject },
    });
    log.error('queue.message.parked', { stream, sequence: message.sequence, reason, stored: result.kind });
    if (result.kind !== 'stored') return;
    metrics.parked.with({ stream }).inc();
    message.ack();
  };
}
