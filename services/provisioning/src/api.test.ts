import { readFile, stat, writeFile } from 'node:fs/promises';
import { isPosternError } from '@postern/errors';
import { SimulateRequest } from '@postern/proto/policy/v1/policy_service';
import { withNats, withPostgres } from '@postern/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { operatorScope } from './database/tenant-scope.js';
import { isUser } from './forward-limits.js';
import { eventually, openTestDatabase, type TestDatabase } from './testing/ground.js';
import { startService, type TestService } from './testing/service.js';

const nats = withNats();
const postgres = withPostgres();
let database: TestDatabase;
let service: TestService;

const operatorYaml = `
hostname: mx.example.test
defaultNextHop: mailbox
nextHops: { mailbox: { hosts: [{ host: 127.0.0.1, port: 2600, tls: none }] } }
tenants:
  - name: acme
    domains: [{ name: acme.test }]
    users: [{ address: alice@acme.test, password: wonderland-1 }]
    messageLimit: { messages: 100 }
rules:
  - { id: from-file, event: rcpt, then: [{ tag: { name: file } }] }
  - { tenant: acme, scope: acme.test, id: of-acme, event: rcpt, then: [{ tag: { name: file } }] }
`;

beforeAll(async () => {
  database = await openTestDatabase(postgres);
  service = await startService(database, nats, operatorYaml);
});

afterAll(async () => {
  await service?.stop();
  await database?.close();
});

const tenant = {
  name: 'beta',
  displayName: 'Beta',
  state: '',
  etag: '',
  createdAtMs: 0,
  weight: 0,
  messageLimit: undefined,
  userMessageLimit: undefined,
};
const domain = {
  name: 'Beta.TEST',
  tenant: 'beta',
  nextHop: '',
  validateRecipients: true,
  catchAll: '',
  verified: false,
  verification: '',
  etag: '',
};
const user = {
  address: 'Bob@beta.test',
  tenant: '',
  password: 'long-enough-1',
  displayName: '',
  disabled: false,
  etag: '',
  allowedIdentities: [],
  recoverablePassword: false,
  hasPassword: false,
  expiresAtMs: 0,
};
/** Of a rule that is sent. */
const asGiven = { priority: 0, inFile: false };
const request = (parameters: Record<string, string>, username = 'alice@acme.test', mechanism = 'PLAIN') => ({
  username,
  mechanism,
  parameters: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, Buffer.from(value)])),
  channelBinding: Buffer.alloc(0),
  sessionId: '01J00000000000000000000000',
  clientAddress: '192.0.2.1',
});

/** The id and detail a call fails with. */
async function refusal(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!isPosternError(error)) throw new Error(`expected a refusal, got ${String(error)}`);
  return `${error.id}: ${error.detail}`;
}

test('the operator key is made once, readable by its owner only', async () => {
  expect((await stat(service.keyFile)).mode & 0o777).toBe(0o600);
});

describe('access', () => {
  test.each([
    ['no key', {}, /^unauthenticated/],
    [
      'a wrong key',
      { metadata: { authorization: `Bearer postern_bootstrap_${'A'.repeat(43)}` } },
      /^unauthenticated: the API key is not known/,
    ],
    ['rubbish', { metadata: { authorization: 'Basic YTpi' } }, /^unauthenticated/],
  ])('%s is refused', async (_name, per, expected) => {
    const { api } = service;
    expect(await refusal(api.call(api.rpc.listTenants, { pageSize: 0, pageToken: '' }, per))).toMatch(expected);
  });
});

test('tenant, domain, user: created, idempotent, listed in pages, changed with etags, deleted', async () => {
  const { api } = service;
  const as = service.as();
  const created = await api.call(api.rpc.createTenant, { tenant, requestId: 'r-1' }, as);
  expect(created.tenant).toMatchObject({ name: 'beta', state: 'active', weight: 1, etag: '"1"' });
  expect(await api.call(api.rpc.createTenant, { tenant, requestId: 'r-1' }, as)).toEqual(created);
  expect(
    await refusal(api.call(api.rpc.createTenant, { tenant: { ...tenant, weight: 3 }, requestId: 'r-1' }, as)),
  ).toMatch(/^failed-precondition: request_id/);
  expect(await refusal(api.call(api.rpc.createTenant, { tenant, requestId: '' }, as))).toMatch(/^already-exists/);

  const { domain: made } = await api.call(api.rpc.createDomain, { domain, requestId: '', assumeVerified: true }, as);
  expect(made).toMatchObject({ name: 'beta.test', verified: true });
  const { user: bob } = await api.call(api.rpc.createUser, { user, requestId: '' }, as);
  expect(bob).toMatchObject({ address: 'bob@beta.test', tenant: 'beta', password: '' });
  for (const n of [1, 2, 3]) {
    await api.call(
      api.rpc.createUser,
      { user: { ...user, address: `u${n}@beta.test`, password: '' }, requestId: '' },
      as,
    );
  }
  const first = await api.call(api.rpc.listUsers, { domain: 'beta.test', tenant: '', pageSize: 3, pageToken: '' }, as);
  const second = await api.call(
    api.rpc.listUsers,
    { domain: 'beta.test', tenant: '', pageSize: 3, pageToken: first.nextPageToken },
    as,
  );
  expect([...first.users, ...second.users].map((entry) => entry.address)).toEqual([
    'bob@beta.test',
    'u1@beta.test',
    'u2@beta.test',
    'u3@beta.test',
  ]);
  expect(second.nextPageToken).toBe('');
  expect([...first.users, ...second.users].map(({ hasPassword }) => hasPassword)).toEqual([true, false, false, false]);
  const ofTenant = async (name: string) =>
    (await api.call(api.rpc.listUsers, { domain: '', tenant: name, pageSize: 0, pageToken: '' }, as)).users;
  expect(await ofTenant('beta')).toHaveLength(4);
  expect((await ofTenant('acme')).every(({ tenant: name }) => name === 'acme')).toBe(true);

  const update = { user: { ...user, displayName: 'Bob', disabled: true, etag: '"1"' }, updateMask: ['displayName'] };
  expect((await api.call(api.rpc.updateUser, update, as)).user).toMatchObject({
    displayName: 'Bob',
    disabled: false,
    etag: '"2"',
  });
  expect(await refusal(api.call(api.rpc.updateUser, update, as))).toMatch(
    /^failed-precondition: etag: "1" is not the current one, "2"/,
  );
  expect(await refusal(api.call(api.rpc.updateUser, { ...update, updateMask: ['password'] }, as))).toMatch(
    /^invalid-argument: update_mask/,
  );
  await api.call(api.rpc.deleteUser, { address: 'u3@beta.test' }, as);
  expect(await refusal(api.call(api.rpc.getUser, { address: 'u3@beta.test' }, as))).toMatch(
    /^not-found: user "u3@beta\.test" does not exist/,
  );
  const seen = async (pageSize: number, pageToken: string, key = as, filter = {}) => {
    const request = { tenant: '', method: '', resource: '', sinceMs: 0, pageSize, pageToken, ...filter };
    return api.call(api.rpc.listAudit, request, key);
  };
  const newest = await seen(2, '');
  expect(newest.entries[0]).toMatchObject({ tenant: 'beta', method: 'DeleteUser', resource: 'u3@beta.test' });
  const next = await seen(2, newest.nextPageToken);
  expect([...newest.entries, ...next.entries].map(({ atMs }) => atMs)).toEqual(
    [...newest.entries, ...next.entries].map(({ atMs }) => atMs).sort((one, other) => other - one),
  );
  expect(next.entries).not.toEqual(newest.entries);
  expect(await refusal(seen(2, 'AAAA'))).toMatch(/^invalid-argument: page_token/);
  const usersMade = await seen(0, '', as, { tenant: 'beta', method: 'CreateUser' });
  expect(usersMade.entries).toHaveLength(4);
  expect(usersMade.entries.every(({ actor }) => actor !== '')).toBe(true);
  const trail = await database.admin.query("SELECT method FROM config.audit WHERE tenant = 'beta' ORDER BY id");
  expect(trail.rows.map((row) => row.method)).toEqual(
    expect.arrayContaining(['CreateTenant', 'CreateDomain', 'CreateUser', 'UpdateUser', 'DeleteUser']),
  );
});

