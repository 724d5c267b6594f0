/** Metrics and log of what intake places and of what waits for a stream. */
import type { Logger } from '@postern/telemetry';
import type { QueueEvent } from './events.js';
import type { IntakeObserver } from './mail-intake.js';
import type { QueueMetrics } from './metrics.js';
import type { DeliveryRuling } from './rules/rule-observer.js';

export function createIntakeObserver(
  metrics: QueueMetrics,
  log: Logger<QueueEvent>,
  ruling: DeliveryRuling,
): IntakeObserver {
  let stalled = 0;
  return {
    placed(envelope, placement) {
      metrics.accepted.inc();
      if (placement.ruled.length > 0) ruling.applied(envelope.queueId, placement.ruled);
      metrics.items.with({ to: 'work' }).inc(placement.work.length);
      metrics.items.with({ to: 'row' }).inc(placement.waiting);
      if (log.debugging)
        log.debug('queue.message.accepted', {
          queue_id: envelope.queueId,
          session_id: envelope.sessionId,
          items: placement.work.length,
        });
    },
    stalled(step, reason) {
      metrics.stalled.set(++stalled);
      log.warn('queue.intake.stalled', { step, reason });
    },
    unstalled: () => metrics.stalled.set(--stalled),
  };
}
