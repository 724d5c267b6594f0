/**
 * Items of WORK from receipt to acknowledgement (design.md, step 7): decode, look for a done mark, find hosts, try them, record the outcome,
 * acknowledge. Items of one message (ADR 14) are worked on side by side, each for itself. Invariants: the item is acknowledged only after its outcome is
 * stored; before a deferral or bounce is recorded the body is in BODIES; a stale renewal stops before the final dot. Whatever fails locally leaves the item
 * unacknowledged: it comes again.
 */
import type { BodyStore } from '@postern/body-store';
import type { Clock } from '@postern/clock';
import { failpoint } from '@postern/lifecycle';
import { Item } from '@postern/proto/mail/v1/item';
import type { Outcome } from '@postern/proto/mail/v1/outcome';
import { type Delivery, maxDeliveries, workParts } from '@postern/stream';
import type { DoneMarks } from './done-marks.js';
import type { HopFinder } from './hops.js';
import type { WorkerObserver } from './observer.js';
import type { OutcomeBatcher } from './outcome-batcher.js';
import { needsBody, outcomesOf } from './outcomes-of.js';
import type { Park } from './park.js';
import { readItem } from './read-item.js';
import type { Renderer } from './render.js';
import type { Lease, Renewals } from './renewals.js';
import type { TakeApart } from './take-apart.js';
import type { AttemptResult, Hop, RecipientAnswer, Transport } from './transport.js';

export interface WorkerParts {
  readonly clock: Clock;
  readonly bodies: BodyStore;
  readonly done: DoneMarks;
  readonly hops: HopFinder;
  readonly outcomes: OutcomeBatcher;
  readonly park: Park;
  readonly renderer: Renderer;
  readonly renewals: Renewals;
  readonly takeApart: TakeApart;
  /** What was stored then may have been handed out although the server does not say so. */
  readonly isInDoubt: (storedAtMs: number) => boolean;
  readonly transport: Transport;
  readonly observer: WorkerObserver;
}

const allRecipients = (item: Item, answer: Omit<RecipientAnswer, 'address'>): RecipientAnswer[] =>
  item.recipients.map(({ address }) => ({ address, ...answer }));

type Tried =
  | {
      readonly kind: 'done';
      readonly answers: readonly RecipientAnswer[];
      readonly hop: Hop | undefined;
      readonly tlsVersion: string;
    }
  | { readonly kind: 'fenced' };

export function createWorker(parts: WorkerParts) {
  const { clock, observer } = parts;

  async function tryHops(item: Item, lease: Lease): Promise<Tried> {
    const found = await parts.hops.find(item);
    const without = (disposition: 'temporary' | 'permanent', code: number, enhanced: string, text: string): Tried => ({
      kind: 'done',
      answers: allRecipients(item, { disposition, code, enhanced, text, maybeDelivered: false }),
      hop: undefined,
      tlsVersion: '',
    });
    if (found.kind === 'temporary') return without('temporary', 451, found.enhanced, found.text);
    if (found.kind === 'none') return without('permanent', found.code, found.enhanced, found.text);
    const prepared = await parts.renderer.prepare(item);
    if (prepared.kind === 'later') return without('temporary', 451, '4.3.0', prepared.reason);
    let last: (AttemptResult & { kind: 'unreachable' }) | undefined;
    for (const hop of found.hops) {
      const result = await parts.transport.attempt(hop, {
        item,
        open: prepared.open,
        mayFinish: () => lease.isFresh(),
      });
      if (result.kind === 'fenced') return result;
      if (result.kind === 'answered')
        return { kind: 'done', answers: result.answers, hop, tlsVersion: result.tlsVersion };
      last = result;
      if (!lease.isFresh()) return { kind: 'fenced' };
    }
    return without('temporary', last?.code ?? 0, last?.enhanced ?? '4.4.1', last?.text ?? 'no host to try');
  }

  /** The item as it is kept: its body by reference, put into BODIES first when it was inline. */
  async function keep(item: Item): Promise<Item> {
    const place = item.body?.place;
    if (place?.$case !== 'inline') return item;
    failpoint('delivery.before-body-put');
    const kept: Item = { ...item, body: { place: { $case: 'bodyId', value: item.queueId } } };
    const envelope = Item.encode({ ...kept, attempt: 0 }).finish();
    await parts.bodies.put(item.queueId, place.value, envelope);
    failpoint('delivery.after-body-put');
    return kept;
  }

  async function record(message: Delivery, item: Item, outcomes: readonly Outcome[], markDone: boolean): Promise<void> {
    const marked = markDone ? parts.done.set(item.itemId, outcomes) : Promise.resolve();
    const [stored] = await Promise.all([parts.outcomes.add(outcomes), marked]);
    if (stored.kind !== 'stored') {
      observer.outcomeNotStored(item, stored.reason);
      return;
    }
    failpoint('delivery.before-ack');
    message.ack();
  }

  async function handleItem(message: Delivery, lease: Lease): Promise<void> {
    const read = readItem(message.data);
    if (!read.ok) return parts.park.park(message, read.reason);
    const { item } = read;
    const startedAt = clock.monotonic();
    try {
      // An item that queue had to publish again may have been delivered under its first sequence.
      const isKnown = message.deliveryCount > 1 || message.header('Postern-Again') !== '';
      const earlier = isKnown || parts.isInDoubt(message.storedAtMs) ? await parts.done.get(item.itemId) : 'none';
      // Never parked, however often it comes: it waits for room for its outcome, and who released it would send it twice.
      if (typeof earlier === 'object') return await record(message, item, earlier, false);
      // One of several is put back by itself instead: they are not parked for what one of them does.
      if (message.deliveryCount > maxDeliveries && message.part === undefined)
        return await parts.park.park(message, `${maxDeliveries} redeliveries`, item);
      if (earlier === 'unknown') observer.mayRepeat(item);
      const tried = await tryHops(item, lease);
      if (tried.kind === 'fenced') return observer.fenced(item);
      failpoint('delivery.after-attempt');
      const kept = needsBody(tried.answers, item) ? await keep(item) : item;
      const by = { host: tried.hop?.host ?? '', address: tried.hop?.address ?? '', tlsVersion: tried.tlsVersion };
      const outcomes = outcomesOf(item, kept, tried.answers, by, clock.now());
      observer.attempted(item, outcomes, clock.monotonic() - startedAt);
      await record(message, item, outcomes, true);
    } catch (error) {
      observer.failed(item, error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** `settled` is called once for each item that is no longer in work; those left, when it ends, are none either. */
  async function handle(message: Delivery, settled: () => void = () => undefined): Promise<void> {
    const lease = parts.renewals.hold(message);
    try {
      const items = await parts.takeApart.apart(message, workParts(message));
      const ended = await Promise.allSettled(items.map((item) => handleItem(item, lease).finally(settled)));
      for (const end of ended) if (end.status === 'rejected') throw end.reason;
    } finally {
      lease.release();
    }
  }

  return { handle };
}