test.each([
  [
    'a password too short',
    () => ({ ...user, address: 'x@beta.test', password: 'short' }),
    /^invalid-argument: user\.password: 5 characters; expected 8 to 1024/,
  ],
  ['no address', () => ({ ...user, address: 'nobody' }), /^invalid-argument: user\.address: "nobody" is not allowed/],
  ['a domain that is not there', () => ({ ...user, address: 'x@gamma.test' }), /^not-found: domain "gamma\.test"/],
  [
    'an address taken',
    () => ({ ...user, address: 'alice@acme.test' }),
    /^already-exists: user "alice@acme\.test" is taken already$/,
  ],
  [
    'the identity of another tenant',
    () => ({ ...user, address: 'y@beta.test', allowedIdentities: ['alice@acme.test'] }),
    /^invalid-argument: user\.allowed_identities/,
  ],
])('a user with %s is refused by field', async (_name, make, expected) => {
  const { api } = service;
  const answer = await refusal(api.call(api.rpc.createUser, { user: make(), requestId: '' }, service.as()));
  expect(answer).toMatch(expected);
  expect(answer).not.toContain('short');
});

const blank = {
  nextHop: '',
  validateRecipients: true,
  catchAll: '',
  verified: false,
  verification: '',
  etag: '',
};
const hop = { host: 'h.test', port: 25, protocol: 'smtp', tls: '', username: '', password: '' };

test('a name that is taken, or a tenant that is not there, is named; whose it is stays unsaid', async () => {
  const { api } = service;
  const as = service.as();
  const create = (tenant: string, name: string) => {
    const domain = { ...blank, tenant, name };
    return refusal(api.call(api.rpc.createDomain, { domain, requestId: '', assumeVerified: false }, as));
  };
  const another = { ...tenant, displayName: '', weight: 1 };
  expect(await refusal(api.call(api.rpc.createTenant, { tenant: another, requestId: '' }, as))).toBe(
    'already-exists: tenant "beta" is taken already',
  );
  expect(await create('beta', 'ACME.test')).toBe('already-exists: domain "acme.test" is taken already');
  expect(await create('nobody', 'new.test')).toBe('not-found: tenant "nobody" does not exist');
  const route = { tenant: 'nobody', name: 'r', hosts: [hop], egressPool: '', etag: '' };
  expect(await refusal(api.call(api.rpc.putRoute, { route }, as))).toBe('not-found: tenant "nobody" does not exist');
});

test('a route leaves by a declared egress pool', async () => {
  const { api } = service;
  const put = (egressPool: string) =>
    api.call(
      api.rpc.putRoute,
      { route: { tenant: 'beta', name: 'pooled', hosts: [hop], egressPool, etag: '' } },
      service.as(),
    );
  expect(await refusal(put('nosuch'))).toBe(
    'invalid-argument: route.egress_pool: "nosuch" is not allowed; expected one of default (provisioning.egressPools)',
  );
  expect((await put('default')).route?.egressPool).toBe('default');
  const rule = (egressPool: string) => {
    const document = `event: relay\nthen:\n- route: { egressPool: ${egressPool} }\n`;
    const rule = { id: 'pooled', tenant: '', scope: '', version: 0, document, etag: '', priority: 0, inFile: false };
    return api.call(api.rpc.putRule, { rule }, service.as());
  };
  expect(await refusal(rule('nosuch'))).toMatch(
    /then\[0\]\.route\.egressPool: "nosuch" is not allowed; expected one of default/,
  );
  expect((await rule('default')).rule?.id).toBe('pooled');
  await api.call(api.rpc.deleteRule, { tenant: '', scope: '', id: 'pooled' }, service.as());
  await api.call(api.rpc.deleteRoute, { tenant: 'beta', name: 'pooled' }, service.as());
});

test('a route host with a login wants its password, once', async () => {
  const { api } = service;
  const put = (host: object) => {
    const route = { tenant: 'beta', name: 'login', hosts: [{ ...hop, ...host }], egressPool: '', etag: '' };
    return api.call(api.rpc.putRoute, { route }, service.as());
  };
  const missing = 'invalid-argument: route.hosts[0].password: missing; expected the password of "u"';
  expect(await refusal(put({ username: 'u' }))).toBe(missing);
  await put({ username: 'u', password: 'secret-one' });
  expect((await put({ username: 'u' })).route?.hosts).toMatchObject([{ username: 'u', password: '' }]);
  expect(await refusal(put({ username: 'u', port: 26 }))).toBe(missing);
  await api.call(api.rpc.deleteRoute, { tenant: 'beta', name: 'login' }, service.as());
});

