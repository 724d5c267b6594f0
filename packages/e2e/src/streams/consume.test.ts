/** How much a consumer takes at once, where messages count for different amounts, and what stopping it waits for. */
import { systemClock } from '@postern/clock';
import {
  type Consumption,
  connectStreams,
  consume,
  createPublisher,
  ensureStreams,
  type StreamConnection,
  saidParts,
  workConsumer,
  workMessage,
} from '@postern/stream';
import { withNats } from '@postern/testkit';
import { expect, test, vi } from 'vitest';

const nats = withNats();
const patience = { timeout: 10_000, interval: 10 };
const maxInFlight = 10;

interface Held {
  readonly weight: number;
  readonly settle: (weight: number) => void;
  readonly letGo: () => void;
}

/** Messages of so many items each, and a handler that has each until it is told to let go. */
async function stage(pool: string, sizes: readonly number[]) {
  const connection = await connectStreams({ servers: [nats.url], user: 'delivery', password: '' });
  await ensureStreams(connection, { replicas: 1, egressPools: [pool] });
  const publisher = createPublisher(connection, systemClock);
  for (const [index, size] of sizes.entries()) {
    const message = workMessage(Array.from({ length: size }, () => Buffer.from('x')));
    if (message === undefined) throw new Error('too large');
    const { data, headers } = message;
    const stored = await publisher.publish(`work.${pool}.1`, data, { msgId: `${pool}:${index}`, headers });
    expect(stored.kind).toBe('stored');
  }
  const held: Held[] = [];
  const weights: number[] = [];
  const consumption: Consumption = consume(
    connection,
    systemClock,
    workConsumer(pool),
    { maxInFlight, maxBatch: 1, weigh: saidParts, onError: (error) => expect.unreachable(error.message) },
    async ([message], settle) => {
      if (message === undefined) return;
      weights.push(consumption.inFlight());
      const { promise, resolve } = Promise.withResolvers<void>();
      held.push({ weight: saidParts(message), settle, letGo: resolve });
      await promise;
      message.ack();
    },
  );
  const letGo = (): void => {
    for (const { letGo: end } of held.splice(0)) end();
  };
  return { connection, consumption, held, weights, letGo };
}

const outAt = async (connection: StreamConnection, pool: string): Promise<number> => {
  const consumer = await connection.jetstream.consumers.get('WORK', workConsumer(pool).durable);
  return (await consumer.info()).num_ack_pending;
};

test('only what can begin at once is taken, and what is settled makes room', async () => {
  const sizes = Array.from({ length: 60 }, (_, index) => (index % 5) + 1);
  const { connection, consumption, held, weights, letGo } = await stage('weigh', sizes);
  await vi.waitFor(() => expect(consumption.inFlight()).toBeGreaterThanOrEqual(maxInFlight), patience);
  await systemClock.sleep(200);
  const begun = weights.length;
  expect(await outAt(connection, 'weigh')).toBe(begun);
  expect(begun).toBeLessThan(sizes.length);
  // All but one item of each message is done: others begin, though no message has ended.
  for (const { settle, weight } of held) settle(weight - 1);
  await vi.waitFor(() => expect(weights.length).toBeGreaterThan(begun), patience);
  expect(await outAt(connection, 'weigh')).toBe(weights.length);
  await vi.waitFor(() => {
    letGo();
    expect(weights).toHaveLength(sizes.length);
  }, patience);
  letGo();
  await consumption.stop();
  expect(consumption.inFlight()).toBe(0);
  await connection.close();
});

test('stopping waits for what is in work', async () => {
  const { connection, consumption, held } = await stage('drain', [20]);
  await vi.waitFor(() => expect(held).toHaveLength(1), patience);
  let isStopped = false;
  const stopped = consumption.stop().then(() => {
    isStopped = true;
  });
  await systemClock.sleep(200);
  expect({ isStopped, inFlight: consumption.inFlight() }).toEqual({ isStopped: false, inFlight: 20 });
  held[0]?.letGo();
  await stopped;
  expect(consumption.inFlight()).toBe(0);
  await connection.close();
});

test('a server that was killed while a request was open is not asked for more than there is room for', async () => {
  const learning = 120;
  const { connection, consumption, weights, letGo } = await stage(
    'killed',
    Array.from({ length: learning }, () => 1),
  );
  await vi.waitFor(() => {
    letGo();
    expect([weights.length, consumption.inFlight()]).toEqual([learning, 0]);
  }, patience);
  const publisher = createPublisher(connection, systemClock);
  let published = 0;
  const publish = async (count: number): Promise<void> => {
    for (const end = published + count; published < end; published++) {
      const { kind } = await publisher.publish('work.killed.1', Buffer.from('x'), {
        msgId: `killed:more:${published}`,
      });
      expect(kind).toBe('stored');
    }
  };
  await publish(6);
  await vi.waitFor(() => expect(consumption.inFlight()).toBe(6), patience);
  let metAgain = 0;
  connection.onMetAgain(() => metAgain++);
  await nats.stop('SIGKILL');
  await nats.restart();
  await vi.waitFor(() => expect(metAgain).toBeGreaterThan(0), patience);
  await publish(60);
  await vi.waitFor(() => expect(consumption.inFlight()).toBeGreaterThanOrEqual(maxInFlight), patience);
  await systemClock.sleep(500);
  expect(consumption.inFlight()).toBe(maxInFlight);
  const stopped = consumption.stop();
  await vi.waitFor(() => {
    letGo();
    expect(consumption.inFlight()).toBe(0);
  }, patience);
  await stopped;
  await connection.close();
});
