/** What comes back from SPOOL may be in WORK already, and a NATS server that was started again no longer knows its id: delivery is told to look first. */

import { createBodyStore } from '@postern/body-store';
import { systemClock } from '@postern/clock';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import {
  backConsumer,
  connectStreams,
  consume,
  createLeftoverReader,
  createPublisher,
  type Delivery,
  ensureStreams,
  intakeConsumer,
  type StreamConnection,
  spooledEnvelopes,
  spoolMessage,
  spoolSubject,
  workConsumer,
  workItems,
} from '@postern/stream';
import { withNats } from '@postern/testkit';
import { expect, test, vi } from 'vitest';
import { createIntake, type Intake } from './intake.js';
import { createLaneWindows } from './lanes.js';
import type { Park } from './park.js';
import { createPlacer } from './placer.js';
import { compilePolicy } from './policy-in-use.js';
import { createRenewal } from './renewal.js';
import { createLevelReader } from './stream-levels.js';
import { createTakeApart } from './take-apart.js';
import { createTakeOver } from './take-over.js';
import { envelope, testSnapshot } from './testing/messages.js';

const nats = withNats();

/** Intake over real streams, and what arrives in WORK: queue id to mark. */
async function stage(
  onBatch: (intake: Intake, message: Delivery) => Promise<void>,
  park: Park = () => Promise.resolve(),
  hasRoom: (queueId: string) => boolean = () => true,
) {
  const waiting = { count: 0 };
  const recorded: string[] = [];
  const connection = await connectStreams({ servers: [nats.url], user: 'queue', password: '' });
  await ensureStreams(connection, { replicas: 1, egressPools: ['default'] });
  const publisher = createPublisher(connection, systemClock);
  const policy = compilePolicy(testSnapshot());
  const renewal = createRenewal(systemClock);
  const placer = createPlacer(publisher, await createBodyStore(connection, systemClock));
  const intake = createIntake({
    clock: systemClock,
    placer: {
      carryOut: (envelope, placement, again) =>
        hasRoom(envelope.queueId)
          ? placer.carryOut(envelope, placement, again)
          : Promise.resolve({ done: false, step: 'body', reason: 'maximum bytes exceeded' }),
    },
    outcomes: {
      publish(outcomes) {
        recorded.push(...outcomes.map(({ queueId }) => queueId));
        return Promise.resolve({ done: true });
      },
    },
    windows: createLaneWindows({ size: 100, busyAt: 100 }),
    renewal,
    park,
    takeApart: createTakeApart(publisher),
    takeOver: createTakeOver(publisher, await createLeftoverReader(connection)),
    met: { isInDoubt: () => false, isFromBeforeLoss: () => false },
    policy: () => policy,
    relay: () => undefined,
    quarantineKeepMs: 0,
    observer: { placed: () => undefined, stalled: () => waiting.count++, unstalled: () => waiting.count-- },
    partStallsMs: 1_500,
  });
  const options = { maxInFlight: 10, maxBatch: 1, onError: () => undefined };
  const spool = consume(connection, systemClock, intakeConsumer, options, async (batch) => {
    for (const message of batch) await onBatch(intake, message);
  });
  const back = consume(connection, systemClock, backConsumer, options, async (batch) => {
    for (const message of batch) await intake.handleLeft(message);
  });
  let messages = 0;
  const marks = new Map<string, string>();
  const work = consume(connection, systemClock, workConsumer('default'), options, async (batch) => {
    for (const message of batch) {
      messages++;
      for (const data of workItems(message)) marks.set(Item.decode(data).queueId, message.header('Postern-Again'));
      message.ack();
    }
  });
  const close = async (): Promise<void> => {
    renewal.stop();
    await Promise.all([spool.stop(), back.stop(), work.stop()]);
    await connection.close();
  };
  return { connection, publisher, marks, waiting, recorded, close, messages: () => messages };
}

const bytesOf = (message: Envelope): Uint8Array => Envelope.encode(message).finish();

