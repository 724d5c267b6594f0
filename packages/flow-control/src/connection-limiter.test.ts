import { systemClock } from '@postern/clock';
import { withRedis } from '@postern/testkit';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type Admission, ConnectionLimiter, type Lease } from './connection-limiter.js';
import { RedisLimitStore } from './limit-store.js';
import type { LimitScope } from './limits.js';

const beatMs = 200;
const ttlMs = 800;

const redis = withRedis();
let admin: Redis;
let stores: RedisLimitStore[] = [];
let limiters: ConnectionLimiter[] = [];
let states: string[] = [];
let pods = 0;

beforeAll(() => {
  admin = new Redis(redis.url);
  admin.on('error', () => undefined);
});

afterAll(() => admin.disconnect());

beforeEach(async () => {
  await admin.flushall();
  states = [];
});

afterEach(async () => {
  for (const limiter of limiters) await limiter.stop();
  for (const store of stores) await store.close();
  limiters = [];
  stores = [];
});

interface Pod {
  readonly limiter: ConnectionLimiter;
  readonly store: RedisLimitStore;
}

async function pod(overrides: { beatMs?: number } = {}): Promise<Pod> {
  const store = new RedisLimitStore({ url: redis.url });
  pods += 1;
  const limiter = new ConnectionLimiter({
    store,
    clock: systemClock,
    service: 'smtp',
    incarnation: `pod-${pods}`,
    beatMs,
    ttlMs,
    retryMs: 50,
    ...overrides,
    onState: (state) => states.push(state.kind),
  });
  stores.push(store);
  limiters.push(limiter);
  await limiter.start();
  await vi.waitFor(() => expect(limiter.state.kind).toBe('joined'), 5_000);
  return { limiter, store };
}

/** The first beat after an empty store is decided by shares; wait until the store itself decides. */
async function warm(limiter: ConnectionLimiter): Promise<void> {
  const probe: LimitScope = { name: 'probe', limits: { simultaneous: 1_000_000 } };
  await vi.waitFor(
    async () => {
      const admission = await limiter.admit({ address: '192.0.2.250', scopes: [probe] });
      if (admission.kind === 'admitted') admission.lease.release();
      expect(admission).toMatchObject({ kind: 'admitted', decidedBy: 'cluster' });
    },
    { timeout: 5_000, interval: 20 },
  );
}

const service = (limits: LimitScope['limits']): LimitScope[] => [{ name: 'service', limits }];

function leases(admissions: readonly Admission[]): Lease[] {
  return admissions.flatMap((admission) => (admission.kind === 'admitted' ? [admission.lease] : []));
}

async function storm(limiter: ConnectionLimiter, count: number, scopes: LimitScope[], spread = 50): Promise<Lease[]> {
  const asked = Array.from({ length: count }, (_, i) => limiter.admit({ address: `198.51.100.${i % spread}`, scopes }));
  return leases(await Promise.all(asked));
}

test('two pods together never admit more than the total, and a release makes room for either', async () => {
  const [a, b] = [await pod(), await pod()];
  await warm(a.limiter);
  await warm(b.limiter);
  const scopes = service({ simultaneous: 100 });
  const [held, other] = await Promise.all([storm(a.limiter, 300, scopes), storm(b.limiter, 300, scopes)]);
  expect(held.length + other.length).toBe(100);
  for (const lease of held) {
    lease.release();
    lease.release();
  }
  await vi.waitFor(async () => {
    const [reading] = await b.limiter.show({ address: '198.51.100.1', scopes });
    expect(reading?.used).toBe(other.length);
  }, 2_000);
  expect(await storm(b.limiter, 300, scopes)).toHaveLength(held.length);
});

test('counts stay exact while beats assert them in the middle of a storm', async () => {
  const [a, b] = [await pod({ beatMs: 20 }), await pod({ beatMs: 20 })];
  await warm(a.limiter);
  await warm(b.limiter);
  const scopes = service({ simultaneous: 40, simultaneousPerAddress: 3 });
  let open = 0;
  let peak = 0;
  const visit = async (limiter: ConnectionLimiter, address: string): Promise<void> => {
    const admission = await limiter.admit({ address, scopes });
    if (admission.kind !== 'admitted') return;
    open += 1;
    peak = Math.max(peak, open);
    await new Promise((resolve) => setImmediate(resolve));
    open -= 1;
    admission.lease.release();
  };
  for (let round = 0; round < 60; round += 1) {
    const visits = Array.from({ length: 60 }, (_, i) =>
      visit(i % 2 === 0 ? a.limiter : b.limiter, `203.0.113.${(round * 60 + i) % 250}`),
    );
    await Promise.all(visits);
  }
  expect(peak).toBeLessThanOrEqual(40);
  expect(peak).toBeGreaterThan(20);
  await vi.waitFor(async () => {
    const [reading] = await a.limiter.show({ address: '203.0.113.1', scopes });
    expect(reading?.used).toBe(0);
  }, 2_000);
});