test('aliases that lead to each other alone are refused; a ring with a mailbox is none', async () => {
  const { api } = service;
  const put = (name: string, ...targets: string[]) => {
    const alias = { address: `${name}@acme.test`, tenant: '', group: false, etag: '', targets };
    return api.call(
      api.rpc.putAlias,
      { alias: { ...alias, targets: targets.map((to) => `${to}@acme.test`) } },
      service.as(),
    );
  };
  await put('ring-a', 'ring-b');
  await put('ring-b', 'ring-c', 'ring-a', 'alice');
  await put('ring-c', 'ring-a');
  expect(await refusal(put('ring-b', 'ring-c', 'ring-a'))).toMatch(
    /^invalid-argument: alias\.targets: "ring-c@acme\.test, ring-a@acme\.test" is not allowed; expected a target that is no alias: ring-b@acme\.test and ring-a@acme\.test, ring-c@acme\.test lead to each other alone/,
  );
  expect(await refusal(put('ring-b', 'ring-b', 'RING-B'))).toBe(
    'invalid-argument: alias.targets: "ring-b@acme.test" is not allowed; expected another target: ring-b@acme.test would lead to itself alone; a mailbox is made as a user',
  );
  await put('ring-b', 'ring-b', 'alice');
  await put('ring-b', 'ring-c', 'nobody-yet');
  for (const name of ['ring-a', 'ring-b', 'ring-c'])
    await api.call(api.rpc.deleteAlias, { address: `${name}@acme.test`, etag: '' }, service.as());
});

test('the audit says what was set and on what was operated, bounded and without passwords', async () => {
  const { api } = service;
  const hosts = [{ ...hop, host: 'smart.test', port: 587, username: 'login', password: 'never-told-1' }];
  const route = { tenant: 'acme', name: 'audited', hosts, egressPool: '', etag: '' };
  await api.call(api.rpc.putRoute, { route }, service.as());
  const targets = Array.from({ length: 30 }, (_, index) => `u${index}@far.test`);
  const alias = { address: 'audited@acme.test', tenant: '', group: true, etag: '', targets };
  await api.call(api.rpc.putAlias, { alias }, service.as());
  const trail = async (resource: string) => {
    const page = { pageSize: 1, pageToken: '', tenant: '', method: '', sinceMs: 0 };
    return (await api.call(api.rpc.listAudit, { ...page, resource }, service.as())).entries[0]?.detail ?? '';
  };
  const told = await trail('audited');
  expect(told).not.toContain('never-told');
  expect(JSON.parse(told)).toEqual({
    hosts: [expect.stringMatching(/^smtp:\/\/smart\.test:587 tls \w+ as login$/)],
    pool: 'default',
  });
  const { targets: kept } = JSON.parse(await trail('audited@acme.test'));
  expect(kept).toHaveLength(21);
  expect(kept.at(-1)).toBe('and 10 more');
  await api.call(api.rpc.deleteAlias, { address: alias.address, etag: '' }, service.as());
  await api.call(api.rpc.deleteRoute, { tenant: 'acme', name: 'audited' }, service.as());
});

test('an address is no domain, and a login that has ended is not made', async () => {
  const { api } = service;
  const numeric = { domain: { ...domain, name: '127.0.0.1' }, requestId: '', assumeVerified: false };
  expect(await refusal(api.call(api.rpc.createDomain, numeric, service.as()))).toBe(
    'invalid-argument: domain.name: "127.0.0.1" is not allowed; expected a domain name such as example.com, not an address',
  );
  const ended = { user: { ...user, address: 'ended@acme.test', expiresAtMs: 1_000 }, requestId: '' };
  expect(await refusal(api.call(api.rpc.createUser, ended, service.as()))).toBe(
    'invalid-argument: user.expires_at_ms: "1000" is not allowed; expected a time to come, or 0 for never',
  );
});

test('limits of messages: an operator sets that of the tenant, the tenant that of its users', async () => {
  const { api } = service;
  const limit = { messages: 3, recipients: 0, bytes: 5_000_000_000, intervalMs: 0 };
  const apiKey = { id: '', tenant: 'beta', role: 'tenant-admin', secret: '', createdAtMs: 0, expiresAtMs: 0 };
  const made = (await api.call(api.rpc.createApiKey, { apiKey }, service.as())).apiKey?.secret ?? '';
  const update = (key: ReturnType<TestService['as']>, name: string, field: string, value: typeof limit) => {
    const mask = field === 'messageLimit' ? 'message_limit' : 'user_message_limit';
    return api.call(api.rpc.updateTenant, { tenant: { ...tenant, name, [field]: value }, updateMask: [mask] }, key);
  };
  const [operator, admin] = [service.as(), service.as(made)];
  const stored = { ...limit, intervalMs: 3_600_000 };
  expect((await update(operator, 'beta', 'messageLimit', limit)).tenant?.messageLimit).toEqual(stored);
  const both = (await update(admin, 'beta', 'userMessageLimit', { ...limit, messages: 2 })).tenant;
  expect(both).toMatchObject({ messageLimit: stored, userMessageLimit: { ...stored, messages: 2 } });
  const none = { messages: 0, recipients: 0, bytes: 0, intervalMs: 0 };
  expect((await update(operator, 'beta', 'messageLimit', none)).tenant?.messageLimit).toBeUndefined();

  expect(await refusal(update(admin, 'beta', 'messageLimit', limit))).toBe(
    'permission-denied: update_mask: message_limit is for operators',
  );
  expect(await refusal(update(admin, 'acme', 'userMessageLimit', limit))).toMatch(/^not-found/);
  expect(await refusal(update(operator, 'beta', 'userMessageLimit', { ...limit, intervalMs: 5 }))).toMatch(
    /^invalid-argument: tenant\.user_message_limit\.interval_ms: "5" is not allowed; expected 1000 to/,
  );
  expect(await refusal(update(operator, 'acme', 'messageLimit', limit))).toBe(
    'failed-precondition: tenant.message_limit: acme has one in the operator file',
  );
});

