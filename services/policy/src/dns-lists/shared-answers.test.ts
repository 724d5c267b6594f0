/** Two pods over a real Redis: what one asked the other has; Redis away costs nothing but the question. */
import { systemClock } from '@postern/clock';
import { type CacheEvent, createDnsClient } from '@postern/dns';
import { startDnsServer } from '@postern/dns/testing';
import { withRedis } from '@postern/testkit';
import { Redis } from 'ioredis';
import { expect, test, vi } from 'vitest';
import { sharedAnswers } from './shared-answers.js';

const redis = withRedis();

test('an answer and an absence are asked for once by two pods', async () => {
  const server = await startDnsServer({ 'a.test': { A: ['192.0.2.1'] } });
  const connection = new Redis(redis.url, { maxRetriesPerRequest: 0 });
  connection.on('error', () => undefined);
  await connection.ping();
  const events: CacheEvent[] = [];
  let failures = 0;
  const pod = () =>
    createDnsClient({
      clock: systemClock,
      servers: [server.server],
      secondTier: sharedAnswers(connection),
      metrics: { cache: (event) => events.push(event), secondTierFailed: () => failures++ },
    });
  try {
    const first = pod();
    expect((await first.query('a.test', 'A')).kind).toBe('answer');
    expect((await first.query('none.test', 'A')).kind).toBe('nxdomain');
    await vi.waitFor(async () => expect(await connection.keys('postern:policy:dns:*')).toHaveLength(2));
    const second = pod();
    expect((await second.query('a.test', 'A')).kind).toBe('answer');
    expect((await second.query('none.test', 'A')).kind).toBe('nxdomain');
    expect(server.queries).toHaveLength(2);
    expect(events.filter((event) => event === 'second_tier_hit')).toHaveLength(2);
    await redis.stop('SIGKILL');
    await vi.waitFor(() => expect(connection.status).not.toBe('ready'));
    expect((await pod().query('a.test', 'A')).kind).toBe('answer');
    expect(failures).toBe(1);
  } finally {
    connection.disconnect();
    await server.stop();
  }
});