test('every scope must pass, and the refusal names the limit that did not', async () => {
  const { limiter } = await pod();
  await warm(limiter);
  const scopes: LimitScope[] = [
    { name: 'service', limits: { simultaneous: 10, simultaneousPerAddress: 5 } },
    { name: 'listener:mx', limits: { newPerAddressPerInterval: { count: 2, intervalMs: 60_000 } } },
  ];
  const ask = (address: string): Promise<Admission> => limiter.admit({ address, scopes });
  expect((await ask('192.0.2.1')).kind).toBe('admitted');
  expect((await ask('192.0.2.1')).kind).toBe('admitted');
  expect(await ask('192.0.2.1')).toMatchObject({
    kind: 'refused',
    decidedBy: 'cluster',
    refusal: { scope: 'listener:mx', kind: 'new-per-address-per-interval', limit: 2 },
  });
  expect(await ask('192.0.2.1')).toMatchObject({ kind: 'refused', decidedBy: 'memory' });
  expect((await ask('192.0.2.2')).kind).toBe('admitted');
  const readings = await limiter.show({ address: '192.0.2.1', scopes });
  expect(readings.at(-1)?.resetMs).toBeGreaterThan(50_000);
  expect(readings).toMatchObject([
    { scope: 'service', kind: 'simultaneous', limit: 10, used: 3, resetMs: 0 },
    { scope: 'service', kind: 'simultaneous-per-address', limit: 5, used: 2, resetMs: 0 },
    { scope: 'listener:mx', kind: 'new-per-address-per-interval', limit: 2, used: 2 },
  ]);
});

test('a scope with a prefix of its own counts IPv6 clients by it, and no wider network is remembered as refused', async () => {
  const { limiter } = await pod();
  const limits = { newPerAddressPerInterval: { count: 2, intervalMs: 60_000 } };
  const kinds = async (ipv6Prefix: number, addresses: readonly string[]): Promise<string[]> => {
    const scopes: LimitScope[] = [{ name: `set:${ipv6Prefix}`, limits, ipv6Prefix }];
    const found: string[] = [];
    for (const address of addresses) found.push((await limiter.admit({ address, scopes })).kind);
    return found;
  };
  const nets = [1, 2, 3, 4].map((net) => `2001:db8:1:${net}::1`);
  expect(await kinds(48, nets)).toEqual(['admitted', 'admitted', 'refused', 'refused']);
  expect(await kinds(64, ['2001:db8:2:1::1', '2001:db8:2:2::1', '2001:db8:2:3::1'])).toEqual(
    Array.from({ length: 3 }, () => 'admitted'),
  );
  const hosts = ['2001:db8:3::1', '2001:db8:3::1', '2001:db8:3::1', '2001:db8:3::2'];
  expect(await kinds(128, hosts)).toEqual(['admitted', 'admitted', 'refused', 'admitted']);
});

test('a full total is asked again at once; an address over its own limit is remembered until it gives back', async () => {
  const { limiter } = await pod();
  await warm(limiter);
  const total = service({ simultaneous: 1 });
  const [held] = leases([await limiter.admit({ address: '192.0.2.1', scopes: total })]);
  expect(await limiter.admit({ address: '192.0.2.9', scopes: total })).toMatchObject({ decidedBy: 'cluster' });
  expect(await limiter.admit({ address: '192.0.2.9', scopes: total })).toMatchObject({ decidedBy: 'cluster' });
  held?.release();
  const own = [{ name: 'own', limits: { simultaneousPerAddress: 1 } }];
  const [mine] = leases([await limiter.admit({ address: '192.0.2.5', scopes: own })]);
  expect(await limiter.admit({ address: '192.0.2.5', scopes: own })).toMatchObject({ decidedBy: 'cluster' });
  expect(await limiter.admit({ address: '192.0.2.5', scopes: own })).toMatchObject({ decidedBy: 'memory' });
  mine?.release();
  await vi.waitFor(async () => {
    expect((await limiter.admit({ address: '192.0.2.5', scopes: own })).kind).toBe('admitted');
  }, 3_000);
});

test('the share of a pod that dies is free within the time to live and one beat', async () => {
  const [dead, alive] = [await pod(), await pod()];
  await warm(dead.limiter);
  await warm(alive.limiter);
  const scopes = service({ simultaneous: 20 });
  expect(await storm(dead.limiter, 20, scopes)).toHaveLength(20);
  expect(await storm(alive.limiter, 5, scopes)).toHaveLength(0);
  await dead.store.close();
  const started = performance.now();
  await vi.waitFor(async () => expect((await limiterUsed(alive.limiter, scopes)) === 0).toBe(true), {
    timeout: 5_000,
    interval: 20,
  });
  expect(performance.now() - started).toBeLessThan(ttlMs + beatMs + 200);
  expect(await storm(alive.limiter, 50, scopes)).toHaveLength(20);
});

