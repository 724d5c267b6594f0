/** After a disk was full, what nats-server acknowledges may be passed over and lost: nothing counts as stored until it was started again. */
import { systemClock } from '@postern/clock';
import { connectStreams, consume, createFillReader, createPublisher, type StreamConnection } from '@postern/stream';
import { withNats, withSmallDisk } from '@postern/testkit';
import { afterEach, expect, test, vi } from 'vitest';

const disk = withSmallDisk(48);
const nats = withNats({ disk, syncAlways: true });
const clock = systemClock;

const connections: StreamConnection[] = [];
afterEach(async () => {
  for (const connection of connections.splice(0)) await connection.close();
});

const told: string[] = [];

async function pod() {
  const connection = await connectStreams({
    servers: [nats.url],
    user: 'queue',
    password: '',
    onState: (_state, detail) => told.push(detail),
  });
  connections.push(connection);
  const publisher = createPublisher(connection, clock);
  const publish = (id: string) =>
    publisher.publish(`spool.${id}`, Buffer.alloc(10_240, 65), { msgId: id, tryMs: 2_000, deadlineMs: 10_000 });
  return { connection, publish, fill: await createFillReader(connection) };
}

test('no place is gone back to', { timeout: 60_000 }, async () => {
  const [first, second] = [await pod(), await pod()];
  const { streams, consumers } = await first.connection.jetstream.jetstreamManager();
  await streams.add({ name: 'SPOOL', subjects: ['spool.>'], retention: 'workqueue', max_bytes: 1 << 30 });
  await consumers.add('SPOOL', { durable_name: 'queue', ack_policy: 'explicit', filter_subject: 'spool.>' });
  const seen: string[] = [];
  const consumption = consume(
    first.connection,
    clock,
    { stream: 'SPOOL', durable: 'queue', filter: 'spool.>', maxAckPending: 100 },
    { maxInFlight: 10, maxBatch: 1, onError: () => {} },
    async (messages) => {
      for (const message of messages) {
        seen.push(message.subject);
        await message.ackConfirmed(2_000);
      }
    },
  );
  for (const id of ['a', 'b', 'c']) expect(await first.publish(id)).toMatchObject({ kind: 'stored' });
  await vi.waitFor(() => expect(seen).toHaveLength(3));
  await second.fill('SPOOL');

  await disk.fill();
  expect(await first.publish('d')).toMatchObject({ kind: 'refused', reason: expect.stringContaining('no space left') });
  await disk.makeRoom();
  expect(await first.publish('e')).toMatchObject({ kind: 'refused', reason: expect.stringContaining('started again') });
  // Another pod hears of it by the state of the stream.
  await second.fill('SPOOL');
  expect(await second.publish('f')).toMatchObject({ kind: 'refused', reason: expect.stringContaining('went back') });
  expect(told.filter((detail) => detail.includes('started again'))).toHaveLength(2);

  await nats.restart();
  await vi.waitFor(async () => expect(await first.publish('g')).toMatchObject({ kind: 'stored' }), { timeout: 10_000 });
  await vi.waitFor(async () => expect(await second.publish('h')).toMatchObject({ kind: 'stored' }), {
    timeout: 10_000,
  });
  await vi.waitFor(() => expect(seen.slice(3).sort()).toEqual(['spool.g', 'spool.h']), { timeout: 10_000 });
  await consumption.stop();
});
