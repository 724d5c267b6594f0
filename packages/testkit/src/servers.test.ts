import { expect, test } from 'vitest';
import { withNats, withPostgres, withRedis } from './servers.js';

const nats = withNats();
const redis = withRedis();
const postgres = withPostgres();

test('each server is up on its own port, and comes back on the same one after a crash', async () => {
  const ports = [nats.port, redis.port, postgres.port];
  expect(new Set(ports).size).toBe(3);
  for (const server of [nats, redis, postgres]) {
    const { pid } = server.server;
    await server.stop('SIGKILL');
    await server.restart();
    expect(server.server.pid).not.toBe(pid);
  }
  expect([nats.port, redis.port, postgres.port]).toEqual(ports);
  expect((await fetch(`${nats.monitorUrl}/healthz`)).ok).toBe(true);
  expect(postgres.adminUrl).toContain(`:${postgres.port}/`);
});
