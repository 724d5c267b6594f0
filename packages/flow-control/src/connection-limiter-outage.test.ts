/** What pods admit when one of them dies, pauses or stalls, or the store is emptied, stopped, read-only, full or not there. */
import { systemClock } from '@postern/clock';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ConnectionLimiter } from './connection-limiter.js';
import { RedisLimitStore } from './limit-store.js';
import { decidedWithin } from './testing/decided-within.js';
import { beatMs, LimiterPods, service, storm, ttlMs, usedOf, warm } from './testing/limiter-pods.js';

const pods = new LimiterPods();

test('the share of a pod that dies is free within the time to live and one beat', async () => {
  const [dead, alive] = [await pods.start(), await pods.start()];
  await warm(dead.limiter);
  await warm(alive.limiter);
  const scopes = service({ simultaneous: 20 });
  expect(await storm(dead.limiter, 20, scopes)).toHaveLength(20);
  expect(await storm(alive.limiter, 5, scopes)).toHaveLength(0);
  await dead.store.close();
  const started = performance.now();
  await vi.waitFor(async () => expect((await usedOf(alive.limiter, scopes)) === 0).toBe(true), {
    timeout: 5_000,
    interval: 20,
  });
  expect(performance.now() - started).toBeLessThan(ttlMs + beatMs + 200);
  expect(await storm(alive.limiter, 50, scopes)).toHaveLength(20);
});

test('an emptied store is right again after one beat', async () => {
  const [a, b] = [await pods.start(), await pods.start()];
  await warm(a.limiter);
  await warm(b.limiter);
  const scopes = service({ simultaneous: 60 });
  const held = [...(await storm(a.limiter, 20, scopes)), ...(await storm(b.limiter, 30, scopes))];
  expect(held).toHaveLength(50);
  await pods.admin.flushall();
  // Until both have asserted, each pod keeps to half of the limit: it may add nothing beyond 30 each.
  const during = [...(await storm(a.limiter, 100, scopes)), ...(await storm(b.limiter, 100, scopes))];
  expect(held.length + during.length).toBeLessThanOrEqual(60);
  await warm(a.limiter);
  await vi.waitFor(async () => expect(await usedOf(a.limiter, scopes)).toBe(held.length + during.length), 2_000);
});

test('store stopped: decided within 100 ms by the share, announced, and no lease lost after recovery', async () => {
  const [a, b] = [await pods.start(), await pods.start()];
  await warm(a.limiter);
  await warm(b.limiter);
  await vi.waitFor(() => expect(a.limiter.livePods).toBe(2), 2_000);
  const scopes = service({ simultaneous: 40, newPerInterval: { count: 40, intervalMs: 60_000 } });
  const before = await storm(a.limiter, 10, scopes);
  const { pid } = pods.redis.server;
  process.kill(pid, 'SIGSTOP');
  onTestFinished(() => void process.kill(pid, 'SIGCONT'));
  const first = a.limiter.admit({ address: '192.0.2.1', scopes });
  expect(await decidedWithin(100, first)).toBe(true);
  expect(await first).toMatchObject({ kind: 'admitted', decidedBy: 'local' });
  expect(pods.states.at(-1)).toBe('local');
  const during = await storm(a.limiter, 100, scopes);
  expect(before.length + 1 + during.length).toBe(20);
  process.kill(pid, 'SIGCONT');
  await vi.waitFor(() => expect(a.limiter.state.kind).toBe('joined'), 5_000);
  await vi.waitFor(async () => expect(await usedOf(b.limiter, scopes)).toBe(20), 3_000);
});

test.each([
  ['READONLY', ['replicaof', '127.0.0.1', '1'], ['replicaof', 'no', 'one']],
  ['OOM', ['config', 'set', 'maxmemory', '1'], ['config', 'set', 'maxmemory', '0']],
])('a store that answers %s is away, and back when it stops', async (_error, breakIt, mendIt) => {
  const { limiter } = await pods.start();
  await warm(limiter);
  const scopes = service({ simultaneous: 5 });
  expect(await storm(limiter, 2, scopes)).toHaveLength(2);
  await pods.admin.call(breakIt[0] ?? '', breakIt.slice(1));
  const admission = limiter.admit({ address: '192.0.2.1', scopes });
  expect(await decidedWithin(100, admission)).toBe(true);
  expect(await admission).toMatchObject({ kind: 'admitted', decidedBy: 'local' });
  expect(await storm(limiter, 10, scopes)).toHaveLength(2);
  await pods.admin.call(mendIt[0] ?? '', mendIt.slice(1));
  await vi.waitFor(() => expect(limiter.state.kind).toBe('joined'), 5_000);
  expect(await usedOf(limiter, scopes)).toBe(5);
});

test('a pod whose beats stopped admits nothing before a beat has succeeded', async () => {
  const { limiter, incarnation } = await pods.start({ beatMs: 60_000 });
  const other = await pods.start();
  const scopes = service({ simultaneous: 4 });
  await vi.waitFor(async () => expect(await pods.admin.zscore('{postern:flow:smtp}:pods', incarnation)).toBeNull(), {
    timeout: 5_000,
    interval: 50,
  });
  await warm(other.limiter);
  expect(await storm(other.limiter, 4, scopes)).toHaveLength(4);
  expect(await limiter.admit({ address: '192.0.2.1', scopes })).toMatchObject({ kind: 'refused' });
  expect(await pods.admin.zscore('{postern:flow:smtp}:pods', incarnation)).not.toBeNull();
});

test('a pod that waits for the connection joins with its first beat', async () => {
  const store = new RedisLimitStore({ url: pods.redis.url });
  pods.stores.push(store);
  expect(await store.ready(2_000)).toBe(true);
  const limiter = new ConnectionLimiter({
    store,
    clock: systemClock,
    service: 'smtp',
    incarnation: 'patient',
    onState: (state) => pods.states.push(state.kind),
  });
  pods.limiters.push(limiter);
  await limiter.start();
  expect(pods.states).toEqual(['joined']);
});

test('a store that is not there is not waited for longer than told', async () => {
  const store = new RedisLimitStore({ url: 'redis://127.0.0.1:1' });
  pods.stores.push(store);
  expect(await store.ready(50)).toBe(false);
});

test('a stall of the own event loop is not taken for a store that is away', async () => {
  const { limiter } = await pods.start();
  await warm(limiter);
  pods.states.length = 0;
  const deciding = limiter.admit({ address: '192.0.2.1', scopes: [{ name: 'service', limits: { simultaneous: 5 } }] });
  // As long as a garbage collection or a busy machine may take: twice the time a command has.
  const end = performance.now() + 120;
  while (performance.now() < end);
  expect(await deciding).toMatchObject({ kind: 'admitted', decidedBy: 'cluster' });
  expect(pods.states).toEqual([]);
});
