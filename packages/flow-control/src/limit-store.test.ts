/** The store over what Redis can be: a cluster of two shards, a replica, full, slow. Decisions take under 100 ms, and no lease is lost after it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@postern/clock';
import { testAuthority, withRedis, withRedisCluster } from '@postern/testkit';
import { Redis } from 'ioredis';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { BanBook } from './bans/ban-book.js';
import { ConnectionLimiter } from './connection-limiter.js';
import { RedisLimitStore } from './limit-store.js';
import { LoginAttempts } from './logins/login-attempts.js';
import { RateLimiter } from './rate-limiter.js';
import { decidedWithin } from './testing/decided-within.js';

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(address !== null && typeof address === 'object' ? address.port : 0));
    });
  });
}

const shards = await withRedisCluster();
const redis = withRedis();
const authority = testAuthority();
const folder = mkdtempSync(join(tmpdir(), 'postern-redis-tls-'));
const { key, cert } = authority.issue(['localhost', '127.0.0.1']);
for (const [name, pem] of Object.entries({ key, cert })) writeFileSync(join(folder, `${name}.pem`), pem);
const tlsPort = await freePort();
withRedis({
  extra: [
    `tls-port ${tlsPort}`,
    `tls-cert-file ${join(folder, 'cert.pem')}`,
    `tls-key-file ${join(folder, 'key.pem')}`,
    'tls-auth-clients no',
    `tls-ca-cert-file ${join(folder, 'cert.pem')}`,
  ],
});
const secure = { url: `rediss://localhost:${tlsPort}` };
const open: { close(): Promise<void> }[] = [];
const admins: Redis[] = [];
const limiters: ConnectionLimiter[] = [];

afterEach(async () => {
  for (const limiter of limiters.splice(0)) await limiter.stop();
  for (const store of open.splice(0)) await store.close();
});
afterAll(() => {
  for (const admin of admins) admin.disconnect();
  rmSync(folder, { recursive: true });
});

function adminOf(port: number): Redis {
  const admin = new Redis({ port, host: '127.0.0.1' });
  admin.on('error', () => undefined);
  admins.push(admin);
  return admin;
}

function storeOf(url: string, cluster = false, commandTimeoutMs = 50): RedisLimitStore {
  const store = new RedisLimitStore({ url, cluster, commandTimeoutMs });
  open.push(store);
  return store;
}

async function joined(store: RedisLimitStore): Promise<ConnectionLimiter> {
  const options = { beatMs: 100, ttlMs: 2_000, retryMs: 50 };
  const limiter = new ConnectionLimiter({ store, clock: systemClock, service: 'smtp', incarnation: 'one', ...options });
  limiters.push(limiter);
  await limiter.start();
  await vi.waitFor(async () => {
    const admission = await limiter.admit({
      address: '192.0.2.250',
      scopes: [{ name: 'probe', limits: { simultaneous: 9 } }],
    });
    if (admission.kind === 'admitted') admission.lease.release();
    expect(admission).toMatchObject({ kind: 'admitted', decidedBy: 'cluster' });
  }, 10_000);
  return limiter;
}

const scopes = [{ name: 'service', limits: { simultaneous: 10, newPerInterval: { count: 100, intervalMs: 60_000 } } }];

test('every script runs on a cluster of two shards', async () => {
  const store = storeOf(shards[0].url, true, 2_000);
  expect(await store.ready(5_000)).toBe(true);
  const limiter = await joined(store);
  const admissions = await Promise.all(
    Array.from({ length: 12 }, (_, index) => limiter.admit({ address: `192.0.2.${index}`, scopes })),
  );
  expect(admissions.filter(({ kind }) => kind === 'admitted')).toHaveLength(10);
  const rates = new RateLimiter({ store, clock: systemClock, livePods: () => 1 });
  const attempts = new LoginAttempts(store, systemClock);
  for (let index = 0; index < 20; index++) {
    const taken = await rates.take(
      { kind: 'user', id: `u${index}` },
      { messages: 1 },
      { messages: { count: 5, intervalMs: 60_000 } },
    );
    expect(taken).toEqual({ kind: 'taken', decidedBy: 'cluster' });
    expect(await attempts.failed(`a${index}@x.test`, { limit: 5, windowMs: 60_000 }, 'anyone')).toBe(1);
  }
  const limits = { messages: { count: 5, intervalMs: 60_000 } };
  const over = {
    subject: { kind: 'address', id: '192.0.2.9' },
    limits: { messages: { count: 0, intervalMs: 60_000 } },
  } as const;
  for (let index = 0; index < 10; index++) {
    const subject = { kind: 'user', id: `u${index}` } as const;
    expect(await rates.takeAll([{ subject, limits }, over], { messages: 1 })).toMatchObject({
      kind: 'refused',
      at: 1,
      decidedBy: 'cluster',
    });
    expect(await rates.show(subject, limits)).toMatchObject([{ used: 1 }]);
  }
  const book = new BanBook(store);
  await book.add('192.0.2.1', 60_000, 'k', 'x');
  expect((await book.list()).map(({ prefix }) => prefix)).toEqual(['192.0.2.1']);
}, 60_000);

test.each<[string, (admin: Redis) => Promise<unknown>, (admin: Redis) => Promise<unknown>]>([
  ['a replica (READONLY)', (admin) => admin.replicaof('127.0.0.1', 1), (admin) => admin.replicaof('NO', 'ONE')],
  ['full (OOM)', (admin) => admin.config('SET', 'maxmemory', '1'), (admin) => admin.config('SET', 'maxmemory', '0')],
  ['slow', (admin) => admin.call('CLIENT', 'PAUSE', '1000', 'ALL'), () => Promise.resolve()],
])(
  'Redis is %s: decided in under 100 ms within limits, and no lease is lost after it',
  async (_name, begin, end) => {
    const admin = adminOf(redis.port);
    await admin.flushall();
    const store = storeOf(redis.url);
    await store.ready(5_000);
    const limiter = await joined(store);
    const held = await Promise.all([1, 2, 3].map((last) => limiter.admit({ address: `192.0.2.${last}`, scopes })));
    await begin(admin);
    const during = [];
    for (let index = 0; index < 12; index++) {
      const admission = limiter.admit({ address: `198.51.100.${index}`, scopes });
      expect(await decidedWithin(100, admission)).toBe(true);
      during.push(await admission);
    }
    // One live pod: its share is the whole limit, what it held included.
    const admitted = [...held, ...during].filter(({ kind }) => kind === 'admitted');
    expect(admitted).toHaveLength(10);
    await end(admin);
    await vi.waitFor(() => expect(limiter.state.kind).toBe('joined'), 10_000);
    await vi.waitFor(async () => {
      const [reading] = await limiter.show({ address: '192.0.2.1', scopes });
      expect(reading?.used).toBe(10);
    }, 10_000);
    expect(await limiter.admit({ address: '203.0.113.1', scopes })).toMatchObject({ kind: 'refused' });
  },
  40_000,
);

test('speaks TLS to a server whose certificate an own authority signed, and to no other', async () => {
  expect(await storeOf(secure.url).ready(500)).toBe(false);
  const store = new RedisLimitStore({ url: secure.url, tlsCa: authority.certificate, commandTimeoutMs: 500 });
  open.push(store);
  expect(await store.ready(5_000)).toBe(true);
  expect(await new BanBook(store).list()).toEqual([]);
});
