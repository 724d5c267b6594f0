/**
 * Mail programs log in to a running cluster with every mechanism they know: gsasl, msmtp, curl and swaks, Kerberos tickets of a real KDC and SCRAM bound to
 * its TLS connection among them. Each is also refused with what is wrong, so that no success is one of the program alone.
 */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureGsasl, ensureMsmtp, ensureSwaks, type Kdc, startKdc } from '@postern/testkit/neighbours';
import { afterAll, expect, test } from 'vitest';
import { type CommandResult, runCommand } from '../cluster/index.js';
import { password, withMailWorld } from '../integration/mail-world.js';

const dir = await mkdtemp(join(tmpdir(), 'postern-authentication-'));
const realm = 'ACME.TEST';
const kdc: Kdc = await startKdc({
  realm,
  users: { bob: 'secret-of-bob', eve: 'secret-of-eve', 'bob/admin': 'secret-of-admin', mallory: 'secret-of-mallory' },
  services: ['smtp/localhost'],
});
afterAll(async () => {
  await kdc.stop();
  await rm(dir, { recursive: true, force: true });
});

const offered = [
  ...['GSSAPI', 'SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'CRAM-MD5', 'DIGEST-MD5', 'PLAIN', 'LOGIN'],
  ...['OAUTHBEARER', 'XOAUTH2'],
];
const user = (name: string, tenant = 'acme') => ({
  address: `${name}@${tenant}.test`,
  password,
  recoverablePassword: true,
});
const world = withMailWorld({
  config: {
    edge: { gssapi: { keytabFile: kdc.keytab, replayCacheDirectory: dir } },
    kerberosRealms: [{ realm, domain: 'acme.test', tenants: ['acme'] }],
    listeners: { submission: { authMechanismsTls: offered }, submissions: { authMechanismsTls: offered } },
    tenants: [
      { name: 'acme', domains: [{ name: 'acme.test', nextHop: 'hop' }], users: [user('bob'), user('eve')] },
      { name: 'other' },
    ],
    limits: { errorsPerSession: 100 },
    errorControl: { failedLoginsPerAccount: 0, loginDelay: '0s' },
  },
});

interface Attempt {
  readonly mechanism: string;
  readonly user: string;
  readonly secret: string;
  /** Tickets, for Kerberos. */
  readonly env: Readonly<Record<string, string>>;
}

type Client = (attempt: Attempt) => Promise<CommandResult>;

function run(env: Readonly<Record<string, string>>, command: string, args: readonly string[]): Promise<CommandResult> {
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return runCommand('env', [...assignments, 'timeout', '30', command, ...args]);
}

const gsasl: Client = async ({ mechanism, user: login, secret, env }) => {
  const { path, env: own } = await ensureGsasl();
  const port = String(await world.cluster.port('submission'));
  const identity =
    mechanism === 'GSSAPI' ? ['--authorization-id', secret] : ['--authentication-id', login, '--password', secret];
  const realmOf = mechanism === 'DIGEST-MD5' ? ['--realm', ''] : [];
  // It would rather not log in than leave out a binding it could give.
  const binding = mechanism === 'SCRAM-SHA-256' ? ['--no-cb'] : [];
  const args = ['--smtp', '--x509-ca-file=', '--hostname', 'localhost', '--mechanism', mechanism];
  const result = await run({ ...own, ...env }, path, [...args, ...identity, ...realmOf, ...binding, 'localhost', port]);
  // It ends with 0 when the server refused, too.
  return result.code === 0 && !/^235 /m.test(result.stdout) ? { ...result, code: 1 } : result;
};

let settings = 0;
const msmtp: Client = async ({ mechanism, user: login, secret, env }) => {
  const { path, env: own } = await ensureMsmtp();
  const file = join(dir, `msmtp-${settings++}`);
  const lines = [
    ...['account default', 'host localhost', `port ${await world.cluster.port('submissions')}`],
    ...['tls on', 'tls_starttls off', 'tls_certcheck off', `from ${login}`, `user ${login}`],
    ...[`password ${secret}`, `auth ${mechanism.toLowerCase()}`],
  ];
  await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  const letter = join(dir, 'letter');
  await writeFile(letter, `From: <${login}>\r\nTo: <eve@acme.test>\r\nSubject: hello\r\n\r\nhello\r\n`);
  const shell = `exec ${path} --file=${file} eve@acme.test < ${letter}`;
  return run({ ...own, ...env }, 'sh', ['-c', shell]);
};

const curl: Client = async ({ mechanism, user: login, secret, env }) => {
  const port = await world.cluster.port('submissions');
  const letter = join(dir, 'letter-of-curl');
  await writeFile(letter, `From: <${login}>\r\nTo: <eve@acme.test>\r\nSubject: hello\r\n\r\nhello\r\n`);
  const args = ['--silent', '--show-error', '--insecure', '--max-time', '25', '--url', `smtps://localhost:${port}`];
  const mail = ['--mail-from', login, '--mail-rcpt', 'eve@acme.test', '--upload-file', letter];
  const who = mechanism === 'GSSAPI' ? `${login}:` : `${login}:${secret}`;
  return run(env, 'curl', [...args, ...mail, '--login-options', `AUTH=${mechanism}`, '--user', who]);
};

const swaks: Client = async ({ mechanism, user: login, secret, env }) => {
  const { path, env: own } = await ensureSwaks();
  const port = String(await world.cluster.port('submissions'));
  const to = ['--from', login, '--to', 'eve@acme.test', '--server', 'localhost', '--port', port];
  const how = ['--tls-on-connect', '--quit-after', 'AUTH', '--auth', mechanism];
  return run({ ...own, ...env }, 'perl', [path, ...to, ...how, '--auth-user', login, '--auth-password', secret]);
};

const clients = { gsasl, msmtp, curl, swaks };
const table: readonly (readonly [keyof typeof clients, readonly string[]])[] = [
  ['gsasl', ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'DIGEST-MD5', 'CRAM-MD5', 'PLAIN', 'LOGIN']],
  ['msmtp', ['SCRAM-SHA-256', 'DIGEST-MD5', 'CRAM-MD5', 'PLAIN', 'LOGIN']],
  ['curl', ['DIGEST-MD5', 'CRAM-MD5', 'PLAIN', 'LOGIN']],
  ['swaks', ['DIGEST-MD5', 'CRAM-MD5', 'PLAIN', 'LOGIN']],
];
const pairs = table.flatMap(([client, mechanisms]) => mechanisms.map((mechanism) => ({ client, mechanism })));

