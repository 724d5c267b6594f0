import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isPosternError } from '@postern/errors';
import { withFolders, withNats, withPostgres } from '@postern/testkit';
import { afterEach, expect, test } from 'vitest';
import { eventually, openTestDatabase } from './testing/ground.js';
import { type PreparedService, prepareService, startPrepared, type TestService } from './testing/service.js';

const nats = withNats();
const postgres = withPostgres();
const folders = withFolders();
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const file = (secretFile: string, more = '') => `
hostname: mx.example.test
defaultNextHop: mailbox
nextHops: { mailbox: { hosts: [{ host: 127.0.0.1, port: 2600 }] } }
tenants:
  - name: acme
    domains: [{ name: acme.test }]
    users: [{ address: a@acme.test, passwordFile: ${secretFile} }]
${more}`;

/** A service that ran with a good file and was stopped. */
async function stopped() {
  const database = await openTestDatabase(postgres);
  cleanups.push(database.close);
  const secretFile = join(await folders.make('secrets'), 'a.password');
  await writeFile(secretFile, 'wonderland-1');
  const prepared = await prepareService(database, nats, file(secretFile));
  const service = await startPrepared(prepared);
  await service.stop();
  return { database, prepared, secretFile };
}

async function again(prepared: PreparedService): Promise<TestService> {
  const service = await startPrepared(prepared);
  cleanups.push(service.stop);
  return service;
}

async function login({ credentials }: TestService): Promise<boolean> {
  const answer = await credentials.call(credentials.rpc.verify, {
    username: 'a@acme.test',
    mechanism: 'PLAIN',
    parameters: { password: Buffer.from('wonderland-1') },
    channelBinding: Buffer.alloc(0),
    sessionId: '',
    clientAddress: '',
  });
  return answer.verified;
}

const statusOf = ({ api, as }: TestService) => api.call(api.rpc.getStatus, {}, as());

test.each<[string, (parts: Awaited<ReturnType<typeof stopped>>) => Promise<void>, RegExp]>([
  [
    'a field of it is wrong',
    ({ prepared }) => writeFile(prepared.operatorFile, 'hostnam: typo.test\n'),
    /^.*operator\.yaml:1: hostnam: unknown/,
  ],
  [
    'it is not there',
    ({ prepared }) => rm(prepared.operatorFile),
    /^.*operator\.yaml: cannot be read \(ENOENT\); expected a YAML file$/,
  ],
  [
    'a file it names is gone',
    ({ secretFile }) => rm(secretFile),
    /operator\.yaml:8: tenants\[0\]\.users\[0\]\.passwordFile: ".*" cannot be read \(ENOENT\)/,
  ],
  [
    'it cannot be applied',
    ({ prepared, secretFile }) =>
      writeFile(prepared.operatorFile, file(secretFile, 'relayNetworks: [{ network: 10.0.0.0/8, tenant: nobody }]\n')),
    /relayNetworks\[0\]\.tenant: "nobody" is no tenant/,
  ],
])(
  'started while the operator file is wrong (%s), the one before is in effect and changes go on',
  async (_case, spoil, problem) => {
    const parts = await stopped();
    const { prepared, secretFile } = parts;
    await spoil(parts);
    const service = await again(prepared);
    expect(await login(service)).toBe(true);
    const { api, as, lines } = service;
    const before = await statusOf(service);
    expect(before.refusedOperatorFile?.problems.join('\n')).toMatch(problem);
    const told = (event: string) => lines.filter((line) => line.event === event);
    expect(told('provisioning.operator_file.refused')).toHaveLength(1);
    expect(told('provisioning.operator_file.kept')).toHaveLength(1);
    expect(await service.metrics()).toContain('postern_provisioning_operator_file_state 0');
    const domain = { name: 'more.test', tenant: 'acme', nextHop: '', validateRecipients: true, catchAll: '' };
    const unset = { verified: false, verification: '', etag: '', createdAtMs: 0 };
    await api.call(
      api.rpc.createDomain,
      { domain: { ...unset, ...domain }, requestId: '', assumeVerified: true },
      as(),
    );
    await eventually(5_000, async () => {
      const { snapshotVersion, outboxPending } = await statusOf(service);
      return snapshotVersion > before.snapshotVersion && outboxPending === 0;
    });

    await writeFile(secretFile, 'wonderland-1');
    await writeFile(prepared.operatorFile, file(secretFile, 'postmaster: a@acme.test\n'));
    await eventually(8_000, async () => {
      const { refusedOperatorFile } = await statusOf(service);
      return refusedOperatorFile === undefined && told('provisioning.operator_file.applied').length > 0;
    });
    expect(await service.metrics()).toContain('postern_provisioning_operator_file_state 1');
  },
  60_000,
);

test('at the very first start nothing good is known: it fails with the line that is wrong', async () => {
  const database = await openTestDatabase(postgres);
  cleanups.push(database.close);
  for (const [wrong, line] of [
    ['hostnam: typo.test\n', /operator\.yaml:1: hostnam: unknown/],
    ['relayNetworks: [{ network: 10.0.0.0/8, tenant: nobody }]\n', /relayNetworks\[0\]\.tenant: "nobody" is no tenant/],
  ] as const) {
    const error: unknown = await startPrepared(await prepareService(database, nats, wrong)).catch(
      (caught: unknown) => caught,
    );
    expect(isPosternError(error, 'config-invalid') && error.detail).toMatch(line);
  }
}, 60_000);