test('an item of a message that was handed out or stored before is marked, one of a new message is not', async () => {
  const again = envelope(['bob@acme.test']);
  const fresh = envelope(['bob@acme.test']);
  const repeated = envelope(['bob@acme.test']);
  const { publisher, marks, close } = await stage(async (intake, message) => {
    const { queueId } = Envelope.decode(message.data);
    // As when the pod that had it was killed.
    if (queueId === again.queueId && message.deliveryCount === 1) message.nak();
    else await intake.handle([message]);
  });
  for (const one of [again, fresh])
    await publisher.publish(spoolSubject(one.queueId), Envelope.encode(one).finish(), { msgId: one.queueId });
  // As the edge does when it has to ask again.
  await publisher.publish(spoolSubject(repeated.queueId), Envelope.encode(repeated).finish(), {
    msgId: repeated.queueId,
    headers: { 'Postern-Again': 'edge' },
  });
  await vi.waitFor(() => expect(marks.size).toBe(3), { timeout: 10_000 });
  expect(marks.get(repeated.queueId)).not.toBe('');
  expect(marks.get(again.queueId)).not.toBe('');
  expect(marks.get(fresh.queueId)).toBe('');
  await close();
});

test('every mail of a batch is placed, one that cannot be read is parked alone, and the batch is gone', async () => {
  const parked: (number | undefined)[] = [];
  const { connection, publisher, marks, close } = await stage(
    (intake, message) => intake.handle([message]),
    async (message) => {
      parked.push(message.part);
      message.ack();
    },
  );
  const [one, two] = [envelope(['bob@acme.test']), envelope(['bob@acme.test'])];
  const { data, headers } = spoolMessage([bytesOf(one), Buffer.from([0x0a, 0xff]), bytesOf(two)]);
  await publisher.publish(spoolSubject(one.queueId), data, { msgId: one.queueId, headers });
  await vi.waitFor(() => expect([...marks.keys()].sort()).toEqual([one.queueId, two.queueId].sort()), {
    timeout: 10_000,
  });
  expect([...marks.values()]).toEqual(['', '']);
  expect(parked).toEqual([1]);
  const levels = await createLevelReader(connection);
  await vi.waitFor(async () => expect((await levels('SPOOL')).messages).toBe(0), { timeout: 10_000 });
  await close();
});

const spoolIsEmpty = async (connection: StreamConnection): Promise<void> => {
  const levels = await createLevelReader(connection);
  await vi.waitFor(async () => expect((await levels('SPOOL')).messages).toBe(0), { timeout: 10_000 });
};

test('mails of one message that make one item each go as one message of WORK', async () => {
  const { connection, publisher, marks, recorded, messages, close } = await stage((intake, message) =>
    intake.handle([message]),
  );
  const [one, two, three] = [envelope(['bob@acme.test']), envelope(['carol@acme.test']), envelope(['bob@acme.test'])];
  const { data, headers } = spoolMessage([bytesOf(one), bytesOf(two), bytesOf(three)]);
  await publisher.publish(spoolSubject(one.queueId), data, { msgId: one.queueId, headers });
  await vi.waitFor(() => expect(marks.size).toBe(3), { timeout: 10_000 });
  await spoolIsEmpty(connection);
  expect([...marks.values()]).toEqual(['', '', '']);
  expect(recorded.sort()).toEqual([one, two, three].map(({ queueId }) => queueId).sort());
  expect(messages()).toBe(1);
  await close();
});

test('a batch that came back before it was placed goes as its single mails, marked', async () => {
  const { connection, publisher, marks, recorded, messages, close } = await stage(async (intake, message) => {
    // As when the pod that had it was killed before it had placed anything.
    if (spooledEnvelopes(message).length > 1 && message.deliveryCount === 1) message.nak();
    else await intake.handle([message]);
  });
  const [one, two] = [envelope(['bob@acme.test']), envelope(['bob@acme.test'])];
  const { data, headers } = spoolMessage([bytesOf(one), bytesOf(two)]);
  await publisher.publish(spoolSubject(one.queueId), data, { msgId: one.queueId, headers });
  await vi.waitFor(() => expect(marks.size).toBe(2), { timeout: 10_000 });
  await spoolIsEmpty(connection);
  expect([...marks.values()]).toEqual(['queue', 'queue']);
  expect(recorded.sort()).toEqual([one, two].map(({ queueId }) => queueId).sort());
  expect(messages()).toBe(2);
  await close();
});

