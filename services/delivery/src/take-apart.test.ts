/** A batch of WORK that keeps coming back is put back as its single items, in a real stream; what WORK has no room for is worked on instead. */
import { systemClock } from '@postern/clock';
import {
  connectStreams,
  consume,
  createLeftoverReader,
  createPublisher,
  type Delivery,
  ensureStreams,
  type Publisher,
  type PublishResult,
  workConsumer,
  workMessage,
  workParts,
} from '@postern/stream';
import { captureTelemetry } from '@postern/telemetry/testing';
import { withNats } from '@postern/testkit';
import { expect, test, vi } from 'vitest';
import { deliveryMetrics } from './metrics.js';
import { createTakeApart } from './take-apart.js';
import { observeWorker } from './telemetry.js';
import { workDelivery } from './testing/worker-stage.js';

const nats = withNats();
const texts = ['one', 'two', 'three'];
const [one, two, three] = [Buffer.from('one'), Buffer.from('two'), Buffer.from('three')];
const textsOf = (parts: readonly { readonly data: Uint8Array }[]): string[] =>
  parts.map(({ data }) => Buffer.from(data).toString());

const unobserved = { apart: () => undefined };

/** A batch in a pool of its own, and whoever takes it. */
async function stage(pool: string, handle: (message: Delivery, publisher: Publisher) => Promise<void>) {
  const connection = await connectStreams({ servers: [nats.url], user: 'delivery', password: '' });
  await ensureStreams(connection, { replicas: 1, egressPools: [pool] });
  const publisher = createPublisher(connection, systemClock);
  const reader = await createLeftoverReader(connection);
  const subject = `work.${pool}.1`;
  const made = workMessage([one, two, three]);
  if (made === undefined) throw new Error('too large');
  await publisher.publish(subject, made.data, { msgId: `batch:${pool}`, headers: made.headers });
  const options = { maxInFlight: 10, maxBatch: 1, onError: (error: Error) => expect.unreachable(error.message) };
  const work = consume(connection, systemClock, workConsumer(pool), options, async (batch) => {
    for (const message of batch) await handle(message, publisher);
  });
  return {
    inStream: async () =>
      (await reader.oldest('WORK', Number.POSITIVE_INFINITY, 20)).filter((message) => message.subject === subject),
    close: async () => {
      await work.stop();
      await connection.close();
    },
  };
}

const isSingle = (message: Delivery): boolean => message.header('Postern-Batch') === '';

test('at the third delivery its items are put back, marked, and it is gone', async () => {
  const tried: number[] = [];
  const singles: Delivery[] = [];
  const { inStream, close } = await stage('apart', async (message, publisher) => {
    if (isSingle(message)) {
      singles.push(message);
      return;
    }
    const rest = await createTakeApart(publisher, unobserved).apart(message, workParts(message));
    tried.push(rest.length);
    if (rest.length > 0) message.nak();
  });
  await vi.waitFor(() => expect(singles).toHaveLength(3), { timeout: 10_000 });
  expect(tried).toEqual([3, 3, 0]);
  expect(singles.map(({ deliveryCount, header }) => [deliveryCount, header('Postern-Again')])).toEqual(
    texts.map(() => [1, 'apart']),
  );
  await vi.waitFor(async () => expect(textsOf(await inStream()).sort()).toEqual([...texts].sort()), {
    timeout: 10_000,
  });
  for (const message of singles) message.ack();
  await vi.waitFor(async () => expect(await inStream()).toEqual([]), { timeout: 10_000 });
  await close();
});

test('a crash between both repeats it under the same ids', async () => {
  const given: number[] = [];
  const { inStream, close } = await stage('crash', async (message, publisher) => {
    if (isSingle(message)) return;
    given.push(message.deliveryCount);
    // The pod that puts them back first is killed before it can acknowledge.
    const killed = message.deliveryCount === 3;
    const acknowledged = killed ? { ...message, ack: () => message.nak() } : message;
    const rest = await createTakeApart(publisher, unobserved).apart(acknowledged, workParts(acknowledged));
    if (rest.length > 0) message.nak();
  });
  await vi.waitFor(() => expect(given).toEqual([1, 2, 3, 4]), { timeout: 10_000 });
  await vi.waitFor(async () => expect(textsOf(await inStream()).sort()).toEqual([...texts].sort()), {
    timeout: 10_000,
  });
  await close();
});