test('a tenant key sees and changes its own tenant only, a reader changes nothing', async () => {
  const { api } = service;
  const key = async (role: string): Promise<string> => {
    const apiKey = { id: '', tenant: 'beta', role, secret: '', createdAtMs: 0, expiresAtMs: 0 };
    return (await api.call(api.rpc.createApiKey, { apiKey }, service.as())).apiKey?.secret ?? '';
  };
  const admin = service.as(await key('tenant-admin'));
  const reader = service.as(await key('tenant-reader'));
  const page = { pageSize: 0, pageToken: '' };
  expect((await api.call(api.rpc.listTenants, page, admin)).tenants.map((entry) => entry.name)).toEqual(['beta']);
  expect((await api.call(api.rpc.listDomains, { ...page, tenant: 'acme' }, admin)).domains).toEqual([]);
  const audit = { ...page, tenant: '', method: '', resource: '', sinceMs: 0 };
  const { entries } = await api.call(api.rpc.listAudit, audit, admin);
  expect(entries[0]).toMatchObject({ method: 'CreateApiKey', role: 'operator', actor: '' });
  expect(new Set(entries.map((entry) => entry.tenant))).toEqual(new Set(['beta']));
  expect((await api.call(api.rpc.listAudit, { ...audit, tenant: 'acme' }, admin)).entries).toEqual([]);
  expect(await refusal(api.call(api.rpc.listAudit, audit, reader))).toMatch(/^permission-denied/);
  expect((await api.call(api.rpc.listUsers, { ...page, domain: 'acme.test', tenant: '' }, reader)).users).toEqual([]);
  expect((await api.call(api.rpc.listUsers, { ...page, domain: '', tenant: 'acme' }, reader)).users).toEqual([]);
  expect(
    await refusal(api.call(api.rpc.setPassword, { address: 'alice@acme.test', password: 'stolen-it-1' }, admin)),
  ).toMatch(/^not-found/);
  expect(await refusal(api.call(api.rpc.deleteDomain, { name: 'acme.test', etag: '' }, admin))).toMatch(/^not-found/);
  expect(
    await refusal(
      api.call(
        api.rpc.createDomain,
        { domain: { ...domain, name: 'acme.test' }, requestId: '', assumeVerified: false },
        admin,
      ),
    ),
  ).toMatch(/^already-exists/);
  expect(
    await refusal(
      api.call(
        api.rpc.createDomain,
        { domain: { ...domain, name: 'z.test' }, requestId: '', assumeVerified: true },
        admin,
      ),
    ),
  ).toMatch(/^permission-denied: assume_verified/);
  expect(
    await refusal(
      api.call(
        api.rpc.createDomain,
        { domain: { ...domain, name: 'z.test', tenant: 'acme' }, requestId: '', assumeVerified: false },
        admin,
      ),
    ),
  ).toMatch(/^permission-denied/);
  expect(await refusal(api.call(api.rpc.createTenant, { tenant, requestId: '' }, admin))).toMatch(
    /^permission-denied: the role tenant-admin/,
  );
  expect(await refusal(api.call(api.rpc.deleteUser, { address: 'bob@beta.test' }, reader))).toMatch(
    /^permission-denied/,
  );
  expect(
    await refusal(
      api.call(
        api.rpc.createApiKey,
        { apiKey: { id: '', tenant: '', role: 'operator', secret: '', createdAtMs: 0, expiresAtMs: 0 } },
        admin,
      ),
    ),
  ).toMatch(/^invalid-argument: api_key\.role/);
  expect(await refusal(api.call(api.rpc.getStatus, {}, admin))).toMatch(/^permission-denied/);
});

test('routes keep their sealed password, are refused while used, and their secrets go with them', async () => {
  const { api } = service;
  const as = service.as();
  const host = { host: 'mail.beta.test', port: 24, protocol: 'lmtp', tls: '', username: 'u', password: 'p4ssw0rd' };
  const route = { name: 'main', tenant: 'beta', hosts: [host], egressPool: '', etag: '' };
  const put = await api.call(api.rpc.putRoute, { route }, as);
  expect(put.route?.hosts[0]).toMatchObject({ tls: 'opportunistic', password: '' });
  const stored = async (): Promise<{ sealed?: string }> =>
    (await database.admin.query("SELECT hosts FROM config.routes WHERE name = 'main'")).rows[0]?.hosts[0];
  const { sealed } = await stored();
  expect(sealed).toBeDefined();
  await api.call(api.rpc.putRoute, { route: { ...route, hosts: [{ ...host, password: '', tls: 'required' }] } }, as);
  expect((await stored()).sealed).toBe(sealed);
  const elsewhere = { ...host, host: 'elsewhere.test' };
  const moved = { ...route, hosts: [{ ...elsewhere, password: '' }] };
  expect(await refusal(api.call(api.rpc.putRoute, { route: moved }, as))).toMatch(/hosts\[0\]\.password: missing/);
  await api.call(api.rpc.putRoute, { route: { ...route, hosts: [elsewhere] } }, as);
  expect((await stored()).sealed).not.toBe(sealed);
  await api.call(api.rpc.putRoute, { route: { ...route, hosts: [{ ...elsewhere, username: '', password: '' }] } }, as);
  expect((await stored()).sealed).toBeUndefined();
  await api.call(api.rpc.updateDomain, { domain: { ...domain, nextHop: 'main' }, updateMask: ['next_hop'] }, as);
  const document = (to: string) => `event: relay\nthen:\n  - route: { to: ${to} }`;
  const rule = (to: string) => ({
    id: 'way',
    tenant: '',
    version: 0,
    document: document(to),
    etag: '',
    scope: '',
    ...asGiven,
  });
  expect(await refusal(api.call(api.rpc.putRule, { rule: rule('nosuch') }, as))).toMatch(
    /^invalid-argument: rule\.document:3: then\[0\]\.route\.to: "nosuch" is not allowed; expected one of .*\bbeta\/main\b/,
  );
  for (const to of ['beta/main', 'mailbox'])
    expect((await api.call(api.rpc.putRule, { rule: rule(to) }, as)).rule?.id).toBe('way');
  expect(await refusal(api.call(api.rpc.deleteRoute, { tenant: 'beta', name: 'main' }, as))).toMatch(
    /^failed-precondition: route main is used by beta\.test$/,
  );
  await api.call(api.rpc.putRule, { rule: rule('beta/main') }, as);
  expect(await refusal(api.call(api.rpc.deleteRoute, { tenant: 'beta', name: 'main' }, as))).toMatch(
    /^failed-precondition: route main is used by beta\.test, rule way$/,
  );
  await api.call(api.rpc.deleteRule, { tenant: '', id: 'way', scope: '' }, as);
  expect(await refusal(api.call(api.rpc.deleteRoute, { tenant: 'beta', name: 'main' }, as))).toMatch(
    /^failed-precondition: route main is used by beta\.test/,
  );
  expect(
    await refusal(
      api.call(api.rpc.updateDomain, { domain: { ...domain, nextHop: 'nope' }, updateMask: ['next_hop'] }, as),
    ),
  ).toMatch(/^invalid-argument: domain\.next_hop: "nope" is not allowed; expected one of main, mailbox/);
});

