/** Metrics of the delivery service. Labels are closed sets; never a lane, address or id. */
import type { Metrics } from '@postern/telemetry';

const laneClass = ['local', 'remote', 'smarthost', 'dsn'] as const;
const outcome = ['delivered', 'deferred', 'bounced'] as const;
export type LaneClassLabel = (typeof laneClass)[number];
export type OutcomeLabel = (typeof outcome)[number];

export function deliveryMetrics(metrics: Metrics) {
  return {
    streamDamaged: (read: () => number) =>
      metrics.gauge({
        name: 'postern_delivery_stream_damaged',
        help: '1 while NATS could not write a stream and was not started again since: nothing it acknowledges counts as stored.',
        read,
      }),
    recipients: metrics.counter({
      name: 'postern_delivery_recipients_total',
      help: 'Recipients attempted, by lane class and outcome.',
      labels: { lane_class: laneClass, outcome },
    }),
    attempt: metrics.histogram({
      name: 'postern_delivery_attempt_duration_seconds',
      help: 'From taking an item to its answers, by lane class.',
      labels: { lane_class: laneClass },
    }),
    maybeDelivered: metrics.counter({
      name: 'postern_delivery_duplicates_possible_total',
      help: 'Recipients that may get a message twice: the connection was lost after the final dot, or an item that may have been given out before was sent while Redis did not tell whether it was done.',
    }),
    fenced: metrics.counter({
      name: 'postern_delivery_fenced_total',
      help: 'Attempts stopped before the final dot because the renewal was stale.',
    }),
    failures: metrics.counter({
      name: 'postern_delivery_failures_total',
      help: 'Local faults by kind; the item comes again.',
      labels: { kind: ['item', 'outcome', 'consumer', 'parked', 'redis'] },
    }),
    apart: metrics.counter({
      name: 'postern_delivery_batches_apart_total',
      help: 'Messages of WORK with several items that came a third time: put_back = each item is now a message of its own; no_room = some were worked on here, WORK had no room; no_answer = given back, WORK did not answer.',
      labels: { result: ['put_back', 'no_room', 'no_answer'] },
    }),
    inFlight: (read: () => number) =>
      metrics.gauge({ name: 'postern_delivery_items_in_flight', help: 'Items in work now.', read }),
  };
}

export type DeliveryMetrics = ReturnType<typeof deliveryMetrics>;
