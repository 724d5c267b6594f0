/** Bounds of recordings in a real Redis: count, bytes, steps; the oldest goes first, and a tenant's bounds are its own. */
import { EvaluateRequest, RecordedStep } from '@postern/proto/policy/v1/policy_service';
import { withRedis } from '@postern/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { redisRecordings } from './recording-store.js';

const server = withRedis();
let redis: Redis;

beforeAll(async () => {
  redis = new Redis(server.url);
  await redis.ping();
});
afterAll(() => redis.disconnect());

const bounds = { sessions: 3, bytes: 10_000, ageMs: 60_000, content: 100 };
const step = (octets: number, sequence = 1) =>
  RecordedStep.fromPartial({
    atMs: 1,
    request: EvaluateRequest.fromPartial({ sequence, content: Buffer.alloc(octets, 'x') }),
  });
const listed = async (tenant: string) =>
  (await redisRecordings(redis).list(tenant, bounds)).map(({ sessionId }) => sessionId).sort();

test('steps come back in order', async () => {
  const store = redisRecordings(redis);
  for (const sequence of [1, 2, 3]) expect(await store.append('order', 'a', step(10, sequence), bounds)).toBe(true);
  expect((await store.read('order', 'a')).map(({ request }) => request?.sequence)).toEqual([1, 2, 3]);
  expect(await store.read('order', 'b')).toEqual([]);
  expect(await store.read('other', 'a')).toEqual([]);
});

test('more sessions than are kept: the oldest goes, with its steps', async () => {
  const store = redisRecordings(redis);
  for (const id of ['a', 'b', 'c', 'd']) await store.append('count', id, step(10), bounds);
  expect(await listed('count')).toHaveLength(3);
  expect(await redis.keys('{postern:policy:record:count}:s:*')).toHaveLength(3);
  expect(await redis.hkeys('{postern:policy:record:count}:summaries')).toHaveLength(3);
});

test('more bytes than are kept: sessions go until there is room; what never fits is not kept', async () => {
  const store = redisRecordings(redis);
  for (const id of ['a', 'b', 'c']) await store.append('bytes', id, step(4_000), bounds);
  const kept = await store.list('bytes', bounds);
  expect(kept).toHaveLength(2);
  expect(kept.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(bounds.bytes);
  expect(await store.append('bytes', 'huge', step(20_000), bounds)).toBe(false);
  expect(await redis.hget('{postern:policy:record:bytes}:bytes', '*')).toBe(
    String(kept.reduce((sum, { bytes }) => sum + bytes, 0)),
  );
});

test('every key ends by itself', async () => {
  const store = redisRecordings(redis);
  await store.append('age', 'a', step(10), bounds);
  const keys = await redis.keys('{postern:policy:record:age}:*');
  expect(keys).toHaveLength(4);
  for (const key of keys) {
    const left = await redis.pttl(key);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(bounds.ageMs);
  }
});

test('a session has a bound of steps', async () => {
  const store = redisRecordings(redis);
  const wide = { ...bounds, bytes: 1_000_000 };
  const results = await Promise.all(
    Array.from({ length: 205 }, (_, sequence) => store.append('steps', 'a', step(1, sequence), wide)),
  );
  expect(results.filter(Boolean)).toHaveLength(200);
});

test('Redis away: what is asked for is unavailable and the store is named, nothing is recorded', async () => {
  const gone = new Redis({ port: 1, lazyConnect: true, enableOfflineQueue: false, retryStrategy: () => null });
  gone.on('error', () => undefined);
  const store = redisRecordings(gone);
  const expected = { id: 'store-unavailable', message: expect.stringMatching(/Redis/) };
  await expect(store.list('t', bounds)).rejects.toMatchObject(expected);
  await expect(store.read('t', 'a')).rejects.toMatchObject(expected);
  expect(await store.append('t', 'a', step(1), bounds)).toBe(false);
  gone.disconnect();
});
