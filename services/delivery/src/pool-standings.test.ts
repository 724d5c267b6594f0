/** A pool without a consumer on WORK is said, by readiness and status, until there is one. */
import { systemClock } from '@postern/clock';
import { connectStreams, consume, ensureStreams, workConsumer } from '@postern/stream';
import { withNats } from '@postern/testkit';
import { expect, test, vi } from 'vitest';
import { createPoolStandings } from './pool-standings.js';

const nats = withNats();

test('a pool nobody declared is told until it is declared; another failure tells nothing of it', async () => {
  const connection = await connectStreams({ servers: [nats.url], user: 'delivery', password: '' });
  await ensureStreams(connection, { replicas: 1, egressPools: ['default'] });
  const pools = createPoolStandings();
  const take = (pool: string) =>
    consume(
      connection,
      systemClock,
      workConsumer(pool),
      { maxInFlight: 1, maxBatch: 1, onOpen: () => pools.found(pool), onError: (error) => pools.failed(pool, error) },
      () => Promise.resolve(),
    );
  const taking = [take('default'), take('other')];
  await vi.waitFor(() => expect(pools.missing()).toEqual(['other']), { timeout: 10_000 });
  pools.failed('default', new Error('timeout'));
  expect(pools.standing()).toMatchObject({
    state: 'away',
    detail: expect.stringMatching(/^egress pool other has no consumer: it is not in provisioning\.egressPools/),
  });
  await ensureStreams(connection, { replicas: 1, egressPools: ['default', 'other'] });
  await vi.waitFor(() => expect(pools.standing()).toEqual({ state: 'ok' }), { timeout: 15_000 });
  await Promise.all(taking.map((consumption) => consumption.stop()));
  await connection.close();
});
