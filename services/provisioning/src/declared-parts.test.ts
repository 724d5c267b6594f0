import { writeFile } from 'node:fs/promises';
import { withNats, withPostgres } from '@postern/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, openTestDatabase, type TestDatabase } from './testing/ground.js';
import { type PreparedService, prepareService, startPrepared, type TestService } from './testing/service.js';

const nats = withNats();
const postgres = withPostgres();
let database: TestDatabase;
let prepared: PreparedService;
let service: TestService;

const file = (more = '') => `
defaultNextHop: mailbox
nextHops: { mailbox: { hosts: [{ host: 127.0.0.1, port: 2600 }] } }
tenants:
  - name: acme
    weight: 3
    domains: [{ name: acme.test, checks: { spf: { onFail: reject } } }, { name: other.test }]
    routes: [{ name: spare, hosts: [{ host: mail.acme.test, port: 24, username: u, password: route-secret }] }]
    users:
      - { address: alice@acme.test, password: wonderland-1 }
      - { address: bob@acme.test, password: wonderland-2 }
      - { address: carol@other.test, password: wonderland-3 }
    aliases: [{ address: all@acme.test, targets: [alice@acme.test] }, { address: info@acme.test, targets: [bob@acme.test] }]
${more}`;

beforeAll(async () => {
  database = await openTestDatabase(postgres);
  prepared = await prepareService(database, nats, file());
  service = await startPrepared(prepared);
});

afterAll(async () => {
  await service?.stop();
  await database?.close();
});

async function addresses(): Promise<string[]> {
  const { rows } = await database.admin.query(
    'SELECT address FROM config.users UNION ALL SELECT address FROM config.aliases ORDER BY address',
  );
  return rows.map(({ address }) => address);
}

async function login(address: string, password: string): Promise<boolean> {
  const { credentials } = service;
  const answer = await credentials.call(credentials.rpc.verify, {
    username: address,
    mechanism: 'PLAIN',
    parameters: { password: Buffer.from(password) },
    channelBinding: Buffer.alloc(0),
    sessionId: '',
    clientAddress: '',
  });
  return answer.verified;
}

test('what the file declares comes back with its next change or start, is told so at deletion, and leaves the rest as the API changed it', async () => {
  const { api } = service;
  const as = service.as();
  const told = (part: string) => ({
    warnings: [expect.stringMatching(new RegExp(`^${part} stands in the operator file and comes back`))],
  });
  expect(await api.call(api.rpc.deleteUser, { address: 'alice@acme.test' }, as)).toEqual(
    told('user alice@acme\\.test'),
  );
  expect(await api.call(api.rpc.deleteAlias, { address: 'all@acme.test' }, as)).toEqual(told('alias all@acme\\.test'));
  expect(await api.call(api.rpc.deleteAlias, { address: 'info@acme.test' }, as)).toEqual(
    told('alias info@acme\\.test'),
  );
  expect(await api.call(api.rpc.deleteDomain, { name: 'other.test', etag: '' }, as)).toEqual(
    told('domain other\\.test'),
  );
  expect(await api.call(api.rpc.deleteRoute, { tenant: 'acme', name: 'spare' }, as)).toEqual(told('route spare'));
  // An address somebody has by now is not missing.
  const target = { tenant: 'acme', group: false, etag: '' };
  await api.call(
    api.rpc.putAlias,
    { alias: { ...target, address: 'alice@acme.test', targets: ['bob@acme.test'] } },
    as,
  );
  await api.call(api.rpc.setPassword, { address: 'bob@acme.test', password: 'chosen-by-bob' }, as);
  const limits = { messageLimit: undefined, userMessageLimit: undefined };
  const tenant = { name: 'acme', displayName: '', state: '', etag: '', createdAtMs: 0, weight: 9, ...limits };
  await api.call(api.rpc.updateTenant, { tenant, updateMask: ['weight'] }, as);

  await writeFile(service.operatorFile, file('postmaster: bob@acme.test'));
  await eventually(8_000, async () => (await addresses()).length === 5);
  expect(await addresses()).toEqual([
    'alice@acme.test',
    'all@acme.test',
    'bob@acme.test',
    'carol@other.test',
    'info@acme.test',
  ]);
  expect((await api.call(api.rpc.listRoutes, { tenant: 'acme', pageSize: 0, pageToken: '' }, as)).routes).toMatchObject(
    [{ name: 'spare', hosts: [{ username: 'u' }] }],
  );
  const aliases = (await api.call(api.rpc.listAliases, { domain: 'acme.test', pageSize: 0, pageToken: '' }, as))
    .aliases;
  expect(aliases.find(({ address }) => address === 'alice@acme.test')).toBeDefined();
  expect(await login('carol@other.test', 'wonderland-3')).toBe(true);
  expect(await login('bob@acme.test', 'chosen-by-bob')).toBe(true);
  expect((await api.call(api.rpc.getTenant, { name: 'acme' }, as)).tenant?.weight).toBe(9);
  const restored = () => service.lines.filter(({ event }) => event === 'provisioning.operator_file.restored');
  expect(restored()).toMatchObject([{ tenant: 'acme', domains: 1, users: 1, aliases: 2, routes: 1 }]);

  await api.call(api.rpc.deleteUser, { address: 'carol@other.test' }, as);
  await service.stop();
  service = await startPrepared(prepared);
  expect(await login('carol@other.test', 'wonderland-3')).toBe(true);
  expect(restored()).toMatchObject([{ tenant: 'acme', domains: 0, users: 1, aliases: 0, routes: 0 }]);
}, 60_000);

test('an alias to a local address nobody has is made, and told; what is not declared is deleted without a word', async () => {
  const { api } = service;
  const as = service.as();
  const alias = { address: 'team@acme.test', tenant: '', group: true, etag: '' };
  const targets = ['bob@acme.test', 'nobody@acme.test', 'postmaster@acme.test', 'far@remote.test', 'none@other.test'];
  const put = await api.call(api.rpc.putAlias, { alias: { ...alias, targets } }, as);
  const fails = 'has no such user or alias yet; until it has, mail for team@acme.test fails there';
  expect(put).toMatchObject({
    alias: { targets },
    warnings: [`nobody@acme.test: acme.test ${fails}`, `none@other.test: other.test ${fails}`],
  });
  const domain = { name: 'acme.test', tenant: '', nextHop: '', verified: false, verification: '', etag: '' };
  await api.call(
    api.rpc.updateDomain,
    { domain: { ...domain, validateRecipients: false, catchAll: '' }, updateMask: ['validate_recipients'] },
    as,
  );
  const again = await api.call(api.rpc.putAlias, { alias: { ...alias, targets: ['nobody@acme.test'] } }, as);
  expect(again.warnings).toEqual([]);
  expect(await api.call(api.rpc.deleteAlias, { address: 'team@acme.test' }, as)).toEqual({ warnings: [] });
});
