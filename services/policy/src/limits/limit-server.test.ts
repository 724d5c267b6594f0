/** LimitService over a socket and a real Redis: what the edge counted is what is shown, and a ban is on every pod's list. */
import { systemClock } from '@postern/clock';
import {
  BanBook,
  BanList,
  ConnectionLimiter,
  LoginAttempts,
  RateLimiter,
  RedisLimitStore,
  SuspicionBook,
} from '@postern/flow-control';
import { createClient, createScopeSource, createServer, requireScope } from '@postern/grpc';
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { LimitServiceClient, LimitServiceService } from '@postern/proto/policy/v1/limit_service';
import { captureTelemetry } from '@postern/telemetry/testing';
import { withRedis } from '@postern/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { GreylistDesk } from '../greylist/greylist-desk.js';
import { redisGreylist } from '../greylist/greylist-store.js';
import { limitHandlers } from './limit-server.js';
import { LimitView } from './limit-view.js';

const redis = withRedis();
const key = Buffer.alloc(32, 7);
const clock = systemClock;
const ends: (() => void | Promise<void>)[] = [];
let store: RedisLimitStore;
let port = 0;
let stale: string | undefined;
let admin: Redis;

const snapshot = Snapshot.fromPartial({
  version: 1,
  trustedProxies: ['10.9.0.0/16'],
  accessRules: [{ level: 'listener', target: 'mx', network: '203.0.113.128/25', priority: 2 }],
  limits: { connections: 50, connectionsPerIp: 5 },
  listeners: [
    { name: 'mx', role: 'mx' },
    { name: 'filtered', role: 'mx', xclientNetworks: ['203.0.113.0/24'] },
    { name: 'submission', role: 'submission', limits: { connectionRatePerIp: 9 } },
  ],
  ipSets: [
    { name: 'office', networks: ['192.0.2.0/24'], limits: { connectionsPerIp: 40 } },
    { name: 'partners', networks: ['198.51.100.0/24'], trusted: true },
  ],
  messageLimits: {
    perAddress: { bytes: 1_000_000 },
    perUser: { messages: 100, intervalMs: 60_000 },
    perTenant: { recipients: 500 },
  },
  errorControl: { badCommands: 7, failedLoginsPerAccount: 30, intervalMs: 60_000 },
  domains: [{ name: 'acme.test', tenant: 'acme' }],
  tenants: [{ name: 'acme', userMessageRate: { bytes: 9_000, intervalMs: 60_000 } }, { name: 'other' }],
});

beforeAll(async () => {
  store = new RedisLimitStore({ url: redis.url, commandTimeoutMs: 1_000 });
  await store.ready(5_000);
  admin = new Redis(redis.url);
  admin.on('error', () => undefined);
  ends.push(() => admin.disconnect());
  const bans = new BanBook(store);
  const suspicions = new SuspicionBook(store);
  const view = new LimitView(snapshot, { limits: store, lasting: store }, bans, clock);
  const server = createServer({ telemetry: captureTelemetry(), interceptors: [requireScope({ key, clock })] });
  server.add(
    LimitServiceService,
    limitHandlers({ bans, greylist: new GreylistDesk(admin), suspicions, staleRules: () => stale, view: () => view }),
  );
  port = await server.listen({ host: '127.0.0.1', port: 0 });
  ends.push(() => server.stop());
});
afterAll(async () => {
  for (const end of ends) await end();
  await store.close();
});

function as(service: string, tenant = '*') {
  const client = createClient(LimitServiceClient, {
    address: `127.0.0.1:${port}`,
    telemetry: captureTelemetry(),
    deadlineMs: 5_000,
    scope: createScopeSource({ service, key, clock, tenant }),
  });
  ends.push(() => client.close());
  return client;
}

test('shows what the edge counted, by the limits that hold for the address', async () => {
  const limiter = new ConnectionLimiter({ store, clock, service: 'smtp', incarnation: 'edge-1', beatMs: 50 });
  await limiter.start();
  const scopes = [{ name: 'set:office', limits: { simultaneousPerAddress: 40 } }];
  await vi.waitFor(
    async () => expect((await limiter.admit({ address: '192.0.2.1', scopes })).kind).toBe('admitted'),
    5_000,
  );
  await limiter.start();
  const rates = new RateLimiter({ store, clock, livePods: () => 1 });
  await rates.take(
    { kind: 'address', id: '192.0.2.1' },
    { bytes: 900 },
    { bytes: { count: 1_000_000, intervalMs: 3_600_000 } },
  );
  const client = as('provisioning');
  const shown = await client.call(client.rpc.showLimits, { subject: '192.0.2.1' });
  expect(shown).toMatchObject({ kind: 'address', countedAs: '192.0.2.1', ipSet: 'office', ban: undefined });
  const read = shown.limits.map(({ scope, kind, limit, used }) => [scope, kind, limit, used]);
  expect(read).toContainEqual(['set:office', 'simultaneous-per-address', 40, expect.any(Number)]);
  expect(read.some(([scope, kind]) => scope === 'service' && kind === 'simultaneous-per-address')).toBe(false);
  expect(read).toContainEqual(['service', 'simultaneous', 50, 0]);
  expect(read).toContainEqual(['listener:submission', 'new-per-address-per-interval', 9, 0]);
  expect(read).toContainEqual(['address', 'bytes', 1_000_000, 900]);
  expect(read).toContainEqual(['errors', 'bad_command', 7, 0]);
  expect(shown.limits.find(({ kind }) => kind === 'bytes')?.resetMs).toBeGreaterThan(3_500_000);
  await limiter.stop();
});

