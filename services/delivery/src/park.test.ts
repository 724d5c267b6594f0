/** What is parked is never taken for another message that had its sequence before. Real NATS. */
import { FakeClock, systemClock } from '@postern/clock';
import { connectStreams, createLeftoverReader, createPublisher, ensureStreams } from '@postern/stream';
import { withNats } from '@postern/testkit';
import { expect, test } from 'vitest';
import { createPark } from './park.js';
import { workDelivery } from './testing/worker-stage.js';

const nats = withNats();

test('of two messages that had the same sequence each is there', async () => {
  const connection = await connectStreams({ servers: [nats.url], user: 'delivery', password: '' });
  await ensureStreams(connection, { replicas: 1, egressPools: ['default'] });
  const unused = (): void => undefined;
  const observer = {
    attempted: unused,
    fenced: unused,
    outcomeNotStored: unused,
    failed: unused,
    parked: unused,
    apart: unused,
    mayRepeat: unused,
  };
  const park = createPark(createPublisher(connection, systemClock), new FakeClock(), observer);
  const { message, settled } = workDelivery([Buffer.from('x')]);
  // The second is the first once more, as after a crash before its acknowledgement.
  for (const storedAtMs of [1_000, 1_000, 9_000]) await park.park({ ...message, storedAtMs }, 'no item');
  expect(settled).toEqual(['ack', 'ack', 'ack']);
  const reader = await createLeftoverReader(connection);
  expect(await reader.oldest('PARKED', Number.POSITIVE_INFINITY, 10)).toHaveLength(2);
  await connection.close();
});