test('a rule that does not compile is refused with line and hint, one that does is in the snapshot', async () => {
  const { api } = service;
  const as = service.as();
  const put = (document: string) =>
    api.call(
      api.rpc.putRule,
      { rule: { id: 'big', tenant: 'beta', version: 0, document, etag: '', scope: '', ...asGiven } },
      as,
    );
  expect(
    await refusal(put('event: rcpt\nwhen: sender.domian == "x"\nthen: [{ reject: { code: 550, text: no } }]')),
  ).toMatch(/^invalid-argument: rule\.document:2: when/);
  const at = 'is not allowed \\(line 1, column \\d+ of the condition\\)';
  for (const [when, hint] of [
    ['sender.address == 3', 'write both sides in the same type'],
    ['helo == "x" && helo', 'write a comparison on each side'],
    ['helo', 'compare it with something'],
    ['helo.inDomian("x")', 'did you mean inDomain\\?'],
  ]) {
    const told = await refusal(put(`event: rcpt\nwhen:\n  - esmtp\n  - >-\n    ${when}\nthen: [discard]`));
    expect(told).toMatch(new RegExp(`^invalid-argument: rule\\.document:4: when\\[1\\]: .*${at}: .*; ${hint}`));
  }
  expect(await refusal(put('{'))).toMatch(/^invalid-argument: rule\.document/);
  const saved = await put(
    'event: rcpt\nwhen: sender.domain == "x.test"\nthen: [{ reject: { code: 550, text: "no" } }]',
  );
  expect(saved.rule).toMatchObject({ version: 1, tenant: 'beta' });
});

test('an address a rule leads to: of another tenant refused, one that nobody has told', async () => {
  const { api } = service;
  const as = service.as();
  const put = (address: string, tenant = 'beta') => {
    const document = `event: rcpt\nthen: [{ redirect: { address: ${address} } }]`;
    return api.call(
      api.rpc.putRule,
      { rule: { id: 'lead', tenant, version: 0, document, etag: '', scope: '', ...asGiven } },
      as,
    );
  };
  expect(await refusal(put('alice@acme.test'))).toMatch(
    /^invalid-argument: rule\.document:2: then\[0\]\.redirect\.address: "alice@acme\.test" is not allowed; .*acme\.test is another tenant's/,
  );
  expect((await put('somebody@far.test')).warnings).toEqual([]);
  expect((await put('alice+x@acme.test', 'acme')).warnings).toEqual([]);
  expect((await put('nosuch@acme.test', 'acme')).warnings).toEqual([
    expect.stringMatching(/^nosuch@acme\.test: acme\.test has no such user/),
  ]);
  for (const tenant of ['acme', 'beta']) await api.call(api.rpc.deleteRule, { tenant, id: 'lead', scope: '' }, as);
});

test('a catch-all to an address nobody has is taken and told', async () => {
  const { api } = service;
  const update = async (catchAll: string) => {
    const wanted = { ...domain, name: 'acme.test', tenant: '', catchAll };
    return (await api.call(api.rpc.updateDomain, { domain: wanted, updateMask: ['catch_all'] }, service.as())).warnings;
  };
  expect(await update('nosuch@acme.test')).toEqual([
    'nosuch@acme.test: acme.test has no such user or alias yet; until it has, the catch-all of acme.test takes nothing and who is unknown is refused',
  ]);
  expect(await update('alice@acme.test')).toEqual([]);
  expect(await update('x@far.test')).toEqual([]);
  expect(await update('')).toEqual([]);
});

test('settings of checks are judged by field when saved, and found again; a scope must be of the tenant', async () => {
  const { api } = service;
  const as = service.as();
  const put = (document: string, scope = '', etag = '') =>
    api.call(api.rpc.putCheckSettings, { settings: { tenant: 'beta', scope, document, etag, notInEffect: [] } }, as);
  expect(await refusal(put('spf: { enabled: false }'))).toMatch(/^invalid-argument: spf\.enabled: the operator has/);
  expect(await refusal(put('- greylist'))).toMatch(
    /^invalid-argument: settings\.document: a list is not allowed; expected/,
  );
  const nobody = { tenant: 'nosuch', scope: '', document: 'spf: { onFail: reject }', etag: '', notInEffect: [] };
  expect(await refusal(api.call(api.rpc.putCheckSettings, { settings: nobody }, as))).toBe(
    'not-found: tenant "nosuch" does not exist',
  );
  expect(await refusal(put('country: { block: [UK] }'))).toMatch(
    /^invalid-argument: country\.block\[0\]: "UK" .* "GB"/,
  );
  expect(await refusal(put('greylist: { delay: soon }'))).toMatch(/^invalid-argument: greylist\.delay: "soon"/);
  expect(await refusal(put('spf: { onFail: reject }', 'elsewhere.test'))).toMatch(
    /^not-found: tenant beta has no domain elsewhere\.test/,
  );
  expect(await refusal(put('dnsbl: { enabled: true }'))).toMatch(
    /^invalid-argument: dnsbl\.enabled: is on, but no list is named; expected dnsbl\.zones or dnsbl\.lists/,
  );
  const saved = await put('spf: { onFail: reject }');
  expect((await put('greylist: { enabled: true }', '', saved.settings?.etag)).settings?.document).toContain('greylist');
  expect(await refusal(put('spf: { onFail: tag }', '', saved.settings?.etag))).toMatch(
    /^(aborted|failed-precondition)/,
  );
  const found = await api.call(api.rpc.getCheckSettings, { tenant: 'beta', scope: '', effective: false }, as);
  expect(found.settings?.document).toBe('greylist: { enabled: true }');
  expect((await put('')).settings?.document).toBe('');
});