/** WORK that answers so to an item, what it was asked to take, and what is told of it. */
function answering(answer: (text: string) => PublishResult['kind']) {
  const asked: string[] = [];
  const publisher: Publisher = {
    publish: (_subject, data) => {
      const text = Buffer.from(data).toString();
      asked.push(text);
      const kind = answer(text);
      return Promise.resolve(
        kind === 'stored' ? { kind, sequence: 1, duplicate: false } : { kind, reason: 'maximum bytes exceeded' },
      );
    },
  };
  const telemetry = captureTelemetry('delivery');
  const takeApart = createTakeApart(publisher, observeWorker(telemetry.log, deliveryMetrics(telemetry.metrics)));
  const told = async () => ({
    events: telemetry.lines.map(({ event, level, items, deliveries, result }) => [
      ...[event, level, items, deliveries, result],
    ]),
    counted: (await telemetry.metrics.text()).match(/^postern_delivery_batches_apart_total\{.*[1-9]$/gm) ?? [],
  });
  return { asked, takeApart, told };
}

const third = { deliveryCount: 3 };

const countOf = (result: string): string => `postern_delivery_batches_apart_total{result="${result}"} 1`;

test('what was put back is told and counted', async () => {
  const { message, settled } = workDelivery([one, two, three], third);
  const { takeApart, told } = answering(() => 'stored');
  expect(await takeApart.apart(message, workParts(message))).toEqual([]);
  expect(settled).toEqual(['ack']);
  expect(await told()).toEqual({
    events: [['delivery.batch.apart', 'warn', 3, 3, 'put_back']],
    counted: [countOf('put_back')],
  });
});

test('without room in WORK it is worked on whole', async () => {
  const { message, settled } = workDelivery([one, two, three], third);
  const { takeApart, told } = answering(() => 'refused');
  expect(textsOf(await takeApart.apart(message, workParts(message)))).toEqual(texts);
  expect(settled).toEqual([]);
  expect(await told()).toEqual({
    events: [['delivery.batch.apart', 'warn', 3, 3, 'no_room']],
    counted: [countOf('no_room')],
  });
});

test('with room for some of it only the others are worked on here, and it is acknowledged when they are done', async () => {
  const { message, settled } = workDelivery([one, two, three], third);
  const { takeApart, told } = answering((text) => (text === 'two' ? 'refused' : 'stored'));
  const rest = await takeApart.apart(message, workParts(message));
  expect(textsOf(rest)).toEqual(['two']);
  expect((await told()).counted).toEqual([countOf('no_room')]);
  expect(settled).toEqual([]);
  rest[0]?.ack();
  expect(settled).toEqual(['ack']);
});

test('without an answer for one it comes again and nothing of it is worked on', async () => {
  const { message, settled } = workDelivery([one, two, three], third);
  const { takeApart, told } = answering((text) => (text === 'two' ? 'unknown' : 'refused'));
  expect(await takeApart.apart(message, workParts(message))).toEqual([]);
  expect(settled).toEqual(['nak']);
  expect(await told()).toEqual({
    events: [['delivery.batch.returned', 'warn', 3, 3, undefined]],
    counted: [countOf('no_answer')],
  });
});

test('a message of one item is never put back', async () => {
  const { message } = workDelivery([one], { deliveryCount: 5 });
  const { asked, takeApart, told } = answering(() => 'stored');
  expect(await takeApart.apart(message, [message])).toEqual([message]);
  expect(asked).toEqual([]);
  expect(await told()).toEqual({ events: [], counted: [] });
});
