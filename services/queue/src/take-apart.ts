/**
 * A batch of SPOOL that keeps coming back is put back as its single envelopes: one of them may be what ends the process that works on it, and only that one
 * shall be parked at the end. Order: every envelope is stored again, marked `Postern-Again`, then the batch is acknowledged; a crash in between repeats it
 * under the same Msg-Ids.
 */
import { type Delivery, type Publisher, spooledEnvelopes } from '@postern/stream';

/** What is to be worked on; undefined = it was put back in parts, or is left for redelivery. */
export type TakeApart = (message: Delivery) => Promise<Delivery | undefined>;

/** Deliveries of a batch that are tried whole. */
const wholeDeliveries = 2;
const publishDeadlineMs = 5_000;
/** SPOOL may be full: others make room meanwhile. */
const againAfterMs = 2_000;

export function createTakeApart(publisher: Publisher): TakeApart {
  return async (message) => {
    if (message.deliveryCount <= wholeDeliveries) return message;
    const envelopes = spooledEnvelopes(message);
    if (envelopes.length === 1) return message;
    const results = await Promise.all(
      envelopes.map((data, part) =>
        publisher.publish(message.subject, data, {
          msgId: `apart:${message.sequence}.${part}:${message.storedAtMs}`,
          deadlineMs: publishDeadlineMs,
          headers: { 'Postern-Again': 'apart' },
        }),
      ),
    );
    if (results.every(({ kind }) => kind === 'stored')) message.ack();
    else message.nak(againAfterMs);
    return undefined;
  };
}