test('a batch that came back after it was placed is not placed again, and what it began is recorded', async () => {
  const { connection, publisher, marks, recorded, messages, close } = await stage(async (intake, message) => {
    // As when the pod that had it was killed after WORK had taken it.
    if (message.deliveryCount === 1) await intake.handle([{ ...message, ack: () => message.nak() }]);
    else await intake.handle([message]);
  });
  const [one, two] = [envelope(['bob@acme.test']), envelope(['bob@acme.test'])];
  const { data, headers } = spoolMessage([bytesOf(one), bytesOf(two)]);
  await publisher.publish(spoolSubject(one.queueId), data, { msgId: one.queueId, headers });
  await vi.waitFor(() => expect(recorded.length).toBe(4), { timeout: 10_000 });
  await spoolIsEmpty(connection);
  expect([...marks.values()]).toEqual(['', '']);
  expect(messages()).toBe(1);
  await close();
});

test('what a batch began is recorded however often it came back while outcomes had no room', async () => {
  const { connection, publisher, recorded, messages, close } = await stage(async (intake, message) => {
    if (message.deliveryCount === 1) {
      await intake.handle([{ ...message, ack: () => undefined }]);
      // As when its pod was stopped before there was room for its outcomes; so were two that had it afterwards.
      recorded.length = 0;
    }
    if (message.deliveryCount < 4) message.nak();
    else await intake.handle([message]);
  });
  const [one, two] = [envelope(['bob@acme.test']), envelope(['bob@acme.test'])];
  const { data, headers } = spoolMessage([bytesOf(one), bytesOf(two)]);
  await publisher.publish(spoolSubject(one.queueId), data, { msgId: one.queueId, headers });
  await spoolIsEmpty(connection);
  expect(recorded.sort()).toEqual([one, two].map(({ queueId }) => queueId).sort());
  expect(messages()).toBe(1);
  await close();
});

test('a pod that places a batch after another has left it places nothing', async () => {
  const { connection, publisher, marks, messages, close } = await stage(async (intake, message) => {
    if (message.deliveryCount === 1) return message.nak();
    await intake.handle([message]);
    // The first pod wakes up with what it was given.
    if (spooledEnvelopes(message).length > 1)
      await intake.handle([{ ...message, deliveryCount: 1, ack: () => undefined }]);
  });
  const [one, two] = [envelope(['bob@acme.test']), envelope(['bob@acme.test'])];
  const { data, headers } = spoolMessage([bytesOf(one), bytesOf(two)]);
  await publisher.publish(spoolSubject(one.queueId), data, { msgId: one.queueId, headers });
  await vi.waitFor(() => expect(marks.size).toBe(2), { timeout: 10_000 });
  await spoolIsEmpty(connection);
  expect(messages()).toBe(2);
  await close();
});

test('one mail of a batch that waits for room keeps no other from being recorded, and is put back by itself', async () => {
  const [one, two] = [envelope(['bob@acme.test']), envelope(['bob@acme.test'])];
  // Fans out: its body goes to BODIES, and nothing of the batch goes together.
  const large = envelope(['bob@acme.test', 'carol@other.test']);
  let room = false;
  const { connection, publisher, marks, waiting, recorded, close } = await stage(
    (intake, message) => intake.handle([message]),
    () => Promise.resolve(),
    (queueId) => room || queueId !== large.queueId,
  );
  const { data, headers } = spoolMessage([bytesOf(large), bytesOf(one), bytesOf(two)]);
  await publisher.publish(spoolSubject(one.queueId), data, { msgId: one.queueId, headers });
  await vi.waitFor(() => expect(new Set(recorded)).toEqual(new Set([one.queueId, two.queueId])), { timeout: 10_000 });
  expect(waiting.count).toBe(1);
  const levels = await createLevelReader(connection);
  // The batch is the first message; what was put back is the second.
  await vi.waitFor(
    async () =>
      expect(await levels('SPOOL')).toMatchObject({ messages: 1, firstSequence: (await levels('SPOOL')).lastSequence }),
    { timeout: 10_000 },
  );
  expect(marks.has(large.queueId)).toBe(false);
  room = true;
  await vi.waitFor(() => expect(marks.get(large.queueId)).toBe('queue'), { timeout: 10_000 });
  await vi.waitFor(async () => expect((await levels('SPOOL')).messages).toBe(0), { timeout: 10_000 });
  expect(waiting.count).toBe(0);
  expect(recorded.filter((queueId) => queueId === one.queueId)).toEqual([one.queueId]);
  expect(recorded).toContain(large.queueId);
  await close();
});
