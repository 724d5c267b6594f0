import { withRedis } from '@postern/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { RedisLimitStore } from '../limit-store.js';
import { SuspicionBook } from './suspicion-book.js';

const redis = withRedis();
let stores: RedisLimitStore[];
let admin: Redis;

beforeAll(async () => {
  stores = [0, 1].map(() => new RedisLimitStore({ url: redis.url, commandTimeoutMs: 1_000 }));
  for (const store of stores) await store.ready(5_000);
  admin = new Redis(redis.url);
});
beforeEach(() => admin.flushall());
afterAll(async () => {
  for (const store of stores) await store.close();
  admin.disconnect();
});

const books = (): [SuspicionBook, SuspicionBook] => {
  const [one, other] = stores.map((store) => new SuspicionBook(store));
  if (one === undefined || other === undefined) throw new Error('two pods are needed');
  return [one, other];
};

test('what pods saw is one list, the newest first; what is seen again is there once', async () => {
  const [one, other] = books();
  expect(await one.list()).toEqual([]);
  await one.note('mx', 'source_nat', '10.0.0.1');
  await other.note('mx', 'missing_proxy', '192.0.2.1');
  await one.note('mx', 'source_nat', '10.0.0.1');
  const seen = await other.list();
  expect(seen.map(({ listener, kind, address }) => [listener, kind, address])).toContainEqual([
    'mx',
    'source_nat',
    '10.0.0.1',
  ]);
  expect(seen).toHaveLength(2);
  for (const { ageMs } of seen) expect(ageMs).toBeLessThan(60_000);
});

test('the list is bounded in number and age', async () => {
  const [book] = books();
  const key = '{postern:flow:suspicions}:seen';
  await admin.zadd(key, Date.now() - 700_000, JSON.stringify(['mx', 'source_nat', 'old']));
  for (let at = 0; at < 210; at++) await book.note('mx', 'unexpected_proxy', `192.0.2.${at}`);
  expect(await admin.zcard(key)).toBe(200);
  expect(await book.list()).toHaveLength(200);
  expect((await book.list()).some(({ address }) => address === 'old')).toBe(false);
  expect(await admin.pttl(key)).toBeGreaterThan(500_000);
});
