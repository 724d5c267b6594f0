/** What of WORK JetStream will never deliver although it is there, where one message holds several items or is a batch of SPOOL that was left. */
import { systemClock } from '@postern/clock';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import { OutcomeKind } from '@postern/proto/mail/v1/outcome';
import {
  type BatchMessage,
  backConsumer,
  backSubject,
  type LeftoverReader,
  type PublishOptions,
  type PublishResult,
  type StoredMessage,
  spoolMessage,
  workConsumer,
  workItems,
  workMessage,
} from '@postern/stream';
import { expect, test } from 'vitest';
import { createLeftoverRound } from './leftovers.js';
import { withQueue } from './testing/ground.js';
import { answer, envelope, newQueueId } from './testing/messages.js';

const queue = withQueue({ settings: { outcomeLinger: '5ms' } });

const storedAs = (sequence: number, subject: string, { data, headers }: BatchMessage): StoredMessage => ({
  ...{ sequence, subject, data, storedAtMs: 5 },
  header: (name) => headers[name] ?? '',
});

interface Published extends PublishOptions {
  readonly subject: string;
  readonly data: Uint8Array;
}

/** A round over these messages of WORK, each below what its consumer believes acknowledged, or not. */
async function round(
  messages: readonly StoredMessage[],
  floors: Readonly<Record<string, number>>,
  result?: PublishResult,
) {
  const removed: number[] = [];
  const published: Published[] = [];
  const found: unknown[] = [];
  const reader: LeftoverReader = {
    oldest: (stream) => Promise.resolve(stream === 'WORK' ? [...messages] : []),
    at: () => Promise.resolve(undefined),
    remove: (_stream, sequence) => Promise.resolve(void removed.push(sequence)),
    acknowledgedUpTo: (_stream, durable) => Promise.resolve(floors[durable] ?? 0),
  };
  await createLeftoverRound({
    clock: systemClock,
    database: queue.ground.database,
    reader,
    publisher: {
      publish(subject, data, options) {
        published.push({ subject, data, ...options });
        return Promise.resolve(result ?? { kind: 'stored', sequence: 1, duplicate: false });
      },
    },
    intake: () => Promise.reject(new Error('nothing of SPOOL')),
    outcomes: () => Promise.reject(new Error('no outcomes')),
    onLeftover: (...what) => found.push(what),
  })();
  return { removed, published, found };
}

/** Items of mails that were delivered, as the tables say. */
async function deliveredItems(count: number): Promise<Item[]> {
  const { ground } = queue;
  const mails = Array.from({ length: count }, () => envelope(['bob@acme.test']));
  const ids = mails.map(({ queueId }) => queueId);
  for (const mail of mails) await ground.spool(mail);
  const items = await ground.until(
    () => ground.work.filter(({ queueId }) => ids.includes(queueId)),
    ({ length }) => length === count,
  );
  await ground.outcomes(...items.map((item) => answer(item, OutcomeKind.DELIVERED)));
  await ground.until(
    async () => {
      const text = "SELECT 1 FROM mail.recipients WHERE queue_id = ANY ($1) AND state = 'delivered'";
      return (await ground.admin.query(text, [ids])).rows;
    },
    ({ length }) => length === count,
  );
  return items;
}

function batchOf(...items: readonly Uint8Array[]): BatchMessage {
  const message = workMessage(items);
  if (message === undefined) throw new Error('too large');
  return message;
}

const bytesOf = (item: Item): Uint8Array => Item.encode(item).finish();
const subject = 'work.default.1';
const all = Number.POSITIVE_INFINITY;
const believed = { [workConsumer('default').durable]: all, [backConsumer.durable]: all };

test('a batch is gone when every item has its outcome, and is published again as a batch when one has none', async () => {
  const [first, second] = await deliveredItems(2);
  if (first === undefined || second === undefined) throw new Error('no items');
  const [one, two] = [bytesOf(first), bytesOf(second)];
  const open = batchOf(one, bytesOf({ ...second, queueId: newQueueId() }));
  const later = batchOf(one, bytesOf({ ...second, attempt: second.attempt + 1 }));
  const unreadable = batchOf(one, Buffer.from([0x0a, 0xff]));
  const { removed, published, found } = await round(
    [batchOf(one, two), open, later, unreadable].map((message, index) => storedAs(10 + index, subject, message)),
    believed,
  );
  expect(found).toEqual([
    // Delivered is delivered, whatever attempt of it is there.
    ['WORK', 'removed', 2],
    ['WORK', 'worked', 2],
  ]);
  expect(published.map(({ msgId, headers, data }) => [msgId, headers, data])).toEqual(
    [open, unreadable].map(({ data }, index) => [
      `again:${[11, 13][index]}:5`,
      { 'Postern-Again': '1', 'Postern-Batch': '2' },
      data,
    ]),
  );
  expect(published[0] === undefined ? [] : workItems({ ...published[0], header: () => '2' })).toHaveLength(2);
  expect(removed.sort()).toEqual([10, 11, 12, 13]);
});

test('what was left is published again where it was, whatever the tables know of it', async () => {
  const [item] = await deliveredItems(1);
  const known = Envelope.encode(envelope(['bob@acme.test'], { queueId: item?.queueId ?? '' })).finish();
  const left = spoolMessage([known, known]);
  // Read as items these have no recipient that anything could be missing of.
  const nameOnly = Envelope.encode(Envelope.fromPartial({ queueId: 'Q1' })).finish();
  const bare = spoolMessage([nameOnly, nameOnly]);
  const back = backSubject('spool.5');
  const messages = [storedAs(20, back, left), storedAs(21, back, bare), storedAs(22, 'work.default.5', left)];
  // Only the consumer it is for says whether it will be delivered.
  expect(await round(messages, { [backConsumer.durable]: 19, [workConsumer('default').durable]: 21 })).toEqual({
    ...{ removed: [], published: [], found: [] },
  });
  const { removed, published, found } = await round(messages, { [backConsumer.durable]: 21 });
  expect(found).toEqual([['WORK', 'worked', 2]]);
  const headers = { 'Postern-Again': '1', 'Postern-Batch': '2' };
  expect(published).toEqual([
    { subject: 'work.~back.5', data: left.data, msgId: 'again:20:5', headers },
    { subject: 'work.~back.5', data: bare.data, msgId: 'again:21:5', headers },
  ]);
  expect(removed).toEqual([20, 21]);
});

test.each(['refused', 'unknown'] as const)('what WORK does not take again (%s) is not removed', async (kind) => {
  const bytes = Envelope.encode(envelope(['bob@acme.test'])).finish();
  const messages = [
    storedAs(30, backSubject('spool.5'), spoolMessage([bytes, bytes])),
    storedAs(
      31,
      subject,
      batchOf(bytesOf(Item.fromPartial({ queueId: newQueueId(), recipients: [{ address: 'a@b' }] }))),
    ),
  ];
  const { removed, published } = await round(messages, believed, { kind, reason: 'maximum bytes exceeded' });
  expect(published.map(({ msgId }) => msgId)).toEqual(['again:30:5', 'again:31:5']);
  expect(removed).toEqual([]);
});
