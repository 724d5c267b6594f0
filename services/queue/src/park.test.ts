/**
 * PARKED keeps what it holds: when it is full, what would be parked stays where it is, and nothing that was parked is forgotten. What a server that was killed
 * stores at a sequence it had given before is another message.
 */
import { jetstreamManager } from '@nats-io/jetstream';
import { systemClock } from '@postern/clock';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { connectStreams, createPublisher, type Delivery, ensureStreams, parkedSubject } from '@postern/stream';
import { captureTelemetry } from '@postern/telemetry/testing';
import { withNats } from '@postern/testkit';
import { expect, test } from 'vitest';
import { queueMetrics } from './metrics.js';
import { createPark } from './park.js';
import { envelope } from './testing/messages.js';

const nats = withNats();

test('a full PARKED forgets nothing and acknowledges nothing; with room it takes the message', async () => {
  const connection = await connectStreams({ servers: [nats.url], user: 'queue', password: '' });
  await ensureStreams(connection, { replicas: 1, egressPools: ['default'], maxBytes: { PARKED: 64 * 1024 } });
  const publisher = createPublisher(connection, systemClock);
  const manager = await jetstreamManager(connection.nats);
  const held = async () => (await manager.streams.info('PARKED')).state;
  const fill = (n: number) =>
    publisher.publish(parkedSubject('work'), Buffer.alloc(8 * 1024), { msgId: `filler:${n}` });
  let n = 0;
  while (n < 100 && (await fill(n)).kind === 'stored') n++;
  expect(n).toBeGreaterThan(1);
  expect(n).toBeLessThan(100);

  const telemetry = captureTelemetry('queue');
  const park = createPark('spool', publisher, systemClock, telemetry.log, queueMetrics(telemetry.metrics));
  let acknowledged = 0;
  const unused = (): void => undefined;
  const message: Delivery = {
    ...{ subject: 'spool.1', sequence: 1, deliveryCount: 6, pending: 0, storedAtMs: 0 },
    ...{ header: () => '', nak: unused, working: unused, ackConfirmed: () => Promise.resolve(true) },
    data: Buffer.concat([Envelope.encode(envelope(['bob@acme.test'])).finish(), Buffer.alloc(9 * 1024)]),
    ack: () => {
      acknowledged++;
    },
  };
  await park(message, 'delivered 6 times');
  expect(acknowledged).toBe(0);
  expect(await held()).toMatchObject({ messages: n, first_seq: 1 });
  expect(telemetry.events('queue.message.parked')).toMatchObject([{ stored: 'refused' }]);

  await manager.streams.purge('PARKED', { seq: 4 });
  await park(message, 'delivered 6 times');
  expect(acknowledged).toBe(1);
  expect(telemetry.events('queue.message.parked')[1]).toMatchObject({ stored: 'stored' });
  await connection.close();
});

test('of two messages that had the same sequence each is there', async () => {
  const connection = await connectStreams({ servers: [nats.url], user: 'queue', password: '' });
  await ensureStreams(connection, { replicas: 1, egressPools: ['default'] });
  const manager = await jetstreamManager(connection.nats);
  await manager.streams.purge('PARKED');
  const telemetry = captureTelemetry('queue');
  const metrics = queueMetrics(telemetry.metrics);
  const park = createPark('spool', createPublisher(connection, systemClock), systemClock, telemetry.log, metrics);
  const unused = (): void => undefined;
  const storedAt = (storedAtMs: number): Delivery => ({
    ...{ subject: 'spool.1', sequence: 7, deliveryCount: 6, pending: 0, storedAtMs },
    ...{ header: () => '', ack: unused, nak: unused, working: unused, ackConfirmed: () => Promise.resolve(true) },
    data: Buffer.from(`mail of ${storedAtMs}`),
  });
  // The second is the first once more, as after a crash before its acknowledgement.
  for (const storedAtMs of [1_000, 1_000, 9_000]) await park(storedAt(storedAtMs), 'not an envelope');
  expect((await manager.streams.info('PARKED')).state.messages).toBe(2);
  await connection.close();
});
