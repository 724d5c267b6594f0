/** Turns what the worker tells into log events and metrics. Trace needs nothing here: outcomes are the trace of delivery. */
import { LaneClass } from '@postern/proto/mail/v1/item';
import { OutcomeKind } from '@postern/proto/mail/v1/outcome';
import type { Logger } from '@postern/telemetry';
import type { deliveryEvents } from './events.js';
import type { DeliveryMetrics, LaneClassLabel, OutcomeLabel } from './metrics.js';
import type { WorkerObserver } from './observer.js';

const laneLabels: Partial<Record<LaneClass, LaneClassLabel>> = {
  [LaneClass.LOCAL]: 'local',
  [LaneClass.SMARTHOST]: 'smarthost',
  [LaneClass.DSN]: 'dsn',
};
const outcomeLabels: Partial<Record<OutcomeKind, OutcomeLabel>> = {
  [OutcomeKind.DELIVERED]: 'delivered',
  [OutcomeKind.DEFERRED]: 'deferred',
  [OutcomeKind.BOUNCED]: 'bounced',
};

export type DeliveryLogger = Logger<keyof typeof deliveryEvents & string>;

export function observeWorker(log: DeliveryLogger, metrics: DeliveryMetrics): WorkerObserver {
  return {
    attempted(item, outcomes, durationMs) {
      const lane_class = laneLabels[item.route?.laneClass ?? LaneClass.REMOTE] ?? 'remote';
      metrics.attempt.with({ lane_class }).observe(durationMs / 1000);
      for (const { kind, recipients } of outcomes) {
        const outcome = outcomeLabels[kind] ?? 'deferred';
        metrics.recipients.with({ lane_class, outcome }).inc(recipients.length);
        for (const result of recipients) {
          if (result.maybeDelivered) metrics.maybeDelivered.inc();
          log.info(`delivery.attempt.${outcome}`, {
            queue_id: item.queueId,
            session_id: item.sessionId,
            tenant: item.tenant,
            lane: item.route?.lane ?? '',
            recipient: result.address,
            mx: result.remoteHost,
            reply: result.replyCode,
            enhanced_code: result.enhancedCode,
            text: result.replyText,
            attempt: item.attempt,
            delay_ms: Math.round(durationMs),
          });
        }
      }
    },
    mayRepeat({ recipients }) {
      metrics.maybeDelivered.inc(recipients.length);
    },
    fenced(item) {
      metrics.fenced.inc();
      log.warn('delivery.attempt.fenced', { queue_id: item.queueId, attempt: item.attempt });
    },
    outcomeNotStored(item, reason) {
      metrics.failures.with({ kind: 'outcome' }).inc();
      log.error('delivery.outcome.not_stored', { queue_id: item.queueId, reason });
    },
    failed(item, error) {
      metrics.failures.with({ kind: 'item' }).inc();
      log.error('delivery.item.failed', { queue_id: item.queueId, reason: error.message });
    },
    apart({ subject, sequence, deliveryCount }, items, result) {
      metrics.apart.with({ result }).inc();
      const seen = { subject, sequence, items, deliveries: deliveryCount };
      if (result === 'no_answer') log.warn('delivery.batch.returned', seen);
      else log.warn('delivery.batch.apart', { ...seen, result });
    },
    parked(subject, reason, result) {
      metrics.failures.with({ kind: 'parked' }).inc();
      log.error('delivery.item.parked', { subject, reason, result });
    },
  };
}
