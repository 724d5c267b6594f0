/** What pods admit together: totals, addresses, scopes, prefixes, releases. */
import { expect, test, vi } from 'vitest';
import type { Admission, ConnectionLimiter } from './connection-limiter.js';
import type { LimitScope } from './limits.js';
import { LimiterPods, leases, service, storm, warm } from './testing/limiter-pods.js';

const pods = new LimiterPods();

test('two pods together never admit more than the total, and a release makes room for either', async () => {
  const [a, b] = [await pods.start(), await pods.start()];
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
  const [a, b] = [await pods.start({ beatMs: 20 }), await pods.start({ beatMs: 20 })];
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
  const { limiter } = await pods.start();
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
  const { limiter } = await pods.start();
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

test('who is refused by one listener is not refused by another that does not ask the same limit', async () => {
  const { limiter } = await pods.start();
  await warm(limiter);
  const shared: LimitScope = { name: 'service', limits: { simultaneousPerAddress: 50 } };
  const listener = (name: string, limits: LimitScope['limits']): LimitScope[] => [shared, { name, limits }];
  const strict = listener('listener:mx', { simultaneousPerAddress: 1 });
  const ask = (scopes: readonly LimitScope[]): Promise<Admission> => limiter.admit({ address: '192.0.2.1', scopes });
  expect((await ask(strict)).kind).toBe('admitted');
  expect(await ask(strict)).toMatchObject({ kind: 'refused', decidedBy: 'cluster' });
  for (const other of [
    listener('listener:submission', {}),
    listener('listener:relay', { simultaneousPerAddress: 1 }),
    listener('listener:mx', { simultaneousPerAddress: 3 }),
  ]) {
    expect(await ask(strict)).toMatchObject({ kind: 'refused', refusal: { scope: 'listener:mx', limit: 1 } });
    expect((await ask(other)).kind).toBe('admitted');
  }
});

test('a full total is asked again at once; an address over its own limit is remembered until it gives back', async () => {
  const { limiter } = await pods.start();
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
