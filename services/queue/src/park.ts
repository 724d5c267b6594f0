/**
 * Copies a message that cannot be worked on to PARKED, then acknowledges it; an operator decides (design.md, State). Not stored = not acknowledged. Where it
 * can be read its recipients' trace says so; that may be lost and holds nothing up.
 */
import type { Clock } from '@postern/clock';
import { TraceBatch } from '@postern/proto/mail/v1/trace';
import { type Delivery, type Publisher, parkedSubject, traceSubject } from '@postern/stream';
import type { Logger } from '@postern/telemetry';
import type { QueueEvent } from './events.js';
import type { QueueMetrics } from './metrics.js';
import { contentOf, unitsOf } from './parked/message.js';

export type Park = (message: Delivery, reason: string) => Promise<void>;

const traceDeadlineMs = 2_000;
/** Of one message; stays far below the limit of a NATS message. */
const mostTraced = 100;

export function createPark(
  stream: 'spool' | 'outcomes',
  publisher: Publisher,
  clock: Clock,
  log: Logger<QueueEvent>,
  metrics: QueueMetrics,
): Park {
  return async (message, reason) => {
    const { sequence, part = '', storedAtMs } = message;
    // A server that was killed may give a sequence anew: what has it then is another message.
    const msgId = `parked:${stream}:${sequence}.${part}:${storedAtMs}`;
    const result = await publisher.publish(parkedSubject(stream), message.data, {
      msgId,
      headers: { 'Postern-Reason': reason.replace(/[^\x20-\x7e]/g, ' '), 'Postern-Subject': message.subject },
    });
    log.error('queue.message.parked', { stream, sequence, reason, stored: result.kind });
    if (result.kind !== 'stored') return;
    metrics.parked.with({ stream }).inc();
    message.ack();
    const batch = traceOf(stream, message.data, reason, clock.now());
    if (batch.events.length === 0) return;
    const options = { msgId: `trace:${msgId}`, deadlineMs: traceDeadlineMs };
    await publisher.publish(traceSubject('queue'), TraceBatch.encode(batch).finish(), options);
  };
}

function traceOf(stream: string, data: Uint8Array, reason: string, atMs: number): TraceBatch {
  const content = contentOf(stream, data);
  const { sessionId, reversePath } =
    content.kind === 'envelope' ? content.envelope : { sessionId: '', reversePath: '' };
  const units = unitsOf(content).filter(({ queueId, tenant }) => queueId !== '' && tenant !== '');
  const event = { atMs, event: 'queue.message.parked', sessionId, reversePath, reply: '', detail: { stream, reason } };
  return { events: units.slice(0, mostTraced).map((unit) => ({ ...event, ...unit })) };
}
