/** Log and trace events of the delivery service. The names are also those of message trace. */
import { defineEvents } from '@postern/telemetry';

export const deliveryEvents = defineEvents('delivery', {
  'delivery.attempt.delivered': 'The next hop took the message for these recipients.',
  'delivery.attempt.deferred':
    'The next hop, the network or a local fault said not now; queue schedules the next attempt.',
  'delivery.attempt.bounced': 'The next hop refused for good; a DSN follows where one may be sent.',
  'delivery.attempt.fenced': 'The renewal of the item was stale: stopped before the final dot, another worker has it.',
  'delivery.item.failed': 'A local fault while working on an item; it is not acknowledged and comes again.',
  'delivery.item.parked':
    'An item that cannot be worked on was copied to PARKED, when its result is `stored`. Otherwise it stays and comes again.',
  'delivery.batch.apart':
    'A message of several items came a third time and each was put back by itself, but for those that WORK had no room for (`result`), which were worked on together.',
  'delivery.batch.returned':
    'WORK did not answer when the items of a message were to be put back by themselves; the message was given back and comes again.',
  'delivery.outcome.not_stored': 'OUTCOMES did not acknowledge; the item is not acknowledged and comes again.',
  'delivery.consumer.failed': 'Taking from WORK failed; the loop goes on with back-off.',
  'delivery.redis.failed': 'A done mark could not be set or read; a redelivered item may be delivered twice.',
  'delivery.stream.changed': 'The connection to NATS changed state.',
  'delivery.snapshot.applied': 'A new snapshot is in use.',
  'delivery.snapshot.refused': 'A snapshot needs a newer reader or cannot be read; the old one stays.',
});