test.each(pairs)('$client logs in with $mechanism, and not with a wrong password', async ({ client, mechanism }) => {
  const attempt = { mechanism, user: 'bob@acme.test', env: {} };
  const right = await clients[client]({ ...attempt, secret: password });
  expect(right.code, right.stdout + right.stderr).toBe(0);
  const wrong = await clients[client]({ ...attempt, secret: `${password}x` });
  expect(wrong.code, wrong.stdout + wrong.stderr).not.toBe(0);
});

test.each([{ client: 'gsasl' }, { client: 'msmtp' }, { client: 'curl' }] as const)(
  '$client logs in with a ticket',
  async ({ client }) => {
    const attempt = { mechanism: 'GSSAPI', user: 'bob@acme.test', secret: client === 'gsasl' ? '' : 'unused' };
    const right = await clients[client]({ ...attempt, env: await kdc.logIn('bob', 'secret-of-bob') });
    expect(right.code, right.stdout + right.stderr).toBe(0);
    const without = await clients[client]({ ...attempt, env: { KRB5CCNAME: `FILE:${join(dir, 'no-tickets')}` } });
    expect(without.code, without.stdout + without.stderr).not.toBe(0);
  },
);

const session = /\((\w{26})\)/;

const ticket = async (principal: string, secret: string, authzid = ''): Promise<CommandResult> =>
  gsasl({ mechanism: 'GSSAPI', user: '', secret: authzid, env: await kdc.logIn(principal, secret) });

test.each([
  ['a principal of nobody here', 'mallory', 'secret-of-mallory', '', 'unknown user'],
  ['a principal that is no user', 'bob/admin', 'secret-of-admin', '', 'principal: not a user'],
  ['another identity', 'eve', 'secret-of-eve', 'bob@acme.test', 'principal: authorization identity differs'],
])('%s does not log in, and the operator alone hears why', async (_name, principal, secret, authzid, reason) => {
  const refused = await ticket(principal, secret, authzid);
  const said = refused.stdout + refused.stderr;
  expect(refused.code, said).not.toBe(0);
  expect(said).toContain('535 5.7.8');
  expect(said).not.toContain(reason);
  const id = session.exec(said.slice(said.indexOf('535 5.7.8')))?.[1] ?? '';
  await expect
    .poll(async () => (await world.cluster.ctl('trace', id)).stdout, { timeout: 20_000 })
    .toContain(`reason: ${reason}`);
});

test('a login by ticket stands in the trace and is counted', async () => {
  const right = await ticket('eve', 'secret-of-eve', 'eve@acme.test');
  expect(right.code, right.stdout + right.stderr).toBe(0);
  const { services } = await world.cluster.run();
  const texts = await Promise.all(
    services
      .filter(({ name }) => name === 'provisioning' || name === 'edge')
      .map(async ({ metrics }) => (await fetch(new URL('/metrics', metrics))).text()),
  );
  const all = texts.join('\n');
  expect(all).toMatch(/postern_provisioning_logins_total\{[^}]*mechanism="GSSAPI"[^}]*\} [1-9]/);
  expect(all).toMatch(/postern_edge_kerberos_duration_seconds_count\{[^}]*outcome="done"[^}]*\} [1-9]/);
  expect((await stat(join(dir, 'postern-gssapi.rcache2'))).size).toBeGreaterThan(0);
});

test('a realm taken away by the operator logs in nobody', async () => {
  await world.reconfigure({ kerberosRealms: [{ realm, domain: 'acme.test', tenants: ['other'] }] });
  await expect.poll(async () => (await ticket('bob', 'secret-of-bob')).code, { timeout: 10_000 }).not.toBe(0);
  await world.reconfigure({});
  await expect.poll(async () => (await ticket('bob', 'secret-of-bob')).code, { timeout: 10_000 }).toBe(0);
});
