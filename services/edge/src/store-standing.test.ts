import { RedisLimitStore } from '@postern/flow-control';
import { withRedis } from '@postern/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { storeStanding } from './store-standing.js';

const redis = withRedis();
let store: RedisLimitStore;
beforeAll(async () => {
  store = new RedisLimitStore({ url: redis.url });
  await store.ready(5_000);
});
afterAll(() => store.close());

test('Redis stopped: away, why, and what holds meanwhile; started again: well', async () => {
  expect(await storeStanding(store)).toEqual({ state: 'ok' });
  await redis.stop('SIGKILL');
  expect(await storeStanding(store)).toEqual({
    state: 'away',
    detail: expect.stringMatching(/^\S.*; each process keeps limits and bans by itself$/),
  });
  await redis.restart();
  await vi.waitFor(async () => expect(await storeStanding(store)).toEqual({ state: 'ok' }), { timeout: 10_000 });
});
