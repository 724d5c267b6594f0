/** One message by its sequence: the leader of its stream is asked, and nobody else; the largest is read whole. */
import { systemClock } from '@postern/clock';
import { connectStreams, createLeftoverReader, createPublisher, ensureStreams, workBatchBytes } from '@postern/stream';
import { withNats } from '@postern/testkit';
import { expect, test } from 'vitest';

const nats = withNats();

test('a message is asked of the leader of its stream, whatever its size, and is undefined when it is gone', async () => {
  const connection = await connectStreams({ servers: [nats.url], user: 'queue', password: '' });
  await ensureStreams(connection, { replicas: 1, egressPools: ['default'] });
  const asked: string[] = [];
  connection.nats.subscribe('$JS.API.*.MSG.GET.>', { callback: (_error, { subject }) => void asked.push(subject) });
  connection.nats.subscribe('$JS.API.DIRECT.>', { callback: (_error, { subject }) => void asked.push(subject) });
  const reader = await createLeftoverReader(connection);
  const data = Buffer.alloc(workBatchBytes, 'x');
  const options = { msgId: 'largest', headers: { 'Postern-Batch': '2' } };
  const result = await createPublisher(connection, systemClock).publish('work.default.1', data, options);
  if (result.kind !== 'stored') throw new Error(result.reason);

  const found = await reader.at('WORK', result.sequence);
  expect(found).toMatchObject({ sequence: result.sequence, subject: 'work.default.1' });
  expect(found?.header('Postern-Batch')).toBe('2');
  expect(Buffer.compare(Buffer.from(found?.data ?? []), data)).toBe(0);
  expect(Math.abs((found?.storedAtMs ?? 0) - systemClock.now())).toBeLessThan(10_000);
  await reader.remove('WORK', result.sequence);
  expect(await reader.at('WORK', result.sequence)).toBeUndefined();
  expect(asked).toEqual(['$JS.API.STREAM.MSG.GET.WORK', '$JS.API.STREAM.MSG.GET.WORK']);
  await connection.close();
});