describe('credentials', () => {
  test('the right password is verified, again from memory, whatever the case of the address', async () => {
    const { credentials } = service;
    const expected = { verified: true, authenticatedUser: 'alice@acme.test', tenant: 'acme' };
    expect(await credentials.call(credentials.rpc.verify, request({ password: 'wonderland-1' }))).toMatchObject(
      expected,
    );
    expect(
      await credentials.call(credentials.rpc.verify, request({ password: 'wonderland-1' }, 'ALICE@Acme.test', 'LOGIN')),
    ).toMatchObject(expected);
  });

  test.each([
    ['a wrong password', request({ password: 'wonderland-2' }), 'wrong password'],
    ['an unknown user', request({ password: 'x-x-x-x-x' }, 'nobody@acme.test'), 'unknown user'],
    ['no password at all', request({ password: '' }), 'malformed'],
    ['a name that is no address', request({ password: 'x' }, '\u0000'), 'unknown user'],
    ['another mechanism', request({}, 'alice@acme.test', 'NTLM'), 'unsupported'],
  ])('%s is not', async (_name, asked, reason) => {
    const { credentials } = service;
    expect(await credentials.call(credentials.rpc.verify, asked)).toMatchObject({
      verified: false,
      tenant: '',
      reason,
    });
  });

  test('an app password logs in until it expires or is removed, and is never told again', async () => {
    const { api, credentials } = service;
    const as = service.as();
    const address = 'alice@acme.test';
    const make = (name: string, expiresAtMs = 0) =>
      api.call(
        api.rpc.createAppPassword,
        { appPassword: { id: '', address, name, secret: '', createdAtMs: 0, expiresAtMs } },
        as,
      );
    const { appPassword } = await make('phone');
    const secret = appPassword?.secret ?? '';
    expect(secret).toMatch(/^(?:[a-km-np-z2-9]{4}-){4}[a-km-np-z2-9]{4}$/);
    const verify = async (password: string) =>
      (await credentials.call(credentials.rpc.verify, request({ password }))).verified;
    expect([await verify(secret), await verify(secret.replaceAll('-', '').toUpperCase())]).toEqual([true, true]);
    expect(await refusal(make('phone'))).toMatch(/^already-exists/);
    expect(await refusal(make('\n'))).toMatch(/^invalid-argument: app_password.name/);
    expect(await refusal(make('old', 1))).toMatch(/^invalid-argument: app_password.expires_at_ms/);
    const { appPasswords } = await api.call(api.rpc.listAppPasswords, { address }, as);
    expect(appPasswords).toMatchObject([{ name: 'phone', secret: '', address }]);
    await api.call(api.rpc.deleteAppPassword, { address, id: 'phone' }, as);
    expect(await verify(secret)).toBe(false);
    expect(await refusal(api.call(api.rpc.deleteAppPassword, { address, id: 'phone' }, as))).toMatch(/^not-found/);
  });

  test('a changed password, a disabled user and a suspended tenant are live at once', async () => {
    const { api, credentials } = service;
    const as = service.as();
    const verify = async (password: string) =>
      (await credentials.call(credentials.rpc.verify, request({ password }))).verified;
    const standing = async (username = 'Alice@acme.test') => {
      const found = await credentials.call(credentials.rpc.getStanding, { username, sessionId: '' });
      return found.usable ? `${found.authenticatedUser} ${found.tenant}` : found.reason;
    };
    expect([await standing(), await standing('ghost@acme.test'), await standing('no address')]).toEqual([
      'alice@acme.test acme',
      'unknown user',
      'unknown user',
    ]);
    expect(await verify('wonderland-1')).toBe(true);
    await api.call(api.rpc.setPassword, { address: 'alice@acme.test', password: 'looking-glass' }, as);
    expect([await verify('wonderland-1'), await verify('looking-glass')]).toEqual([false, true]);
    const alice = { ...user, address: 'alice@acme.test' };
    await api.call(api.rpc.updateUser, { user: { ...alice, disabled: true }, updateMask: ['disabled'] }, as);
    expect([await verify('looking-glass'), await standing()]).toEqual([false, 'disabled']);
    await api.call(api.rpc.updateUser, { user: { ...alice, disabled: false }, updateMask: ['disabled'] }, as);
    const expires = async (expiresAtMs: number) =>
      api.call(api.rpc.updateUser, { user: { ...alice, expiresAtMs }, updateMask: ['expires_at_ms'] }, as);
    await expires(Date.now() - 1);
    expect(await credentials.call(credentials.rpc.verify, request({ password: 'looking-glass' }))).toMatchObject({
      verified: false,
      reason: 'expired',
    });
    expect(await standing()).toBe('expired');
    await expires(Date.now() + 60_000);
    expect(await verify('looking-glass')).toBe(true);
    await expires(0);
    expect(await verify('looking-glass')).toBe(true);
    const suspended = { ...tenant, name: 'acme', state: 'suspended' };
    await api.call(api.rpc.updateTenant, { tenant: suspended, updateMask: ['state'] }, as);
    expect([await verify('looking-glass'), await standing()]).toEqual([false, 'tenant suspended']);
    await api.call(api.rpc.updateTenant, { tenant: { ...suspended, state: 'active' }, updateMask: ['state'] }, as);
    expect(await verify('looking-glass')).toBe(true);
  });

  test('challenges of unknown users are stable and look like those of known ones', async () => {
    const { credentials } = service;
    const ask = (username: string) =>
      credentials.call(credentials.rpc.getChallenge, { username, mechanism: 'SCRAM-SHA-256', sessionId: '' });
    const [known, unknown, again] = [
      await ask('alice@acme.test'),
      await ask('ghost@acme.test'),
      await ask('Ghost@acme.test'),
    ];
    expect(unknown).toEqual(again);
    expect([unknown.salt.length, unknown.iterations]).toEqual([known.salt.length, known.iterations]);
    expect(Buffer.from(unknown.salt).equals(Buffer.from(known.salt))).toBe(false);
  });

  test('only the edge may ask', async () => {
    const { credentials } = service;
    expect(
      await refusal(credentials.call(credentials.rpc.verify, request({ password: 'x' }), { scope: 'forged.token' })),
    ).toMatch(/^unauthenticated/);
  });
});

