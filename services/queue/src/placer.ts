/**
 * Carries out a placement: the body into BODIES where it must be there, then the items into WORK. Every step is idempotent by id, so a placement
 * that failed half way is simply carried out again. Does not record outcomes and acknowledges nothing.
 */
import { BodyRefused, type BodyStore } from '@postern/body-store';
import { failpoint } from '@postern/lifecycle';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import { type Publisher, workSubject } from '@postern/stream';
import type { Placement } from './placement.js';

export type Step = { readonly done: true } | { readonly done: false; readonly step: string; readonly reason: string };

export interface Placer {
  carryOut(envelope: Envelope, placement: Placement): Promise<Step>;
}

/** Shorter than AckWait would allow, so that a stall is seen and said. */
const publishDeadlineMs = 20_000;

export async function publishItem(publisher: Publisher, item: Item, deadlineMs = publishDeadlineMs): Promise<Step> {
  const subject = workSubject(item.route?.egressPool ?? 'default', item.queueId);
  const result = await publisher.publish(subject, Item.encode(item).finish(), { msgId: item.itemId, deadlineMs });
  return result.kind === 'stored' ? { done: true } : { done: false, step: 'work', reason: result.reason };
}

async function storeBody(bodies: BodyStore, envelope: Envelope): Promise<Step> {
  const place = envelope.body?.place;
  if (place?.$case !== 'inline') return { done: true };
  try {
    await bodies.put(envelope.queueId, place.value, Envelope.encode({ ...envelope, body: undefined }).finish());
    failpoint('queue.after-body-put');
    return { done: true };
  } catch (error) {
    if (error instanceof BodyRefused) return { done: false, step: 'body', reason: error.message };
    throw error;
  }
}

export function createPlacer(publisher: Publisher, bodies: BodyStore): Placer {
  return {
    async carryOut(envelope, placement) {
      if (placement.bodyToStore) {
        const stored = await storeBody(bodies, envelope);
        if (!stored.done) return stored;
      }
      const published = await Promise.all(placement.work.map((item) => publishItem(publisher, item)));
      const failed = published.find((step) => !step.done);
      if (failed !== undefined) return failed;
      failpoint('queue.after-work-publish');
      return { done: true };
    },
  };
}
