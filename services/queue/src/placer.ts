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
  /** `again`: it may have been carried out before. */
  carryOut(envelope: Envelope, placement: Placement, again?: boolean): Promise<Step>;
}

const mark = { 'Postern-Again': 'queue' };

/** Shorter than AckWait would allow, so that a stall is seen and said. */
const publishDeadlineMs = 20_000;

export interface ItemPublish {
  readonly deadlineMs?: number;
  /** Delivery looks for a done mark first: a server that was started again no longer knows the ids of what it has given away. */
  readonly again?: boolean;
}

export async function publishItem(publisher: Publisher, item: Item, options: ItemPublish = {}): Promise<Step> {
  const { deadlineMs = publishDeadlineMs, again = false } = options;
  const subject = workSubject(item.route?.egressPool ?? 'default', item.queueId);
  const result = await publisher.publish(subject, Item.encode(item).finish(), {
    msgId: item.itemId,
    deadlineMs,
    ...(again ? { headers: mark } : { repeatHeaders: mark }),
  });
  return result.kind === 'stored' ? { done: true } : { done: false, step: 'work', reason: result.reason };
}

/** Puts an inline body into BODIES under the queue id. */
export async function storeBody(bodies: BodyStore, envelope: Envelope): Promise<Step> {
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
    async carryOut(envelope, placement, again = false) {
      if (placement.bodyToStore) {
        const stored = await storeBody(bodies, envelope);
        if (!stored.done) return stored;
      }
      const published = await Promise.all(placement.work.map((item) => publishItem(publisher, item, { again })));
      const failed = published.find((step) => !step.done);
      if (failed !== undefined) return failed;
      failpoint('queue.after-work-publish');
      return { done: true };
    },
  };
}