test('status reports what the streams guarantee and what is away', async () => {
  const { api } = service;
  await eventually(3_000, async () => (await api.call(api.rpc.getStatus, {}, service.as())).outboxPending === 0);
  const status = await api.call(api.rpc.getStatus, {}, service.as());
  expect(status.snapshotVersion).toBeGreaterThan(0);
  expect(status.streams.find((stream) => stream.name === 'SPOOL')).toMatchObject({
    storage: 'file',
    replicas: 1,
    sync: 'always',
  });
  expect(status.dependencies.map((entry) => [entry.name, entry.state])).toEqual([
    ['database', 'ok'],
    ['nats', 'ok'],
    ['queue', 'degraded'],
    ['policy', 'degraded'],
  ]);
  expect(status.refusedOperatorFile).toBeUndefined();
});

test('status says why the operator file on disk is not in effect, until it is', async () => {
  const { api } = service;
  const refused = async () => (await api.call(api.rpc.getStatus, {}, service.as())).refusedOperatorFile;
  const good = await readFile(service.operatorFile, 'utf8');
  await writeFile(service.operatorFile, `${good}\nretry: { first: 9h, cap: 1h }\n`);
  await eventually(5_000, async () => (await refused()) !== undefined);
  expect((await refused())?.problems).toEqual([
    expect.stringMatching(/operator\.yaml:\d+: retry\.cap: shorter than retry\.first; expected at least as long$/),
  ]);
  await writeFile(service.operatorFile, good);
  await eventually(5_000, async () => (await refused()) === undefined);
});

test('settings the operator has come to conflict with are told by status and get, and the way out when another field is changed', async () => {
  const { api } = service;
  const as = service.as();
  const put = (document: string) =>
    api.call(
      api.rpc.putCheckSettings,
      { settings: { tenant: 'beta', scope: '', document, etag: '', notInEffect: [] } },
      as,
    );
  const get = () => api.call(api.rpc.getCheckSettings, { tenant: 'beta', scope: '', effective: true }, as);
  const country = 'country: { enabled: true, block: [RU], onFail: reject }';
  await put(`spf: { onFail: reject }\n${country}\n`);
  const good = await readFile(service.operatorFile, 'utf8');
  await writeFile(service.operatorFile, `${good}\nchecks: { country: { enabled: true, block: [KP], onFail: mark } }\n`);
  await eventually(5_000, async () => ((await get()).settings?.notInEffect.length ?? 0) > 0);
  const { settings, effective } = await get();
  expect(settings?.notInEffect).toEqual([expect.stringMatching(/^country\.block: the operator has this check on/)]);
  const inForce = (field: string) => effective.filter((one) => one.field === field);
  expect(inForce('spf.onFail')).toEqual([{ field: 'spf.onFail', value: '"reject"', setBy: 'tenant beta' }]);
  expect(inForce('country.block')).toEqual([{ field: 'country.block', value: '["KP"]', setBy: 'operator' }]);
  expect((await api.call(api.rpc.getStatus, {}, as)).settingsNotInEffect).toEqual([
    expect.stringMatching(/^tenant beta: country\.block: /),
  ]);
  expect(await refusal(put(`${country}\n`))).toMatch(/not in effect: take it out with --unset country\.block/);
  expect((await put('spf: { onFail: tag }')).settings?.notInEffect).toEqual([]);
  await put('');
  await writeFile(service.operatorFile, good);
});

test('no secret was logged', () => {
  const log = JSON.stringify(service.lines);
  for (const secret of ['wonderland', 'looking-glass', 'long-enough', 'p4ssw0rd', 'stolen-it'])
    expect(log).not.toContain(secret);
});

test('recording of sessions is switched per tenant; without policy there is nothing to list', async () => {
  const { api } = service;
  const set = (name: string, on: boolean) => api.call(api.rpc.setSessionRecording, { tenant: name, on }, service.as());
  expect(await set('acme', true)).toEqual({ tenant: 'acme', on: true });
  expect(await refusal(set('nobody', true))).toMatch(/^not-found/);
  const list = api.call(api.rpc.listSessionRecordings, { query: { tenant: 'acme' } }, service.as());
  expect(await refusal(list)).toMatch(/^unimplemented/);
  expect(await set('acme', false)).toEqual({ tenant: 'acme', on: false });
});

test('rules of one priority are kept in the order in which they were first saved; an id in the document is that of the rule', async () => {
  const { api } = service;
  const put = (id: string, document: string) =>
    api.call(
      api.rpc.putRule,
      { rule: { id, tenant: 'acme', version: 0, document, etag: '', scope: '', ...asGiven } },
      service.as(),
    );
  const ids = ['zz', 'mm', 'aa'];
  for (const id of [...ids, 'zz']) await put(id, `id: ${id}\nevent: rcpt\nthen: [discard]`);
  await put('first', 'event: rcpt\npriority: 1\nthen: [discard]');
  const { rules } = await api.call(api.rpc.listRules, { tenant: 'acme', scope: '' }, service.as());
  expect(rules.filter(({ inFile }) => !inFile).map(({ id }) => id)).toEqual(['first', ...ids]);
  expect(await refusal(put('mine', 'event: rcpt\nid: other\nthen: [discard]'))).toBe(
    'invalid-argument: rule.document:2: id: "other" is not the id given; expected "mine", or no id',
  );
  const trying = [
    { id: 'good', document: 'event: rcpt\nthen: [discard]' },
    { id: 'bad', document: 'event: rcpt\nthen: [nonsense]' },
  ];
  const query = SimulateRequest.fromPartial({ tenant: 'acme', candidates: trying });
  expect(await refusal(api.call(api.rpc.simulateSession, { query, scene: undefined }, service.as()))).toMatch(
    /^invalid-argument: candidates\[1\]\.document:2: then\[0\]: "nonsense" is not an action/,
  );
  for (const id of [...ids, 'first'])
    await api.call(api.rpc.deleteRule, { tenant: 'acme', id, scope: '' }, service.as());
});

