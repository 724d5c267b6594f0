/** What may have been delivered before is looked up, nothing else is: the done mark of an item repeats its outcome, not its delivery. */
import type { BodyStore } from '@postern/body-store';
import { FakeClock } from '@postern/clock';
import { Item, NextHop } from '@postern/proto/mail/v1/item';
import { Outcome, OutcomeKind } from '@postern/proto/mail/v1/outcome';
import { expect, test } from 'vitest';
import { createRenewals } from './renewals.js';
import { createWorker } from './worker.js';

const item = Item.fromPartial({
  itemId: 'Q1:7:1',
  queueId: 'Q1',
  attempt: 1,
  tenant: 'acme',
  route: { lane: 'main', egressPool: 'default' },
  recipients: [{ address: 'ann@acme.test' }],
});
const delivered = Outcome.fromPartial({
  kind: OutcomeKind.DELIVERED,
  queueId: 'Q1',
  tenant: 'acme',
  attempt: 1,
  recipients: [{ address: 'ann@acme.test', replyCode: 250 }],
});

const unused = (): never => {
  throw new Error('not asked for here');
};
const bodies: BodyStore = {
  write: unused,
  put: unused,
  read: unused,
  stat: unused,
  remove: unused,
  removeDropped: unused,
  list: unused,
};
const hop = { host: 'mx.test', address: '192.0.2.1', settings: NextHop.fromPartial({ host: 'mx.test' }) };

async function work(mark: readonly Outcome[] | undefined, deliveryCount: number, again: string) {
  const seen = { looked: 0, attempts: 0, acknowledged: 0 };
  const recorded: Outcome[] = [];
  const clock = new FakeClock();
  const worker = createWorker({
    clock,
    bodies,
    done: {
      set: () => Promise.resolve(),
      get: () => {
        seen.looked++;
        return Promise.resolve(mark);
      },
    },
    hops: { find: () => Promise.resolve({ kind: 'hops', hops: [hop] }) },
    renderer: { prepare: () => Promise.resolve({ kind: 'ready', open: () => ({ size: 0, chunks: [] }) }) },
    renewals: createRenewals(clock),
    park: { park: unused },
    outcomes: {
      flush: () => undefined,
      add: (outcomes) => {
        recorded.push(...outcomes);
        return Promise.resolve({ kind: 'stored', sequence: 1, duplicate: false });
      },
    },
    transport: {
      close: () => Promise.resolve(),
      attempt: (_hop, attempt) => {
        seen.attempts++;
        const answer = {
          disposition: 'accepted',
          code: 250,
          enhanced: '2.0.0',
          text: 'ok',
          maybeDelivered: false,
        } as const;
        const answers = attempt.item.recipients.map(({ address }) => ({ address, ...answer }));
        return Promise.resolve({ kind: 'answered', answers, tlsVersion: '' });
      },
    },
    observer: {
      attempted: () => undefined,
      fenced: unused,
      outcomeNotStored: unused,
      failed: (_item, error) => {
        throw error;
      },
      parked: unused,
    },
  });
  await worker.handle({
    subject: 'work.default.1',
    data: Item.encode(item).finish(),
    sequence: 1,
    deliveryCount,
    pending: 0,
    storedAtMs: 0,
    header: (name) => (name === 'Postern-Again' ? again : ''),
    ack: () => {
      seen.acknowledged++;
    },
    ackConfirmed: () => Promise.resolve(true),
    nak: unused,
    working: () => undefined,
  });
  expect(recorded.map(({ kind }) => kind)).toEqual([OutcomeKind.DELIVERED]);
  return seen;
}

test.each([
  { name: 'new', mark: undefined, deliveryCount: 1, again: '', looked: 0, attempts: 1 },
  { name: 'new, whatever is marked', mark: [delivered], deliveryCount: 1, again: '', looked: 0, attempts: 1 },
  { name: 'given out again, delivered', mark: [delivered], deliveryCount: 2, again: '', looked: 1, attempts: 0 },
  { name: 'in WORK again, delivered', mark: [delivered], deliveryCount: 1, again: 'queue', looked: 1, attempts: 0 },
  { name: 'in WORK again, not delivered', mark: undefined, deliveryCount: 1, again: 'queue', looked: 1, attempts: 1 },
])('an item that is $name', async ({ mark, deliveryCount, again, looked, attempts }) => {
  expect(await work(mark, deliveryCount, again)).toEqual({ looked, attempts, acknowledged: 1 });
});
