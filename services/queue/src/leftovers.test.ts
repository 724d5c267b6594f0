import { systemClock } from '@postern/clock';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import { OutcomeKind } from '@postern/proto/mail/v1/outcome';
import {
  createLeftoverReader,
  type Delivery,
  type LeftoverReader,
  spoolMessage,
  spoolSubject,
  workSubject,
} from '@postern/stream';
import { expect, test } from 'vitest';
import { createLeftoverRound, type LeftoverParts } from './leftovers.js';
import { withQueue } from './testing/ground.js';
import { answer, envelope, newQueueId } from './testing/messages.js';

const queue = withQueue({ settings: { outcomeLinger: '5ms' } });
const inAMinute = { now: () => systemClock.now() + 60_000 };

/** The real reader over a server that believes everything acknowledged, as after the kill this is for. */
async function forgetfulServer(): Promise<LeftoverReader> {
  const reader = await createLeftoverReader(queue.ground.connection);
  return { ...reader, acknowledgedUpTo: () => Promise.resolve(Number.POSITIVE_INFINITY) };
}

function parts(reader: LeftoverReader, found: unknown[], intake: Delivery[] = []): Omit<LeftoverParts, 'clock'> {
  const { database, publisher } = queue.ground;
  return {
    database,
    publisher,
    reader,
    intake: async (batch) => {
      intake.push(...batch);
    },
    outcomes: () => Promise.resolve(),
    onLeftover: (...what) => found.push(what),
  };
}

/** An egress pool without a consumer keeps its messages: what a consumer ahead of its stream leaves. */
async function leaveInWork(item: Item): Promise<void> {
  const data = Item.encode(item).finish();
  const stored = await queue.ground.publisher.publish(workSubject('ghost', item.queueId), data, {
    msgId: item.queueId,
  });
  expect(stored.kind).toBe('stored');
}

test('an item with an outcome is removed, one without is published again, and nothing is touched while it may be in work', async () => {
  const { ground } = queue;
  const message = envelope(['bob@acme.test']);
  await ground.spool(message);
  const [item] = await ground.until(
    () => ground.work.filter(({ queueId }) => queueId === message.queueId),
    ({ length }) => length === 1,
  );
  if (item === undefined) throw new Error('no item');
  await ground.outcomes(answer(item, OutcomeKind.DELIVERED));
  await ground.until(
    async () =>
      (await ground.admin.query('SELECT state FROM mail.recipients WHERE queue_id = $1', [message.queueId])).rows,
    ([unit]) => unit?.state === 'delivered',
  );
  const honest = await createLeftoverReader(ground.connection);
  for (const stream of ['SPOOL', 'OUTCOMES'] as const) {
    await ground.until(
      () => honest.oldest(stream, Number.POSITIVE_INFINITY, 10),
      ({ length }) => length === 0,
    );
  }
  const unknown = newQueueId();
  await leaveInWork(item);
  await leaveInWork({ ...item, queueId: unknown });
  const reader = await forgetfulServer();
  const found: unknown[] = [];
  await createLeftoverRound({ ...parts(reader, found), clock: systemClock })();
  expect(found).toEqual([]);
  await createLeftoverRound({ ...parts(honest, found), clock: inAMinute })();
  expect(found).toEqual([]);
  const before = await reader.oldest('WORK', Number.POSITIVE_INFINITY, 10);
  await createLeftoverRound({ ...parts(reader, found), clock: inAMinute })();
  expect(found).toEqual([
    ['WORK', 'removed', 1],
    ['WORK', 'worked', 1],
  ]);
  const after = await reader.oldest('WORK', Number.POSITIVE_INFINITY, 10);
  expect(after.map(({ data }) => Item.decode(data).queueId)).toEqual([unknown]);
  expect(after[0]?.sequence).toBeGreaterThan(before.at(-1)?.sequence ?? 0);
});

test('an envelope the tables do not know goes through intake, a known one does not', async () => {
  const { ground } = queue;
  const known = envelope(['carol@acme.test']);
  await ground.spool(known);
  await ground.until(
    async () => (await ground.admin.query('SELECT 1 FROM mail.recipients WHERE queue_id = $1', [known.queueId])).rows,
    ({ length }) => length === 1,
  );
  const skipped = envelope(['dave@acme.test']);
  const stored = [known, skipped].map((message, index) => ({
    sequence: 1_000 + index,
    subject: spoolSubject(message.queueId),
    data: Envelope.encode(message).finish(),
    storedAtMs: 0,
    header: () => '',
  }));
  const removed: number[] = [];
  const reader: LeftoverReader = {
    oldest: (stream) => Promise.resolve(stream === 'SPOOL' ? stored : []),
    at: () => Promise.resolve(undefined),
    remove: (_stream, sequence) => Promise.resolve(void removed.push(sequence)),
    acknowledgedUpTo: () => Promise.resolve(1_001),
  };
  const intake: Delivery[] = [];
  await createLeftoverRound({ ...parts(reader, [], intake), clock: systemClock })();
  expect(removed).toEqual([1_000]);
  expect(intake.map(({ data }) => Envelope.decode(data).queueId)).toEqual([skipped.queueId]);
  intake[0]?.ack();
  expect(removed).toEqual([1_000, 1_001]);
});

test('a batch is gone when the tables know every envelope of it, and goes through intake whole when they do not', async () => {
  const { ground } = queue;
  const known = [envelope(['carol@acme.test']), envelope(['dave@acme.test'])] as const;
  for (const message of known) await ground.spool(message);
  await ground.until(
    async () =>
      (
        await ground.admin.query('SELECT 1 FROM mail.recipients WHERE queue_id = ANY ($1)', [
          known.map(({ queueId }) => queueId),
        ])
      ).rows,
    ({ length }) => length === 2,
  );
  const batch = (sequence: number, first: Envelope, second: Envelope) => {
    const { data, headers } = spoolMessage([Envelope.encode(first).finish(), Envelope.encode(second).finish()]);
    const header = (name: string): string => headers[name] ?? '';
    return { sequence, subject: spoolSubject(first.queueId), data, storedAtMs: 0, header };
  };
  const stored = [batch(2_000, ...known), batch(2_001, known[0], envelope(['erin@acme.test']))];
  const removed: number[] = [];
  const reader: LeftoverReader = {
    oldest: (stream) => Promise.resolve(stream === 'SPOOL' ? stored : []),
    at: () => Promise.resolve(undefined),
    remove: (_stream, sequence) => Promise.resolve(void removed.push(sequence)),
    acknowledgedUpTo: () => Promise.resolve(2_001),
  };
  const intake: Delivery[] = [];
  await createLeftoverRound({ ...parts(reader, [], intake), clock: systemClock })();
  expect(removed).toEqual([2_000]);
  expect(intake.map(({ sequence, data }) => [sequence, data])).toEqual([[2_001, stored[1]?.data]]);
});