test.each([
  ['203.0.113.200', ['mx: access rule: listener mx, 203.0.113.128/25, priority 2']],
  ['203.0.113.7', []],
])('%s may not connect to %j', async (subject, denied) => {
  const client = as('provisioning');
  expect((await client.call(client.rpc.showLimits, { subject })).denied).toEqual(denied);
});

test.each([
  ['127.0.0.9', 'loopback'],
  ['10.9.1.1', 'trusted proxy'],
  ['203.0.113.7', 'filter of listener filtered'],
  ['198.51.100.7', 'trusted IP set partners'],
  ['192.0.2.1', ''],
])('%s is exempt from counting errors: %s', async (subject, exempt) => {
  const client = as('provisioning');
  const shown = await client.call(client.rpc.showLimits, { subject });
  expect(shown.exempt).toBe(exempt);
  expect(shown.limits.some(({ scope }) => scope === 'errors')).toBe(exempt === '');
});

test('of a login its messages and its failures, of a tenant what it submits', async () => {
  await new LoginAttempts(store, clock).failed('a@acme.test', { limit: 30, windowMs: 60_000 }, 'anyone');
  await new LoginAttempts(store, clock).failed('a@acme.test', { limit: 30, windowMs: 60_000 }, 'trusted');
  const client = as('provisioning', 'acme');
  const user = await client.call(client.rpc.showLimits, { subject: 'a@acme.test' });
  expect(user.limits.map(({ scope, kind, limit, used }) => [scope, kind, limit, used])).toEqual([
    ['user, by the operator', 'messages', 100, 0],
    ['user, by its tenant', 'bytes', 9_000, 0],
    ['account', 'failed_login', 30, 1],
    ['account, from trusted clients', 'failed_login', 30, 1],
  ]);
  const tenant = await client.call(client.rpc.showLimits, { subject: 'acme' });
  expect(tenant.limits.map(({ scope, kind, limit }) => [scope, kind, limit])).toEqual([['tenant', 'recipients', 500]]);
});

test.each([
  ['provisioning', 'acme', '192.0.2.1', 'permission-denied'],
  ['provisioning', 'acme', 'other', 'permission-denied'],
  ['provisioning', 'other', 'a@acme.test', 'permission-denied'],
  ['provisioning', 'acme', 'a@unknown.test', 'permission-denied'],
  ['edge', '*', '192.0.2.1', 'permission-denied'],
  ['provisioning', '*', 'nobody', 'invalid-argument'],
])('%s for %s asking about %s: %s', async (service, tenant, subject, id) => {
  const client = as(service, tenant);
  await expect(client.call(client.rpc.showLimits, { subject })).rejects.toMatchObject({ id });
});

test('a ban reaches the list of a pod, is shown, and is lifted', async () => {
  const client = as('provisioning');
  const pod = new BanList({ book: new BanBook(store), clock });
  const request = { address: '2001:db8::5', lengthMs: 60_000, reason: 'noise', actor: 'k1', force: false };
  expect(await client.call(client.rpc.addBan, request)).toEqual({ client: '2001:db8::/64' });
  await pod.refresh();
  expect(pod.find('2001:db8:0:0:0:0:0:0/64')?.reason).toBe('noise');
  const { bans, total } = await client.call(client.rpc.listBans, {});
  expect([bans[0]?.client, bans[0]?.by, total]).toEqual(['2001:db8::/64', 'k1', 1]);
  expect((await client.call(client.rpc.showLimits, { subject: '2001:db8::9' })).ban?.reason).toBe('noise');
  expect(await client.call(client.rpc.liftBan, { address: '2001:db8::/64' })).toMatchObject({
    client: '2001:db8::/64',
    wasBanned: true,
  });
  await pod.refresh();
  expect(pod.size).toBe(0);
});