test('an emptied store is right again after one beat', async () => {
  const [a, b] = [await pod(), await pod()];
  await warm(a.limiter);
  await warm(b.limiter);
  const scopes = service({ simultaneous: 60 });
  const held = [...(await storm(a.limiter, 20, scopes)), ...(await storm(b.limiter, 30, scopes))];
  expect(held).toHaveLength(50);
  await admin.flushall();
  // Until both have asserted, each pod keeps to half of the limit: it may add nothing beyond 30 each.
  const during = [...(await storm(a.limiter, 100, scopes)), ...(await storm(b.limiter, 100, scopes))];
  expect(held.length + during.length).toBeLessThanOrEqual(60);
  await warm(a.limiter);
  await vi.waitFor(async () => expect(await limiterUsed(a.limiter, scopes)).toBe(held.length + during.length), 2_000);
});

test('store stopped: decided within 100 ms by the share, announced, and no lease lost after recovery', async () => {
  const [a, b] = [await pod(), await pod()];
  await warm(a.limiter);
  await warm(b.limiter);
  await vi.waitFor(() => expect(a.limiter.livePods).toBe(2), 2_000);
  const scopes = service({ simultaneous: 40, newPerInterval: { count: 40, intervalMs: 60_000 } });
  const before = await storm(a.limiter, 10, scopes);
  process.kill(redis.server.pid, 'SIGSTOP');
  const started = performance.now();
  const first = await a.limiter.admit({ address: '192.0.2.1', scopes });
  expect(performance.now() - started).toBeLessThan(100);
  expect(first).toMatchObject({ kind: 'admitted', decidedBy: 'local' });
  expect(states.at(-1)).toBe('local');
  const during = await storm(a.limiter, 100, scopes);
  expect(before.length + 1 + during.length).toBe(20);
  process.kill(redis.server.pid, 'SIGCONT');
  await vi.waitFor(() => expect(a.limiter.state.kind).toBe('joined'), 5_000);
  await vi.waitFor(async () => expect(await limiterUsed(b.limiter, scopes)).toBe(20), 3_000);
});

test.each([
  ['READONLY', ['replicaof', '127.0.0.1', '1'], ['replicaof', 'no', 'one']],
  ['OOM', ['config', 'set', 'maxmemory', '1'], ['config', 'set', 'maxmemory', '0']],
])('a store that answers %s is away, and back when it stops', async (_error, breakIt, mendIt) => {
  const { limiter } = await pod();
  await warm(limiter);
  const scopes = service({ simultaneous: 5 });
  expect(await storm(limiter, 2, scopes)).toHaveLength(2);
  await admin.call(breakIt[0] ?? '', breakIt.slice(1));
  const started = performance.now();
  const admission = await limiter.admit({ address: '192.0.2.1', scopes });
  expect(performance.now() - started).toBeLessThan(100);
  expect(admission).toMatchObject({ kind: 'admitted', decidedBy: 'local' });
  expect(await storm(limiter, 10, scopes)).toHaveLength(2);
  await admin.call(mendIt[0] ?? '', mendIt.slice(1));
  await vi.waitFor(() => expect(limiter.state.kind).toBe('joined'), 5_000);
  expect(await limiterUsed(limiter, scopes)).toBe(5);
});

test('a pod whose beats stopped admits nothing before a beat has succeeded', async () => {
  const { limiter } = await pod({ beatMs: 60_000 });
  const other = await pod();
  const scopes = service({ simultaneous: 4 });
  await vi.waitFor(async () => expect(await admin.zscore('{postern:flow:smtp}:pods', `pod-${pods - 1}`)).toBeNull(), {
    timeout: 5_000,
    interval: 50,
  });
  await warm(other.limiter);
  expect(await storm(other.limiter, 4, scopes)).toHaveLength(4);
  expect(await limiter.admit({ address: '192.0.2.1', scopes })).toMatchObject({ kind: 'refused' });
  expect(await admin.zscore('{postern:flow:smtp}:pods', `pod-${pods - 1}`)).not.toBeNull();
});

async function limiterUsed(limiter: ConnectionLimiter, scopes: LimitScope[]): Promise<number> {
  const [reading] = await limiter.show({ address: '192.0.2.1', scopes });
  return reading?.used ?? -1;
}

test('a pod that waits for the connection joins with its first beat', async () => {
  const store = new RedisLimitStore({ url: redis.url });
  stores.push(store);
  expect(await store.ready(2_000)).toBe(true);
  const limiter = new ConnectionLimiter({
    store,
    clock: systemClock,
    service: 'smtp',
    incarnation: 'patient',
    onState: (state) => states.push(state.kind),
  });
  limiters.push(limiter);
  await limiter.start();
  expect(states).toEqual(['joined']);
});

test('a store that is not there is not waited for longer than told', async () => {
  const store = new RedisLimitStore({ url: 'redis://127.0.0.1:1' });
  stores.push(store);
  expect(await store.ready(50)).toBe(false);
});

test('a stall of the own event loop is not taken for a store that is away', async () => {
  const { limiter } = await pod();
  await warm(limiter);
  states = [];
  const deciding = limiter.admit({ address: '192.0.2.1', scopes: [{ name: 'service', limits: { simultaneous: 5 } }] });
  // As long as a garbage collection or a busy machine may take: twice the time a command has.
  const end = performance.now() + 120;
  while (performance.now() < end);
  expect(await deciding).toMatchObject({ kind: 'admitted', decidedBy: 'cluster' });
  expect(states).toEqual([]);
});