test('what a rule of a tenant does for submitted mail alone is taken with a warning', async () => {
  const { api } = service;
  const put = (event: string, action: string) => {
    const document = `event: ${event}\nthen: [${action}]`;
    const rule = { id: 'early', tenant: 'acme', version: 0, document, etag: '', scope: '', ...asGiven };
    return api.call(api.rpc.putRule, { rule }, service.as());
  };
  const told =
    /^then\[0\]: (changeSender at mail|setLimit\.errors at connect) is done for mail that is submitted here alone/;
  for (const [event, action] of [
    ['mail', '{ changeSender: { address: news@acme.test } }'],
    ['connect', '{ setLimit: { errors: 3 } }'],
  ] as const)
    expect((await put(event, action)).warnings).toEqual([expect.stringMatching(told)]);
  expect((await put('mail', 'reject')).warnings).toEqual([]);
  await api.call(api.rpc.deleteRule, { tenant: 'acme', id: 'early', scope: '' }, service.as());
});

test('a condition that some mail cannot be computed for is taken with a warning', async () => {
  const { api } = service;
  const put = (when: string) => {
    const document = `event: headers\nwhen: '${when}'\nthen: [reject]`;
    const rule = { id: 'fragile', tenant: '', version: 0, document, etag: '', scope: '', ...asGiven };
    return api.call(api.rpc.putRule, { rule }, service.as());
  };
  expect((await put('headers.first("X").split(",")[5] == "a"')).warnings).toEqual([
    expect.stringMatching(/^when:1:\d+: headers\.first\("X"\)\.split\(","\) may be shorter.* put off/),
  ]);
  expect((await put('headers.has("X")')).warnings).toEqual([]);
  await api.call(api.rpc.deleteRule, { tenant: '', id: 'fragile', scope: '' }, service.as());
});

test('an id that the operator file gives to a rule of the scope is refused when saved', async () => {
  const { api } = service;
  const put = (id: string, tenant: string, scope = '') =>
    api.call(
      api.rpc.putRule,
      { rule: { id, tenant, version: 0, document: 'event: rcpt\nthen: [discard]', etag: '', scope, ...asGiven } },
      service.as(),
    );
  const refused = (id: string) =>
    `invalid-argument: rule.id: "${id}" is not allowed; expected an id that no rule of the operator file has in this scope`;
  expect(await refusal(put('from-file', ''))).toBe(refused('from-file'));
  expect(await refusal(put('of-acme', 'acme', 'Acme.test'))).toBe(refused('of-acme'));
  for (const [id, tenant, scope] of [
    ['of-acme', '', ''],
    ['from-file', 'acme', ''],
    ['of-acme', 'acme', ''],
  ] as const) {
    expect((await put(id, tenant, scope)).rule?.id).toBe(id);
    await api.call(api.rpc.deleteRule, { tenant, id, scope }, service.as());
  }
});

test('rules of the operator file are listed in their order, to a tenant those of its own, and are not deleted here', async () => {
  const { api } = service;
  const names = async (tenant: string, key?: string) => {
    const { rules } = await api.call(api.rpc.listRules, { tenant, scope: '' }, service.as(key));
    return rules.map(({ id, inFile, priority }) => `${id} ${inFile ? 'file' : 'saved'} ${priority}`);
  };
  const put = (id: string, priority: number) => {
    const document = `event: rcpt\npriority: ${priority}\nthen: [discard]`;
    const rule = { id, tenant: '', version: 0, document, etag: '', scope: '', ...asGiven };
    return api.call(api.rpc.putRule, { rule }, service.as());
  };
  await put('first', 5);
  await put('last', 100);
  const all = await names('');
  expect(all.slice(0, 3)).toEqual(['first saved 5', 'from-file file 100', 'last saved 100']);
  expect(all).toContain('of-acme file 100');
  const reader = { id: '', tenant: 'acme', role: 'tenant-reader', secret: '', createdAtMs: 0, expiresAtMs: 0 };
  const { apiKey } = await api.call(api.rpc.createApiKey, { apiKey: reader }, service.as());
  const seen = await names('', apiKey?.secret);
  expect(seen).toContain('of-acme file 100');
  expect(seen.join()).not.toContain('from-file');
  expect(await refusal(api.call(api.rpc.deleteRule, { tenant: '', id: 'from-file', scope: '' }, service.as()))).toMatch(
    /^invalid-argument: id: "from-file" is not allowed; expected a saved rule: this one stands in the operator file/,
  );
  for (const id of ['first', 'last']) await api.call(api.rpc.deleteRule, { tenant: '', id, scope: '' }, service.as());
});

test('rules of a domain and of a user: owned by the tenant, ids of their own, gone with the domain', async () => {
  const { api } = service;
  const put = (scope: string, name = 'acme') =>
    api.call(
      api.rpc.putRule,
      {
        rule: {
          id: 'scoped',
          tenant: name,
          version: 0,
          document: 'event: rcpt\nthen: [discard]',
          etag: '',
          scope,
          ...asGiven,
        },
      },
      service.as(),
    );
  for (const scope of ['', 'acme.test', 'Alice@Acme.test'])
    expect((await put(scope)).rule).toMatchObject({ version: 1, scope: scope.toLowerCase() });
  expect(await refusal(put('elsewhere.test'))).toMatch(/^not-found: tenant acme has no domain elsewhere\.test/);
  expect(await refusal(put('acme.test', ''))).toMatch(/^invalid-argument: rule\.scope/);
  const list = async (scope: string) =>
    (await api.call(api.rpc.listRules, { tenant: 'acme', scope }, service.as())).rules
      .filter(({ inFile }) => !inFile)
      .map((rule) => rule.scope);
  expect(await list('')).toEqual(['', 'acme.test', 'alice@acme.test']);
  expect(await list('acme.test')).toEqual(['acme.test']);
  for (const scope of ['', 'acme.test', 'alice@acme.test'])
    await api.call(api.rpc.deleteRule, { tenant: 'acme', id: 'scoped', scope }, service.as());
  expect(await list('')).toEqual([]);
});

test.each([
  ['alice@acme.test', true],
  ['Alice@ACME.test', true],
  ['bob@acme.test', false],
  ['alice', false],
])('limits of %s are those of a user: %s', async (login, expected) => {
  expect(await isUser(database.withTenant, { scope: operatorScope }, login)).toBe(expected);
});