test.each([
  [{ address: 'nonsense', lengthMs: 60_000 }, /expected an IP address/],
  [{ address: '203.0.113.0/24', lengthMs: 60_000 }, /address: "203\.0\.113\.0\/24" is not allowed; .* an access rule/],
  [{ address: '2001:db8::/48', lengthMs: 60_000 }, /expected an IP address or its \/64; .* an access rule/],
  [{ address: '192.0.2.1', lengthMs: 10 }, /expected one second to one year/],
  [{ address: '10.9.1.1', lengthMs: 60_000 }, /trusted proxy/],
  [{ address: '10.9.1.1', lengthMs: 60_000, force: true }, /trusted proxy/],
  [{ address: '127.0.0.9', lengthMs: 60_000 }, /loopback.*--force/],
  [{ address: '::1', lengthMs: 60_000 }, /loopback/],
  [{ address: '::ffff:127.0.0.1', lengthMs: 60_000 }, /loopback/],
  [{ address: '198.51.100.7', lengthMs: 60_000 }, /trusted IP set partners.*--force/],
])('%o is refused', async (request, message) => {
  const client = as('provisioning');
  const ban = { reason: '', actor: 'k', force: false, ...request };
  await expect(client.call(client.rpc.addBan, ban)).rejects.toThrow(message);
  const tenant = as('provisioning', 'acme');
  await expect(tenant.call(tenant.rpc.addBan, ban)).rejects.toMatchObject({ id: 'permission-denied' });
});

test('what is hardly meant is banned when it is said twice', async () => {
  const client = as('provisioning');
  const ban = { address: '127.0.0.9', lengthMs: 60_000, reason: '', actor: 'k', force: true };
  expect(await client.call(client.rpc.addBan, ban)).toEqual({ client: '127.0.0.9' });
  expect(await client.call(client.rpc.liftBan, { address: '127.0.0.9' })).toMatchObject({ wasBanned: true });
});

test('greylisting is shown and forgotten, by triplet, origin and as a whole', async () => {
  const store = redisGreylist(admin, () => undefined);
  const ask = (client: string) => {
    const times = { delayMs: 0, windowMs: 60_000, rememberMs: 60_000, autoAllow: 0, dryRun: false };
    return store.ask({ origin: client, reversePath: 'a@b.test', recipient: 'c@acme.test', ...times });
  };
  const triplet = { client: 'pool.test', reversePath: 'A@b.test', recipient: 'c@acme.test' };
  const client = as('provisioning');
  const state = async () => (await client.call(client.rpc.showGreylist, triplet)).state;
  expect(await state()).toBe('new');
  expect((await ask('pool.test')).outcome).toBe('new');
  expect(await state()).toBe('waiting');
  expect((await ask('pool.test')).outcome).toBe('passed');
  expect(await client.call(client.rpc.showGreylist, triplet)).toMatchObject({ state: 'passed', originPassed: 1 });
  expect(await client.call(client.rpc.clearGreylist, { ...triplet, all: false })).toEqual({ cleared: 2 });
  expect(await state()).toBe('new');
  await ask('pool.test');
  await ask('other.test');
  const everything = { client: '', reversePath: '', recipient: '', all: true };
  expect(await client.call(client.rpc.clearGreylist, everything)).toEqual({ cleared: 2 });
  await expect(client.call(client.rpc.clearGreylist, { ...everything, client: 'x.test' })).rejects.toThrow(/either/);
  for (const nonsense of ['nonsense', '1.2.3', '192.0.2.0/24', 'a b.test', 'a@b.test']) {
    const refusal = /client: ".*" is not allowed; expected an IP address, or a domain SPF passed for/;
    const asked = { ...triplet, client: nonsense };
    await expect(client.call(client.rpc.showGreylist, asked)).rejects.toThrow(refusal);
    await expect(client.call(client.rpc.clearGreylist, { ...asked, all: false })).rejects.toThrow(refusal);
  }
  const tenant = as('provisioning', 'acme');
  await expect(tenant.call(tenant.rpc.clearGreylist, everything)).rejects.toMatchObject({ id: 'permission-denied' });
});

test('why rules in use are older than the snapshot is told to operators', async () => {
  const operator = as('provisioning');
  expect(await operator.call(operator.rpc.listSuspicions, {})).toMatchObject({ staleRules: '' });
  stale = 'twice id: is used by another rule';
  expect(await operator.call(operator.rpc.listSuspicions, {})).toMatchObject({ staleRules: stale });
});

test('suspicions of the edges are for operators', async () => {
  await new SuspicionBook(store).note('mx', 'source_nat', '10.0.0.1');
  const operator = as('provisioning');
  expect(await operator.call(operator.rpc.listSuspicions, {})).toMatchObject({
    suspicions: [{ listener: 'mx', kind: 'source_nat', address: '10.0.0.1' }],
  });
  const tenant = as('provisioning', 'acme');
  await expect(tenant.call(tenant.rpc.listSuspicions, {})).rejects.toMatchObject({ id: 'permission-denied' });
});
