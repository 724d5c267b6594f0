/** What WORK carries is counted by unit, be they one to a message or many; what was left there to come back is none yet. Real NATS. */
import { jetstreamManager } from '@nats-io/jetstream';
import { systemClock } from '@postern/clock';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import {
  type BatchMessage,
  backSubject,
  connectStreams,
  createPublisher,
  ensureStreams,
  spoolMessage,
  workMessage,
} from '@postern/stream';
import { withNats } from '@postern/testkit';
import { expect, test } from 'vitest';
import { envelope } from './testing/messages.js';
import { createWorkScanner } from './work-scan.js';

const nats = withNats();

const item = (queueId: string, ...addresses: readonly string[]): Uint8Array =>
  Item.encode(
    Item.fromPartial({ queueId, tenant: 'acme', recipients: addresses.map((address) => ({ address })) }),
  ).finish();

function batch(...items: readonly Uint8Array[]): BatchMessage {
  const message = workMessage(items);
  if (message === undefined) throw new Error('too large');
  return message;
}

test('items of a batch count one by one, one that cannot be read not at all', async () => {
  const connection = await connectStreams({ servers: [nats.url], user: 'queue', password: '' });
  await ensureStreams(connection, { replicas: 1, egressPools: ['default'] });
  const publisher = createPublisher(connection, systemClock);
  const bytes = Envelope.encode(envelope(['left@acme.test'])).finish();
  const messages: readonly (readonly [subject: string, message: BatchMessage])[] = [
    ['work.default.1', { data: item('Q1', 'ann@acme.test'), headers: {} }],
    [
      'work.default.1',
      batch(item('Q2', 'ann@acme.test', 'bob@acme.test'), Buffer.from([0x0a, 0xff]), item('Q3', 'c@d')),
    ],
    [backSubject('spool.1'), spoolMessage([bytes, bytes])],
    // Even where it could be read as items.
    [backSubject('spool.1'), batch(item('Q9', 'ann@acme.test'), item('Q9', 'bob@acme.test'))],
    ['parked.work', { data: item('Q4', 'ann@acme.test'), headers: {} }],
  ];
  for (const [index, [subject, { data, headers }]] of messages.entries()) {
    const result = await publisher.publish(subject, data, { msgId: String(index), headers });
    expect(result.kind).toBe('stored');
  }
  const scan = await createWorkScanner(connection);
  const unit = (queueId: string, recipient: string, carrier = 'work') => ({
    ...{ queueId, recipient, tenant: 'acme', carrier },
  });
  expect(await scan(4)).toEqual({
    exact: true,
    left: 2,
    units: [
      unit('Q1', 'ann@acme.test'),
      unit('Q2', 'ann@acme.test'),
      unit('Q2', 'bob@acme.test'),
      unit('Q3', 'c@d'),
      unit('Q4', 'ann@acme.test', 'parked'),
    ],
  });
  expect(await scan(3)).toEqual({ exact: false });
  await connection.close();
});

test('a stream that cannot be read is not taken for an empty one', async () => {
  const connection = await connectStreams({ servers: [nats.url], user: 'queue', password: '' });
  await ensureStreams(connection, { replicas: 1, egressPools: ['default'] });
  const publisher = createPublisher(connection, systemClock);
  await publisher.publish('work.default.1', item('Q5', 'ann@acme.test'), { msgId: 'Q5' });
  const manager = await jetstreamManager(connection.nats);
  const { config } = await manager.streams.info('WORK');
  await manager.streams.update('WORK', { ...config, allow_direct: false });
  const scan = await createWorkScanner(connection);
  await expect(scan(10)).rejects.toThrow();
  await manager.streams.update('WORK', { ...config, allow_direct: true });
  expect(await scan(10)).toMatchObject({ exact: true });
  await connection.close();
});
