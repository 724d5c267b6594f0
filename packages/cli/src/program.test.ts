import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Route } from '@postern/proto/provisioning/v1/resources';
import { ParkedMessage, WaitingItem } from '@postern/proto/queue/v1/queue_service';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { confirm } from './confirm.js';
import { runWith, startTestServer, type TestServer } from './testing.js';

/** Of relay.partner.test. */
const clientCertificate = `-----BEGIN CERTIFICATE-----
MIIBrzCCAVSgAwIBAgIUIgtkaOLn2RG43yjH9ZXArIxVhMAwCgYIKoZIzj0EAwIw
HTEbMBkGA1UEAwwScmVsYXkucGFydG5lci50ZXN0MB4XDTI2MTEyMTIyNDAyOVoX
DTQ2MTExNjIyNDAyOVowHTEbMBkGA1UEAwwScmVsYXkucGFydG5lci50ZXN0MFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsbFOfgpZvo0opEfOIi9KAJVA6+sCFKxt
NSYObCq1xge/gZiDcSzB2QTELMGAhQAId6aGs1SjvpSEANQ7K7fjb6NyMHAwHQYD
VR0OBBYEFJ3njwoUL0twyI80XxqIqIpp9e3IMB8GA1UdIwQYMBaAFJ3njwoUL0tw
yI80XxqIqIpp9e3IMA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0RBBYwFIISUmVsYXku
UGFydG5lci50ZXN0MAoGCCqGSM49BAMCA0kAMEYCIQCa20JNwaxwJ14H5q7hXrtO
V5ju8ZJVENF/zKTWykBkTwIhAPVtxhFPtEjOZRIOgGt211DxwRpO6RRvnrsEK+49
RDQR
-----END CERTIFICATE-----
`;

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
beforeEach(() => {
  server.requests.length = 0;
});
afterAll(() => server.close());

const acme = {
  name: 'acme',
  displayName: 'Acme',
  state: 'active',
  etag: '"1"',
  createdAtMs: 1_767_323_045_000,
  weight: 2,
};
const domain = {
  name: 'acme.test',
  tenant: 'acme',
  nextHop: '',
  validateRecipients: true,
  catchAll: '',
  verified: false,
  verification: 'postern-verify=abc',
  etag: '"1"',
};
const user = {
  address: 'a@acme.test',
  tenant: 'acme',
  password: '',
  displayName: '',
  disabled: false,
  etag: '"1"',
  allowedIdentities: [],
  recoverablePassword: false,
  expiresAtMs: 0,
  hasPassword: true,
};

test('a list is a table, with --json the values', async () => {
  server.answer('listTenants', {
    tenants: [acme, { ...acme, name: 'b', weight: 10, displayName: 'Bell\u001b[2J' }],
    nextPageToken: '',
  });
  expect(await server.run('tenant list')).toEqual({
    code: 0,
    err: '',
    out: [
      'TENANT  STATE   WEIGHT  CREATED                   NAME',
      'acme    active       2  2026-01-02 03:04:05.000Z  Acme',
      'b       active      10  2026-01-02 03:04:05.000Z  Bell\\x1b[2J',
      '',
    ].join('\n'),
  });
  const json = await server.run('--json tenant list');
  expect(JSON.parse(json.out)[0]).toEqual(acme);
  expect((await server.run('tenant list --json')).out).toBe(json.out);
  expect(server.requests[0]?.authorization).toBe('Bearer postern_test_key');
});

test('an empty list says so', async () => {
  server.answer('listRoutes', { routes: [], nextPageToken: '' });
  expect((await server.run('route list')).out).toBe(
    'No routes. Next hops of the operator are not listed here: they stand in its file, under nextHops.\n',
  );
  expect((await server.run('route list --json')).out).toBe('[]\n');
});

test('every page is read', async () => {
  server.answer('listUsers', { users: [user], nextPageToken: '' });
  await server.run('user list --domain acme.test');
  expect(server.requests[0]?.request).toEqual({ domain: 'acme.test', tenant: '', pageSize: 1000, pageToken: '' });
});

test('a domain that is not verified tells the record to publish', async () => {
  server.answer('createDomain', { domain, warnings: [] });
  const { out } = await server.run('domain add acme.test --tenant acme');
  expect(out).toContain('_postern.acme.test. TXT "postern-verify=abc"');
  expect(server.requests[0]?.request).toMatchObject({ domain: { validateRecipients: true }, assumeVerified: false });
});

test('update sends only what was given', async () => {
  server.answer('updateDomain', { domain: { ...domain, verified: true }, warnings: [] });
  await server.run('domain update acme.test --catch-all a@acme.test --any-recipient');
  expect(server.requests[0]?.request).toMatchObject({
    domain: { catchAll: 'a@acme.test', validateRecipients: false },
    updateMask: ['catch_all', 'validate_recipients'],
  });
});

test('a user without a password is shown as such, and how it gets one', async () => {
  server.answer('getUser', { user: { ...user, hasPassword: false } });
  const { out } = await server.run('user get a@acme.test');
  expect(out).toMatch(/^password +none: receives, and cannot .* user set-password a@acme\.test gives it one$/m);
  server.answer('getUser', { user: { ...user, recoverablePassword: true } });
  expect((await server.run('user get a@acme.test')).out).toMatch(
    /^password +kept sealed, for CRAM-MD5 and DIGEST-MD5$/m,
  );
});

test('users of a tenant', async () => {
  server.answer('listUsers', { users: [{ ...user, hasPassword: false }], nextPageToken: '' });
  const { out } = await server.run('user list --tenant acme');
  expect(out).toContain('PASSWORD');
  expect(server.requests[0]?.request).toMatchObject({ tenant: 'acme', domain: '' });
});

test('--route means --next-hop', async () => {
  server.answer('createDomain', { domain, warnings: [] });
  server.answer('updateDomain', { domain, warnings: ['x@acme.test: nobody'] });
  await server.run('domain add acme.test --tenant acme --route main');
  await server.run('domain update acme.test --route main');
  expect(server.requests.map(({ request }) => request)).toMatchObject([
    { domain: { nextHop: 'main' } },
    { domain: { nextHop: 'main' }, updateMask: ['next_hop'] },
  ]);
});

test('what the API has to say about a change is told below it', async () => {
  const warnings = ['user a@acme.test stands in the operator file\u001b and comes back'];
  server.answer('deleteUser', { warnings });
  expect((await server.run('user delete a@acme.test')).out).toBe(
    'Deleted a@acme.test.\nNote: user a@acme.test stands in the operator file\\x1b and comes back\n',
  );
  expect(JSON.parse((await server.run('--json user delete a@acme.test')).out)).toEqual({
    deleted: 'a@acme.test',
    warnings,
  });
  const alias = { address: 'all@acme.test', tenant: 'acme', targets: ['b@acme.test'], group: false, etag: '1' };
  server.answer('putAlias', { alias, warnings: ['b@acme.test: acme.test has no such user'] });
  expect((await server.run('alias put all@acme.test b@acme.test')).out).toMatch(
    /\nall@acme\.test .*\nNote: b@acme\.test: acme\.test has no such user\n$/,
  );
});

test('a domain with users is deleted only when that is meant', async () => {
  server.answer('getDomain', { domain });
  server.answer('listUsers', { users: [user], nextPageToken: '' });
  server.answer('listAliases', { aliases: [], nextPageToken: '' });
  server.answer('deleteDomain', { warnings: [] });
  server.answer('listQueue', { result: { items: [], nextPageToken: '' } });
  expect(await server.run('domain delete acme.test')).toEqual({
    code: 1,
    out: '',
    err: 'posternctl: acme.test has 1 user and 0 aliases and groups. They go with it, their passwords, rules and check settings too, and cannot be had back. Nothing was done; --yes does it\n',
  });
  expect(server.requests.map(({ method }) => method)).not.toContain('deleteDomain');
  expect((await server.run('domain delete acme.test --yes')).out).toBe('Deleted acme.test.\n');
  server.answer('listUsers', { users: [], nextPageToken: '' });
  expect((await server.run('domain delete acme.test')).out).toBe('Deleted acme.test.\n');
});

test('what is deleted says how much mail waits for it', async () => {
  server.answer('getDomain', { domain });
  server.answer('listUsers', { users: [], nextPageToken: '' });
  server.answer('listAliases', { aliases: [], nextPageToken: '' });
  server.answer('deleteDomain', { warnings: [] });
  const items = ['one', 'one', 'two'].map((queueId) => WaitingItem.fromPartial({ queueId }));
  server.answer('listQueue', { result: { items, nextPageToken: '' } });
  const rest =
    'It stays in the queue, expires with a report unless the domain is made again, and `posternctl queue bounce --domain acme.test` ends it at once.';
  const waits = `Mail that waits for acme.test: 2 messages. ${rest}`;
  expect(await server.run('domain delete acme.test')).toEqual({
    code: 1,
    out: '',
    err: `posternctl: ${waits} Nothing was done; --yes does it\n`,
  });
  expect(server.requests.at(-1)).toMatchObject({
    method: 'listQueue',
    request: { query: { selection: { domain: 'acme.test', all: false } } },
  });
  expect((await server.run('domain delete acme.test --yes')).out).toBe(`Deleted acme.test.\nNote: ${waits}\n`);
  server.answer('listRoutes', { routes: [Route.fromPartial({ name: 'main', tenant: 'acme' })], nextPageToken: '' });
  server.answer('deleteRoute', { warnings: [] });
  expect((await server.run('route delete main')).out).toBe(
    'Deleted main.\nNote: mail that waits in lane acme/main: 2 messages. It goes where its domain is routed now.\n',
  );
  server.refuse('listQueue', 14, 'away');
  expect((await server.run('domain delete acme.test')).out).toBe(
    `Deleted acme.test.\nNote: Mail that waits for acme.test: not known, since the queue does not answer. ${rest}\n`,
  );
});

test('a route host with port 0 is refused', async () => {
  for (const host of ['mx.test:0', 'lmtp://u@mx.test:0'])
    expect(await server.run(`route put main --host ${host}`)).toMatchObject({
      code: 2,
      err: expect.stringContaining('port 0 is none; expected 1 to 65535'),
    });
});

test.each([
  ['y\n', true],
  ['Yes\n', true],
  ['\n', false],
  ['n\n', false],
  ['', false],
])('on a terminal it is asked: %j', async (typed, goesOn) => {
  const asked: string[] = [];
  const input = Object.assign(Readable.from([typed]), { isTTY: true });
  const answer = confirm('All of it goes.', {}, { input, error: (text) => asked.push(text) });
  if (goesOn) await answer;
  else await expect(answer).rejects.toThrow('nothing was done');
  expect(asked).toEqual(['All of it goes. Go on? [y/N] ']);
});

test('passwords come from standard input or a file and are never printed', async () => {
  server.answer('createUser', { user });
  server.answer('setPassword', {});
  const added = await server.run('user add a@acme.test --json', 'from-stdin-1\nrest');
  writeFileSync(join(server.folder, 'pw'), 'from-file-1\n');
  const set = await server.run(`user set-password a@acme.test --password-file ${join(server.folder, 'pw')}`);
  const typed = await server.run('user set-password a@acme.test --password typed-one-1');
  writeFileSync(join(server.folder, 'empty'), '\nsecond line\n');
  for (const wrong of [`--password-file ${join(server.folder, 'empty')}`, '--password='])
    expect(await server.run(`user add b@acme.test ${wrong}`)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/no password: .* is empty; --no-login for a recipient without one/),
    });
  expect(await server.run('user add b@acme.test --no-login --expires 2001-01-31')).toMatchObject({
    code: 2,
    err: expect.stringMatching(/--expires 2001-02-01 .* has passed/),
  });
  expect(server.requests.map(({ request }) => request)).toMatchObject([
    { user: { password: 'from-stdin-1' } },
    { password: 'from-file-1' },
    { password: 'typed-one-1' },
  ]);
  expect(typed.err).toMatch(/^warning: a password on the command line/);
  expect(added.out + set.out + typed.out).not.toMatch(/from-stdin|from-file|typed-one|"password"/);
});

test('limits of a tenant, and of each of its users', async () => {
  const userMessageLimit = { messages: 0, recipients: 0, bytes: 5_242_880, intervalMs: 60_000 };
  server.answer('updateTenant', { tenant: { ...acme, userMessageLimit } });
  const { out } = await server.run('tenant limit acme --bytes 5MiB --per 1m --each-user');
  expect(out).toMatch(/submits +no limit of its own/);
  expect(out).toMatch(/each user +5\.0 MiB per 1m/);
  for (const [wrong, told] of [
    ['--per 0s --messages 3', 'Expected an interval from 1s to 1d'],
    ['--per 2d --messages 3', 'Expected an interval from 1s to 1d'],
    ['--none --messages 3', 'give either --none or a limit, not both'],
  ] as const)
    expect(await server.run(`tenant limit acme ${wrong}`)).toMatchObject({
      code: 2,
      err: expect.stringContaining(told),
    });
  await server.run('tenant limit acme --messages 10 --recipients 50');
  await server.run('tenant limit acme --none');
  expect(server.requests.map(({ request }) => request)).toMatchObject([
    { tenant: { name: 'acme', userMessageLimit }, updateMask: ['user_message_limit'] },
    { tenant: { messageLimit: { messages: 10, recipients: 50, bytes: 0 } }, updateMask: ['message_limit'] },
    { tenant: { messageLimit: { messages: 0, recipients: 0 } }, updateMask: ['message_limit'] },
  ]);
  expect((await server.run('tenant limit acme')).err).toContain('name a limit');
});

test('a host of a route is read from its URL', async () => {
  server.answer('putRoute', { route: { name: 'main', tenant: 'acme', hosts: [], egressPool: '', etag: '' } });
  await server.run(
    'route put main --tenant acme --host lmtp://u@[::1]:2400?tls=required --host mx.test --password secret-one',
  );
  expect(server.requests[0]?.request).toMatchObject({
    route: {
      hosts: [
        { host: '::1', port: 2400, protocol: 'lmtp', tls: 'required', username: 'u', password: 'secret-one' },
        { host: 'mx.test', port: 25, protocol: 'smtp', tls: '', username: '', password: '' },
      ],
    },
  });
});

test('trace tells the story of a message', async () => {
  server.answer('traceMessage', {
    result: {
      messages: [
        {
          queueId: '01JD4Q6V6S7M8N9P0Q1R2S3T4V',
          sessionId: 'S1',
          messageId: 'm1@y.test',
          findings: [],
          reversePath: 'x@y.test',
          recipients: [
            {
              address: 'a@acme.test',
              tenant: 'acme',
              state: 'deferred',
              reply: '450 4.2.1 later',
              attempts: 2,
              atMs: 0,
            },
          ],
          events: [
            {
              atMs: 1_767_323_045_000,
              event: 'edge.message.accepted',
              sessionId: 'S1',
              queueId: '',
              tenant: '',
              reversePath: '',
              recipient: '',
              reply: '250 ok',
              detail: { size: '12' },
            },
          ],
        },
      ],
    },
  });
  expect((await server.run('trace 01JD4Q6V6S7M8N9P0Q1R2S3T4V')).out).toBe(
    [
      'Message 01JD4Q6V6S7M8N9P0Q1R2S3T4V from <x@y.test>, session S1, Message-ID <m1@y.test>',
      '  to <a@acme.test>  deferred, 2 tries: 450 4.2.1 later',
      '  2026-01-02 03:04:05.000Z  edge.message.accepted             "250 ok" size=12',
      '',
    ].join('\n'),
  );
  server.answer('traceMessage', { result: { messages: [] } });
  expect(await server.run('trace nope')).toMatchObject({ code: 1, err: 'posternctl: nothing is known of nope\n' });
});

test('a session that was refused in part names the message that was taken', async () => {
  const step = { atMs: 0, sessionId: 'S1', tenant: '', reversePath: '', reply: '', detail: {} };
  const rejected = { ...step, event: 'edge.recipient.rejected', queueId: '', recipient: 'nobody@acme.test' };
  const accepted = { ...step, event: 'edge.message.accepted', queueId: 'Q1', recipient: '' };
  const message = { queueId: '', sessionId: 'S1', messageId: '', reversePath: '', recipients: [], findings: [] };
  const trace = async (events: readonly object[]) => {
    server.answer('traceMessage', { result: { messages: [{ ...message, events }] } });
    return (await server.run('trace --recipient nobody@acme.test')).out.split('\n')[0];
  };
  expect(await trace([rejected])).toBe('Session S1 (refused)');
  expect(await trace([rejected, accepted])).toBe('Session S1 (refused in part; message Q1 was taken)');
  expect(await trace([accepted])).toBe('Session S1 (message Q1 was taken and is not queued yet)');
  const parked = { ...step, event: 'queue.message.parked', queueId: 'Q1', recipient: 'ann@acme.test' };
  expect(await trace([accepted, parked])).toBe(
    'Session S1 (message Q1 was taken and is parked: posternctl queue parked)',
  );
});

test('a step that two tenants are told alike is one line, and came once', async () => {
  const step = { atMs: 0, sessionId: '', queueId: 'Q1', reversePath: 'a@demo.test', recipient: '', reply: '' };
  const sent = { ...step, event: 'queue.notice.sent', detail: { report: 'R1', kind: 'failure' } };
  const message = {
    queueId: 'Q1',
    sessionId: '',
    messageId: '',
    reversePath: 'a@demo.test',
    recipients: [],
    findings: [],
  };
  const events = ['acme', 'demo'].map((tenant) => ({ ...sent, tenant }));
  server.answer('traceMessage', { result: { messages: [{ ...message, recipientsElsewhere: false, events }] } });
  const [, ...lines] = (await server.run('trace Q1')).out.trimEnd().split('\n');
  expect(lines).toEqual([`  -  ${'queue.notice.sent'.padEnd(32)}  report=R1 kind=failure`]);
});

test('mail to another tenant is said to be taken, and where the rest is', async () => {
  const message = {
    queueId: 'Q1',
    sessionId: 'S1',
    messageId: '',
    reversePath: 'a@demo.test',
    findings: [],
    events: [],
  };
  const own = { address: 'b@demo.test', tenant: 'demo', state: 'delivered', reply: '', attempts: 1, atMs: 0 };
  const trace = async (recipients: readonly object[], recipientsElsewhere: boolean) => {
    server.answer('traceMessage', { result: { messages: [{ ...message, recipients, recipientsElsewhere }] } });
    return (await server.run('trace Q1')).out.trimEnd().split('\n').slice(1);
  };
  expect(await trace([], true)).toEqual(['  accepted; its recipients are of another tenant, whose trace has the rest']);
  expect(await trace([own], true)).toEqual([
    '  to <b@demo.test>  delivered, 1 try',
    '  accepted; more of its recipients are of another tenant, whose trace has the rest',
  ]);
  expect(await trace([own], false)).toHaveLength(1);
});

test('a client is asked for by its address, and its login without a message is titled as that', async () => {
  const session = { queueId: '', sessionId: 'S1', reversePath: '' };
  const step = { atMs: 0, ...session, tenant: '', recipient: '', reply: '', detail: { user: 'ann@acme.test' } };
  const events = [{ ...step, event: 'edge.login.succeeded' }];
  server.answer('traceMessage', {
    result: { messages: [{ ...session, messageId: '', recipients: [], findings: [], events }] },
  });
  const { out } = await server.run('trace --client 2001:db8::1 --sender ann@acme.test');
  expect(out.split('\n')[0]).toBe('Session S1 (no message)');
  expect(server.requests[0]?.request).toMatchObject({
    query: { clientAddress: '2001:db8::1', reversePath: 'ann@acme.test', recipient: '', id: '' },
  });
  expect(await server.run('trace --client mx.test')).toMatchObject({
    code: 2,
    err: expect.stringContaining('--client: "mx.test" is not allowed; expected an IP address'),
  });
  expect(server.requests).toHaveLength(1);
});

test('a refused message is titled as one', async () => {
  const step = { atMs: 0, sessionId: 'S1', tenant: '', reversePath: '', reply: '', detail: {}, recipient: '' };
  const refused = { ...step, event: 'edge.message.rejected', queueId: 'Q2' };
  const message = {
    queueId: '',
    sessionId: 'S1',
    messageId: '',
    reversePath: 'x@y.test',
    recipients: [],
    findings: [],
  };
  server.answer('traceMessage', { result: { messages: [{ ...message, events: [refused] }] } });
  expect((await server.run('trace Q2')).out.split('\n')[0]).toBe('Message Q2 (refused), session S1 from <x@y.test>');
});

test.each<[string, Record<string, string>, string]>([
  [
    'an unknown recipient',
    { helo: 'c', client: '192.0.2.1', reason: 'recipients', listener: 'mx', recipients: 'unknown' },
    'reason: no user, alias, group or catch-all of the domain takes it (check recipients: unknown); client=192.0.2.1 listener=mx helo=c',
  ],
  ['a check', { reason: 'spf', spf: 'fail (domain=bad.test)' }, 'reason: check spf: fail (domain=bad.test)'],
  ['a rule', { reason: 'mine@3', spf: 'fail' }, 'reason: rule mine@3; spf=fail'],
  [
    'a relay attempt',
    { reason: 'no relay right' },
    'reason: its domain is not hosted here, and the client neither logged in nor is in a relay network',
  ],
  [
    'a domain that is not verified',
    { reason: 'no relay right', unverified_domain: 'new.test', unverified_tenant: 'acme', client: '192.0.2.1' },
    'reason: domain new.test of tenant acme is not verified yet (posternctl domain verify new.test); client=192.0.2.1',
  ],
  [
    'more than an interval has',
    { size: '9', limit: '5', reason: 'user bytes limit' },
    'reason: one message with more than a user may send in an interval; size=9 limit=5',
  ],
  ['a size', { size: '9', limit: '5', reason: 'size' }, 'reason: the message is larger than is taken; size=9 limit=5'],
  [
    'a limit',
    { reason: 'service simultaneous-per-address limit 2 (cluster)' },
    'reason: over the limit of the whole service: 2 simultaneous-per-address',
  ],
  [
    'a limit of one pod',
    { reason: 'tenant messages limit 9 in 1h (local)' },
    'reason: over the limit of the tenant: 9 messages in 1h, counted by one pod alone',
  ],
  ['a wrong password', { cached: 'false', reason: 'wrong password', user: 'a' }, 'reason: wrong password; user=a'],
  ['a bounce', { attempt: '1', notice: 'send' }, 'a report to the sender follows; attempt=1'],
  ['a bounce nobody hears of', { notice: 'null-reverse-path' }, 'no report: the message has no sender to tell'],
])('trace says in words why: %s', async (_, detail, words) => {
  const step = { event: 'e', atMs: 0, sessionId: 'S1', queueId: '', tenant: '', reversePath: '', reply: '' };
  const message = { queueId: '', sessionId: 'S1', messageId: '', reversePath: '', recipients: [], findings: [] };
  const events = [{ ...step, recipient: '', detail }];
  server.answer('traceMessage', { result: { messages: [{ ...message, events }] } });
  expect((await server.run('trace S1')).out.split('\n')[1]).toBe(`  -  ${'e'.padEnd(32)}  ${words}`);
});

test('a step that is told to several says whose view it is, and many facts stand below each other', async () => {
  const step = { event: 'e', atMs: 0, sessionId: 'S1', queueId: '', reversePath: '', recipient: '', reply: '250 ok' };
  const message = { queueId: '', sessionId: 'S1', messageId: '', reversePath: '', recipients: [], findings: [] };
  const checks = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`check${n}`, 'x'.repeat(30)]));
  const events = [
    { ...step, tenant: 'system', detail: { ...checks, other: '1' } },
    { ...step, tenant: 'acme', detail: { spf: 'pass', dkim: 'none' } },
  ];
  server.answer('traceMessage', { result: { messages: [{ ...message, events }] } });
  const [, whole = '', first, ...rest] = (await server.run('trace S1')).out.trimEnd().split('\n');
  expect(whole).toContain(`(as the operator sees it) "250 ok" check0=${'x'.repeat(30)}`);
  expect(first).toBe(`      check1=${'x'.repeat(30)}`);
  expect(rest).toHaveLength(10);
  expect(rest.at(-1)).toContain('(as tenant acme sees it) "250 ok" spf=pass dkim=none');
  server.answer('traceMessage', { result: { messages: [{ ...message, events: events.slice(1) }] } });
  expect((await server.run('trace S1')).out).not.toContain('sees it');
});

test('steps of many recipients at once are one line', async () => {
  const step = { event: 'e', atMs: 0, sessionId: 'S1', queueId: '', reversePath: '', reply: '550 no', detail: {} };
  const message = { queueId: '', sessionId: 'S1', messageId: '', reversePath: '', recipients: [], findings: [] };
  const events = Array.from({ length: 12 }, (_, index) => ({ ...step, recipient: `${index}@a`, tenant: `t${index}` }));
  server.answer('traceMessage', { result: { messages: [{ ...message, events }] } });
  const { out } = await server.run('trace S1');
  expect(out.split('\n')).toHaveLength(3);
  expect(out).toContain('<0@a> <1@a> <2@a> <3@a> <4@a> <5@a> <6@a> <7@a> <8@a> <9@a> and 2 more "550 no"');
});

test('of several senders in a session each step says whose it is, and what came several times is counted', async () => {
  const step = { event: 'e', atMs: 0, sessionId: 'S1', queueId: '', tenant: '', reply: '550 no', detail: {} };
  const message = { queueId: '', sessionId: 'S1', messageId: '', recipients: [], findings: [] };
  const refused = (sender: string) => ({ ...step, reversePath: sender, recipient: 'r@z.test' });
  const unknown = { ...step, reversePath: '', recipient: '', reply: '500 what' };
  const told = async (reversePath: string, senders: readonly string[]) => {
    const alike = ['1', '2', '3'].map((nth) => ({ ...unknown, detail: { nth } }));
    const events = [...senders.map(refused), ...alike];
    server.answer('traceMessage', { result: { messages: [{ ...message, reversePath, events }] } });
    return (await server.run('trace S1')).out.trimEnd().split('\n');
  };
  const [title, first, second, ...more] = await told('second@y.test', ['first@x.test', 'second@y.test']);
  expect(title).toBe('Session S1 (refused) from <second@y.test>, <first@x.test>');
  expect(first).toContain('from <first@x.test> <r@z.test> "550 no"');
  expect(second).toContain('from <second@y.test> <r@z.test> "550 no"');
  expect(more).toEqual([expect.stringMatching(/3 times "500 what"$/)]);
  expect((await told('first@x.test', ['first@x.test']))[1]).not.toContain('from');
  expect((await told('', ['a@x.test', 'b@x.test', 'c@x.test', 'd@x.test']))[0]).toBe(
    'Session S1 (refused) from 4 senders',
  );
});

test('queue summary says what waits in WORK for pools nobody takes', async () => {
  const unservedPools = [
    { pool: 'blue', messages: 3 },
    { pool: 'red', messages: 1 },
  ];
  server.answer('queueSummary', { result: { lanes: [], streams: { WORK: 4, SPOOL: 0 }, unservedPools } });
  expect((await server.run('queue')).out.trimEnd().split('\n\n')).toEqual([
    'No rows wait.',
    'In the streams: SPOOL 0, WORK 4',
    'In WORK and no delivery pod takes it: 3 for egress pool blue, 1 for egress pool red',
  ]);
  server.answer('queueSummary', { result: { lanes: [], streams: {}, unservedPools: [] } });
  expect((await server.run('queue')).out.trimEnd()).toBe('Nothing waits.');
});

test('what waits for a person is not due: it is told how long it is kept', async () => {
  const item = {
    ...{ queueId: 'Q1', recipient: 'a@acme.test', reversePath: '', tenant: 'acme', lane: 'l', attempts: 0 },
    ...{ dueAtMs: Date.UTC(2026, 0, 2), expiresAtMs: Date.UTC(2026, 1, 3), acceptedAtMs: 0, lastReply: '', size: 1 },
  };
  const items = ['deferred', 'quarantined', 'held'].map((state) => ({ ...item, state }));
  server.answer('listQueue', { result: { items, nextPageToken: '' } });
  const { out } = await server.run('queue list');
  expect(out).toMatch(/deferred .* 2026-01-02 00:00:00\.000Z /);
  for (const state of ['quarantined', 'held'])
    expect(out).toMatch(new RegExp(`${state} .* kept until 2026-02-03 00:00:00\\.000Z `));
  expect(out.match(/2026-01-02/g)).toHaveLength(1);
});

test('a rule is shown as it was written: of the server, or of the tenant that has one', async () => {
  const rule = {
    id: 'r',
    tenant: '',
    version: 1,
    document: 'event: mail # why\nthen: [discard]\n',
    etag: '',
    priority: 100,
    inFile: false,
    scope: '',
  };
  const ofTenant = (tenant: string) => ({ ...rule, tenant, document: `# ${tenant}\n` });
  server.answer('listRules', { rules: [rule, ofTenant('acme')] });
  expect((await server.run('rule get r')).out).toBe('event: mail # why\nthen: [discard]\n');
  expect((await server.run('rule get r --tenant acme')).out).toBe('# acme\n');
  server.answer('listRules', { rules: [ofTenant('acme')] });
  expect((await server.run('rule show r')).out).toBe('# acme\n');
  server.answer('listRules', { rules: [ofTenant('acme'), ofTenant('beta')] });
  expect((await server.run('rule get r')).err).toContain('2 tenants have a rule r; name one with --tenant');
  expect((await server.run('rule get x')).err).toContain('rule x does not exist in this scope');
});

test('--version is that of the release', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  expect(await server.run('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' });
});

test('the help of queue list says what is not in it', async () => {
  const { out } = await server.run('queue list --help');
  expect(out.replaceAll(/\s+/g, ' ')).toContain('Mail in its first attempt is in WORK and not here');
});

test('queue operations need a selection', async () => {
  server.answer('operateQueue', { result: { changed: 1, unreported: {}, unfit: {} } });
  expect(await server.run('queue delete')).toMatchObject({
    code: 2,
    err: 'posternctl: queue delete: name queue ids, a selection, or --all; see `posternctl queue delete --help`\n',
  });
  expect(await server.run('queue retry --domain slow.test --older-than 2h')).toMatchObject({
    code: 0,
    out: '1 recipient changed.\n',
  });
  expect(server.requests).toHaveLength(1);
  expect(server.requests[0]?.request).toMatchObject({
    query: { operation: 1, selection: { domain: 'slow.test', olderThanMs: 7_200_000 } },
  });
});

test.each([
  [
    'delete',
    'Everything that waits, of every tenant the key may see, is given up without a report, and cannot be had back.',
  ],
  [
    'bounce',
    'Everything that waits, of every tenant the key may see, is given up with a report to the sender, if it can be sent one, and cannot be had back.',
  ],
  [
    'delete --tenant acme',
    'Everything that waits of tenant acme is given up without a report, and cannot be had back.',
  ],
  [
    'bounce --state held',
    'Everything that waits and the other options name, of every tenant the key may see, is given up with a report to the sender, if it can be sent one, and cannot be had back.',
  ],
])('queue %s --all is done only when that is meant', async (operation, what) => {
  server.answer('operateQueue', { result: { changed: 2, unreported: {}, unfit: {} } });
  expect(await server.run(`queue ${operation} --all`)).toEqual({
    code: 1,
    out: '',
    err: `posternctl: ${what} Nothing was done; --yes does it\n`,
  });
  expect(server.requests).toEqual([]);
  expect((await server.run(`queue ${operation} --all --yes`)).out).toBe('2 recipients changed.\n');
  expect(server.requests[0]?.request).toMatchObject({ query: { selection: { all: true } } });
});

test.each(['retry', 'hold', 'release'])('queue %s --all asks nothing: it can be undone', async (operation) => {
  server.answer('operateQueue', { result: { changed: 2, unreported: {}, unfit: {} } });
  expect((await server.run(`queue ${operation} --all`)).code).toBe(0);
  expect((await server.run(`queue ${operation} --all --yes`)).err).toContain("unknown option '--yes'");
});

test('a bounce nobody is told of says so', async () => {
  server.answer('operateQueue', {
    result: { changed: 3, unreported: { 'null-reverse-path': 1, 'not-asked': 2 }, unfit: {} },
  });
  expect((await server.run('queue bounce Q1')).out).toBe(
    [
      '3 recipients changed.',
      'No report is sent for 1 of them: no sender to tell, the message came from <>.',
      'No report is sent for 2 of them: the sender asked for no report (NOTIFY).',
      '',
    ].join('\n'),
  );
  expect(JSON.parse((await server.run('--json queue bounce Q1')).out)).toEqual({
    changed: 3,
    unreported: { 'null-reverse-path': 1, 'not-asked': 2 },
    unfit: {},
  });
});

test('what is parked is listed, shown, put back and dropped', async () => {
  const message = ParkedMessage.fromPartial({
    id: '7-mabc',
    stream: 'work',
    reason: '5 redeliveries',
    parkedAtMs: Date.parse('2026-01-02T03:04:05Z'),
    unreadable: '',
    queueId: 'Q1',
    reversePath: '',
    recipients: [{ queueId: 'Q1', address: 'ann@acme.test', tenant: 'acme', state: 'open' }],
    recipientCount: 3,
    tenants: ['acme'],
    acceptedAtMs: Date.parse('2026-01-02T03:00:00Z'),
    size: 2048,
  });
  server.answer('listParked', { result: { messages: [message], nextPageToken: '' } });
  expect((await server.run('queue parked')).out.split('\n')[1]).toBe(
    '7-mabc  2026-01-02 03:04:05.000Z  work         5 redeliveries  Q1        acme    ann@acme.test and 2 more',
  );
  server.answer('getParked', { result: { message } });
  const { out } = await server.run('queue parked show 7-mabc');
  expect(out).toMatch(/^why +5 redeliveries$/m);
  expect(out).toMatch(/^from +<>$/m);
  expect(out).toMatch(/^ann@acme.test +Q1 +acme +open$/m);
  expect(out).toContain('... and 2 more');
  server.answer('retryParked', { result: { stream: 'work', recipients: 1 } });
  expect((await server.run('queue parked retry 7-mabc')).out).toBe('Back in work with 1 recipient.\n');
  expect(await server.run('queue parked drop 7-mabc')).toMatchObject({ code: 2 });
  server.answer('dropParked', { result: { recipients: 3, unreported: { 'null-reverse-path': 2 } } });
  expect((await server.run('queue parked drop 7-mabc --bounce --reason gone')).out).toBe(
    'Dropped; 3 recipients closed as bounced.\nNo report is sent for 2 of them: no sender to tell, the message came from <>.\n',
  );
  expect(server.requests.at(-1)?.request).toMatchObject({ query: { id: '7-mabc', reason: 'gone', bounce: true } });
});

test('ledger and status say what holds', async () => {
  server.answer('getLedger', {
    result: {
      rows: [
        {
          tenant: 'acme',
          created: { accepted: 5 },
          closed: { bounced: 1, unheard: 0, delivered: 3 },
          open: { deferred: 1 },
          difference: 0,
        },
      ],
      outcomesInFlight: 0,
      streamMessages: 0,
      balanced: true,
      orphans: [],
    },
  });
  const { out } = await server.run('ledger');
  expect(out).toContain('acme          5       4     1           0  accepted 5 | delivered 3, bounced 1 | deferred 1');
  expect(out).toContain('Balanced. 0 outcomes in flight');
  const stream = {
    name: 'SPOOL',
    replicas: 1,
    replicasCurrent: 1,
    storage: 'file',
    sync: 'always',
    messages: 0,
    bytes: 0,
    maxBytes: 1024,
  };
  const status = {
    snapshotVersion: 4,
    streams: [stream],
    dependencies: [
      { name: 'database', state: 'ok', detail: '' },
      { name: 'queue', state: 'away', detail: 'cannot be reached' },
      { name: 'nats', state: 'ok', detail: '' },
    ],
    outboxPending: 0,
    suspicions: [],
    staleRules: '',
    postponedFields: [],
    settingsNotInEffect: [],
    services: [
      {
        service: 'edge',
        processes: 2,
        dependencies: [
          { name: 'nats', state: 'ok', detail: '' },
          { name: 'redis', state: 'away', detail: '2 of 2 processes: Command timed out' },
        ],
      },
      { service: 'queue', processes: 0, dependencies: [] },
    ],
  };
  server.answer('getStatus', status);
  const seen = (await server.run('status')).out;
  expect(seen).toMatch(/^SERVICE +SEES +STATE +DETAIL$/m);
  expect(seen).toMatch(/^provisioning +database, nats +ok$/m);
  expect(seen).toMatch(/^provisioning +queue +away +cannot be reached$/m);
  expect(seen).toMatch(/^edge +nats +ok$/m);
  expect(seen).toMatch(/^edge +redis +away +2 of 2 processes: Command timed out$/m);
  expect(seen).toMatch(/^queue +no answer +none of its processes runs, or none is connected to NATS$/m);
  expect((await server.run('status')).out).toContain(
    'Durability: one copy: a lost disk loses the mail on it; a power failure loses nothing',
  );
  server.answer('getStatus', { ...status, streams: [{ ...stream, sync: 'unknown' }] });
  expect((await server.run('status')).out).toContain('is unknown (no monitor answers)');
  expect((await server.run('status')).out).not.toContain('SUSPECTED');
  expect((await server.run('status')).out).not.toContain('queue parked');
  server.answer('getStatus', { ...status, streams: [{ ...stream, name: 'PARKED', messages: 2 }] });
  expect((await server.run('status')).out).toContain(
    'PARKED holds 2 that nobody could work on: posternctl queue parked',
  );
  expect((await server.run('status')).out).not.toMatch(/operator/);
  const refusedOperatorFile = { problems: ['own.yaml:3: limits.connections: "x" is not allowed'], ageMs: 61_000 };
  server.answer('getStatus', { ...status, refusedOperatorFile, staleRules: 'twice id: used\u001b by another' });
  const told = (await server.run('status')).out;
  expect(told).toMatch(
    /^The operator file was refused 1m 1s ago; .*\n {2}own\.yaml:3: limits\.connections: "x" is not/m,
  );
  expect(told).toMatch(/judge by those before them:\n {2}twice id: used\\x1b by another$/m);
  server.answer('getStatus', { ...status, postponedFields: ['own.yaml:3: edge.maxHops', 'own.yaml:9: redis\u001b'] });
  expect((await server.run('status')).out).toMatch(
    /^Changed in the operator file, and in effect after the next start only; .*\n {2}own\.yaml:3: edge\.maxHops\n {2}own\.yaml:9: redis\\x1b$/m,
  );
  const suspicion = { listener: 'mx', kind: 'source_nat', address: '10.0.0.1', ageMs: 61_000 };
  server.answer('getStatus', { ...status, suspicions: [suspicion] });
  expect((await server.run('status')).out).toMatch(
    /^mx +10\.0\.0\.1 +1m.* +nearly all sessions from one private address/m,
  );
});

test.each([
  ['tenant', 2, /Usage: posternctl tenant/],
  ['tenant create', 2, /missing required argument 'name'/],
  ['tenannt list', 2, /^posternctl: unknown command 'tenannt' \(did you mean tenant\?\); see `posternctl --help`\n$/],
  [
    'tenant crate',
    2,
    /^posternctl: unknown command 'crate' \(did you mean create\?\); see `posternctl tenant --help`\n$/,
  ],
  [
    'queue get X',
    2,
    /^posternctl: unexpected argument "get"; commands are summary, list, retry, .*; see `posternctl queue summary --help`\n$/,
  ],
  ['status more', 2, /^posternctl: unexpected argument "more"; see `posternctl status --help`\n$/],
  ['key create --role owner', 2, /'owner' is invalid. Allowed choices are operator, tenant-admin, tenant-reader; see/],
  [
    'status --server nonsense',
    2,
    /^posternctl: --server: "nonsense" is not allowed; expected HOST:PORT, such as 127\.0\.0\.1:9010; see/,
  ],
  ['tenant list --colour', 2, /unknown option '--colour'/],
  ['tenant create acme --weight 1000', 2, /Expected a whole number from 1 to 100/],
  ['domain update acme.test', 2, /nothing to change/],
  ['tenant list --timeout soon', 2, /--timeout: "soon" is not allowed/],
  ['--help', 0, /^$/],
])('%s: exit %i', async (args, code, err) => {
  const outcome = await server.run(args);
  expect(outcome.code).toBe(code);
  expect(outcome.err).toMatch(err);
  expect(server.requests).toEqual([]);
});

test.each([
  [
    { code: 3, details: 'tenant.name: missing; expected a name' },
    /^posternctl: tenant.name: missing; expected a name\n$/,
  ],
  [
    { code: 16, details: 'the API key is not known' },
    /^posternctl: the API at .* does not take the key in .*key: the API key is not known\n$/,
  ],
])('what the server refuses is one line and exit 1', async (status, err) => {
  server.refuse('getTenant', status.code, status.details);
  expect(await server.run('tenant get x')).toEqual({ code: 1, out: '', err: expect.stringMatching(err) });
});

test('a domain that is not there is said with how to add it', async () => {
  server.refuse('createUser', 5, 'domain "nodomain.test" does not exist');
  expect(await server.run('user add x@nodomain.test --no-login')).toEqual({
    code: 1,
    out: '',
    err: 'posternctl: domain "nodomain.test" does not exist; add it first: posternctl domain add nodomain.test --tenant NAME\n',
  });
});

test('an empty list of what does not exist is no answer, and neither is an operation on nothing', async () => {
  server.answer('listDomains', { domains: [], nextPageToken: '' });
  server.refuse('getTenant', 5, 'tenant "nobody" does not exist');
  expect(await server.run('domain list --tenant nobody')).toMatchObject({
    code: 1,
    err: 'posternctl: tenant "nobody" does not exist\n',
  });
  server.answer('operateQueue', { result: { changed: 0, unreported: {}, unfit: {} } });
  expect(await server.run('queue retry 01X')).toMatchObject({
    code: 1,
    err: 'posternctl: nothing that waits has this id: 01X\n',
  });
});

test.each([
  ['retry', { held: 1 }, '1 recipient held: `posternctl queue release` lets it go on'],
  ['retry', { quarantined: 2 }, '2 recipients quarantined: `posternctl queue release` lets it go on'],
  ['release', { deferred: 1 }, '1 recipient deferred: it is not held; `posternctl queue retry` tries it now'],
  ['hold', { held: 1 }, '1 recipient held: already'],
  ['delete', { dispatched: 1 }, '1 recipient dispatched: an attempt is under way, try again when it has ended'],
])('queue %s of what is in another state says so, and what to do: %j', async (verb, unfit, text) => {
  server.answer('operateQueue', { result: { changed: 0, unreported: {}, unfit } });
  expect(await server.run(`queue ${verb} 01X`)).toMatchObject({ code: 1, err: `posternctl: ${text}\n` });
  server.answer('operateQueue', { result: { changed: 1, unreported: {}, unfit } });
  expect(await server.run(`queue ${verb} 01X 01Y`)).toMatchObject({
    code: 0,
    out: `1 recipient changed.\nNot changed: ${text}.\n`,
  });
});

test('words of other tools mean the same', async () => {
  server.answer('listTenants', { tenants: [], nextPageToken: '' });
  expect((await server.run('tenant ls')).out).toBe('No tenants.\n');
});

test('init without a password for its user makes nothing', async () => {
  server.answer('createTenant', {});
  expect((await server.run('init --tenant acme --domain acme.test --user alice')).code).toBe(2);
  expect((await server.run('init --tenant acme --domain acme.test --host ftp://x')).code).toBe(2);
  expect(server.requests).toEqual([]);
});

test('init on a domain that is there says where its mail still goes, and refuses one of another tenant', async () => {
  const exists = (method: 'createTenant' | 'createDomain') => server.refuse(method, 6, 'it is there');
  exists('createTenant');
  exists('createDomain');
  server.answer('putRoute', {});
  server.answer('listRoutes', { routes: [], nextPageToken: '' });
  const init = 'init --tenant acme --domain acme.test --host mail.acme.test';
  server.answer('getDomain', { domain: { ...domain, nextHop: 'old' } });
  expect((await server.run(init)).out).toContain(
    'still goes to next hop old, not to mail.acme.test. To change that: posternctl domain update acme.test --next-hop main\n',
  );
  server.answer('getDomain', { domain });
  expect((await server.run(init)).out).toContain('still goes to the default next hop, not to');
  server.answer('getDomain', { domain: { ...domain, nextHop: 'main' } });
  expect((await server.run(init)).out).not.toContain('still goes');
  server.requests.length = 0;
  server.answer('getDomain', { domain: { ...domain, tenant: 'bell' } });
  const { code, err } = await server.run(init);
  expect([code, err]).toEqual([1, expect.stringContaining('acme.test is a domain of tenant bell, not of acme')]);
  expect(server.requests.map(({ method }) => method)).toEqual(['getDomain']);
});

test('init says what route main is, leaves it alone, and changes it with --force only', async () => {
  const host = { host: 'old.acme.test', port: 25, protocol: 'smtp', tls: 'opportunistic', username: '', password: '' };
  const main = { name: 'main', tenant: 'acme', hosts: [host], egressPool: 'eu', etag: '"7"' };
  const other = { ...main, name: 'other', hosts: [{ ...host, host: 'x.acme.test' }] };
  server.refuse('createTenant', 6, 'it is there');
  server.refuse('getDomain', 5, 'no domain');
  server.answer('createDomain', { warnings: [] });
  server.answer('putRoute', {});
  server.answer('listRoutes', { routes: [other, main], nextPageToken: '' });
  const init = (to: string) => server.run(`init --tenant acme --domain acme.test --host ${to}`);
  const { code, err } = await init('new.acme.test:2525');
  expect(code).toBe(1);
  expect(err).toContain('route main of tenant acme goes to smtp://old.acme.test:25, not to smtp://new.acme.test:2525;');
  expect(err).toContain('nothing was made. --force changes it');
  expect(server.requests.map(({ method }) => method)).toEqual(['getDomain', 'listRoutes']);
  expect((await init('old.acme.test')).out).toContain('There already: route main to smtp://old.acme.test:25\n');
  expect(server.requests.map(({ method }) => method)).not.toContain('putRoute');
  const forced = await init('new.acme.test:2525 --force');
  expect(forced.out).toContain('Changed: route main to smtp://new.acme.test:2525, before smtp://old.acme.test:25\n');
  expect(server.requests.find(({ method }) => method === 'putRoute')?.request).toMatchObject({
    route: { name: 'main', etag: '"7"', hosts: [{ host: 'new.acme.test', port: 2525 }] },
  });
});

test('an empty ledger of a tenant that does not exist is no answer', async () => {
  const result = { rows: [], outcomesInFlight: 0, streamMessages: 0, balanced: true, orphans: [] };
  server.answer('getLedger', { result });
  server.refuse('getTenant', 5, 'tenant nosuch');
  expect(await server.run('ledger --tenant nosuch')).toMatchObject({ code: 1, out: '' });
  server.answer('getTenant', { tenant: acme });
  expect((await server.run('ledger --tenant acme')).out).toContain('Nothing was accepted yet.');
});

test('help marks what has to be given', async () => {
  const help = (await server.run('greylist show --help')).out;
  expect(help).toMatch(/--from <address> +reverse-path \(required\)/);
  expect((await server.run('greylist clear --help')).out).not.toContain('(required)');
});

test('help tells defaults as they are typed, and none where nothing is assumed', async () => {
  const ban = (await server.run('ban add --help')).out;
  expect(ban).toContain('--for <duration>  how long (default: 1h)');
  expect(ban).toMatch(/--reason <text> +kept in list, log and audit\n/);
  expect((await server.run('simulate --help')).out).not.toMatch(/default: (\[|"")/);
});

test('a cluster that is not there is one line, whatever was given', async () => {
  const key = join(server.folder, 'key');
  const none = await runWith('/', {}, 'tenant list');
  expect(none).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^posternctl: no cluster found: start one with `npm start`/),
  });
  const away = await runWith('/', { POSTERN_SERVER: '127.0.0.1:9', POSTERN_KEY_FILE: key }, 'tenant list --timeout 2s');
  expect(away).toMatchObject({
    code: 1,
    err: expect.stringMatching(
      /^posternctl: the API at 127\.0\.0\.1:9 cannot be reached: nothing listens there\. Start the cluster .*\n$/,
    ),
  });
  const noKey = await runWith('/', { POSTERN_SERVER: '127.0.0.1:9', POSTERN_KEY_FILE: '/nowhere' }, 'tenant list');
  expect(noKey.err).toBe('posternctl: API key /nowhere cannot be read (ENOENT)\n');
});

test('the key of a local cluster goes to the address in its run.json and to no other', async () => {
  const data = join(server.folder, '.postern');
  mkdirSync(data, { recursive: true });
  const run = { provisioning: { address: '127.0.0.1:9', keyFile: join(server.folder, 'key') } };
  writeFileSync(join(data, 'run.json'), JSON.stringify(run));
  server.answer('listTenants', { tenants: [], nextPageToken: '' });
  const asked = server.requests.length;
  for (const [env, args] of [
    [{}, `tenant list --server ${server.address}`],
    [{ POSTERN_SERVER: server.address }, 'tenant list'],
    [{}, `tenant list --server ${server.address} --data ${data}`],
  ] as const)
    expect(await runWith(server.folder, env, args)).toEqual({
      code: 1,
      out: '',
      err: `posternctl: the API at ${server.address} needs a key: give --key-file FILE or POSTERN_KEY_FILE; that of ${join(data, 'run.json')} is for 127.0.0.1:9 alone\n`,
    });
  expect((await runWith('/', {}, `tenant list --server ${server.address}`)).err).toBe(
    `posternctl: the API at ${server.address} needs a key: give --key-file FILE or POSTERN_KEY_FILE\n`,
  );
  expect(server.requests.length).toBe(asked);

  const here = { provisioning: { address: server.address, keyFile: join(server.folder, 'key') } };
  writeFileSync(join(data, 'run.json'), JSON.stringify(here));
  expect(await runWith(server.folder, {}, `tenant list --server ${server.address}`)).toMatchObject({ code: 0 });
  rmSync(data, { recursive: true });
});

test('a key that is refused without a word is said without a colon', async () => {
  server.refuse('listTenants', 16, '');
  const { err } = await server.run('tenant list');
  expect(err).toBe(`posternctl: the API at ${server.address} does not take the key in ${join(server.folder, 'key')}\n`);
});

test('run.json of the local cluster is found above, and its mailbox is shown', async () => {
  const message = {
    id: '01M',
    recipient: 'a@acme.test',
    reversePath: '',
    receivedAt: '2026-01-02T03:04:05.000Z',
    bytes: 2048,
  };
  const http = createServer((request, response) => {
    if (request.url === '/messages/01M/raw') response.end('Subject: hi\r\n\r\nbell\u0007\r\n');
    else if (request.url?.startsWith('/messages?') === true) response.end(JSON.stringify({ messages: [message] }));
    else response.writeHead(404).end('{}');
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const address = http.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const data = join(server.folder, '.postern');
  const below = join(server.folder, 'deep', 'er');
  mkdirSync(data, { recursive: true });
  mkdirSync(below, { recursive: true });
  const run = {
    provisioning: { address: '127.0.0.1:9', keyFile: '/k' },
    infrastructure: [{ name: 'mailbox', pid: 1, address: '127.0.0.1:1', http: `http://127.0.0.1:${port}` }],
  };
  writeFileSync(join(data, 'run.json'), JSON.stringify(run));
  try {
    // Its API is away: the mailbox needs none.
    const list = await runWith(below, {}, 'mailbox');
    expect(list.out).toContain('01M  2026-01-02 03:04:05.000Z  <>    a@acme.test  2.0 KiB');
    expect((await runWith('/', {}, `mailbox show 01M --data ${data}`)).out).toBe('Subject: hi\n\nbell\\x07\n\n');
    expect(await runWith(below, {}, 'mailbox show nope')).toMatchObject({
      code: 1,
      err: 'posternctl: no message nope in the mailbox\n',
    });
  } finally {
    http.close();
  }
});

test('status of a local cluster lists its processes and asks each', async () => {
  const ready = createServer((_request, response) => response.end('ok')).listen(0, '127.0.0.1');
  await once(ready, 'listening');
  const address = ready.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const data = join(server.folder, 'local');
  mkdirSync(data);
  const run = {
    services: [
      { name: 'edge', instance: 'edge-0', pid: process.pid, metrics: `http://127.0.0.1:${port}` },
      { name: 'queue', instance: 'queue-0', pid: 2 ** 30, metrics: 'http://127.0.0.1:9' },
    ],
    infrastructure: [{ name: 'nats', pid: process.pid, address: 'nats://127.0.0.1:4222' }],
    provisioning: { address: server.address, keyFile: join(server.folder, 'key') },
  };
  writeFileSync(join(data, 'run.json'), JSON.stringify(run));
  server.answer('getStatus', {
    snapshotVersion: 1,
    streams: [],
    dependencies: [],
    outboxPending: 0,
    suspicions: [],
    staleRules: '',
    postponedFields: [],
    settingsNotInEffect: [],
    services: [],
  });
  try {
    const { out } = await runWith('/', {}, `status --data ${data}`);
    expect(out).toMatch(/^edge-0 +ready +\d+ +http:\/\/127\.0\.0\.1:\d+\/metrics$/m);
    expect(out).toMatch(/^queue-0 +gone /m);
    expect(out).toMatch(/^nats +running +\d+$/m);
    expect(out).not.toContain('supervisor');
    expect(out).not.toContain('--config');
    writeFileSync(join(data, 'run.json'), JSON.stringify({ ...run, configFileBefore: '/home/a/mine.yaml' }));
    expect((await runWith('/', {}, `status --data ${data}`)).out).toContain(
      'Started without the --config of last time, /home/a/mine.yaml: its settings are not in effect; tenants, domains and users it made stay.\n',
    );
    expect((await server.run('status')).out).not.toContain('PROCESS');
    const gone = { ...run, supervisor: { pid: process.pid, identity: '1@of another boot' } };
    writeFileSync(join(data, 'run.json'), JSON.stringify(gone));
    expect((await runWith('/', {}, `status --data ${data}`)).out).toContain(
      [
        `The supervisor (pid ${process.pid}) is gone. 2 of its processes run on; one that ends is not started again.`,
        `Way out: \`npm start -- --data ${data}\`, with the options it had, ends what is left and starts the cluster again; \`npm start -- --stop --data ${data}\` only clears up.`,
      ].join('\n'),
    );
    const infrastructure = [{ ...run.infrastructure[0], identity: '1@of another boot' }];
    const dead = { ...gone, services: [run.services[1]], infrastructure };
    writeFileSync(
      join(data, 'run.json'),
      JSON.stringify({ ...dead, provisioning: { ...run.provisioning, address: '127.0.0.1:1' } }),
    );
    const outcome = await runWith('/', {}, `status --data ${data}`);
    expect(outcome.code).toBe(1);
    expect(outcome.out).toMatch(
      /is gone\. Nothing of the cluster runs any more\.\nWay out: .*, with the options it had, starts it again; /,
    );
    expect(outcome.out).toMatch(/^nats +gone/m);
    expect(outcome.err).toMatch(/^posternctl: the API at 127\.0\.0\.1:1 cannot be reached/);
    const { supervisor: _, ...kept } = { ...dead, provisioning: { ...run.provisioning, address: '127.0.0.1:1' } };
    writeFileSync(join(data, 'run.json'), JSON.stringify(kept));
    expect((await runWith('/', {}, `status --data ${data}`)).out).toContain(
      `Why queue-0 is gone: ${join(data, 'logs', 'queue-0.log')}`,
    );
  } finally {
    ready.close();
  }
});

test('a described session is sent whole and its verdicts are a timeline', async () => {
  const accepted = { action: 1, replyCode: 0, enhancedCode: '', text: '', decidedBy: '' };
  const refused = { action: 2, replyCode: 550, enhancedCode: '5.1.1', text: 'No such user', decidedBy: 'recipients' };
  const verdict = { sessionId: '', sequence: 0, contentPlan: 0, groups: [], senderAuthenticated: false, pod: '' };
  const spf = {
    check: 'spf',
    outcome: 'pass',
    evidence: { domain: 'b.test' },
    recipient: '',
    rule: '',
    durationUs: 1500,
    stage: 4,
    action: 'mark',
  };
  server.answer('simulateSession', {
    deliveries: [
      {
        ...{
          recipient: 'y@acme.test',
          event: 'relay',
          outcome: 'go',
          text: '',
          route: 'main (local, pool default)',
          reply: '',
        },
        ...{ delaysMs: [5_000, 60_000], expiresAfterMs: 600_000, notice: '' },
        rules: [
          {
            ...{ check: 'rule', outcome: 'retrySchedule', evidence: 'slow@1 at relay', recipient: 'y@acme.test' },
            ...{ tenant: 'system', rule: 'slow@1', action: 'retrySchedule', durationUs: 0 },
          },
        ],
      },
      {
        ...{
          recipient: 'y@acme.test',
          event: 'delivery-failure',
          outcome: 'bounced',
          text: '',
          route: '',
          reply: '550 5.0.0 Refused',
        },
        ...{ delaysMs: [], expiresAfterMs: 600_000, notice: 'Ask us', rules: [] },
      },
    ],
    deliveriesUnknown: '',
    result: {
      stages: [
        { ...verdict, decision: accepted, recipients: [], findings: [] },
        { ...verdict, decision: accepted, recipients: [], findings: [] },
        {
          ...{ ...verdict, decision: accepted, recipients: [], findings: [spf] },
          limits: { messageSize: 1_000, recipients: 5 },
        },
        {
          ...verdict,
          decision: accepted,
          recipients: [{ address: 'x@acme.test', decision: refused, expandsTo: [] }],
          findings: [],
        },
      ],
      asked: [[1], [2], [4], [5]].map((stages) => ({ stages, bodyMissing: false })),
      recorded: [],
      replies: [
        { stage: 4, recipient: '', replyCode: 250, enhancedCode: '2.1.0', text: 'sender OK', decidedBy: '' },
        {
          ...{ stage: 5, recipient: 'x@acme.test', replyCode: 550, enhancedCode: '5.1.1', text: 'No such user' },
          decidedBy: 'recipients',
        },
      ],
      submittingTenant: '',
    },
  });
  const rule = join(server.folder, 'my-rule.yaml');
  writeFileSync(rule, 'event: mail');
  const checks = join(server.folder, 'checks.yaml');
  writeFileSync(checks, 'checks:\n  lists: { block: [b.test] }\n');
  const options = `--rule ${rule} --checks ${checks} --domain acme.test --tenant acme`;
  const run = await server.run(`simulate --client 192.0.2.1 --from a@b.test --to x@acme.test ${options}`);
  expect(run).toEqual({
    code: 0,
    err: '',
    out: [
      'Session from 192.0.2.1 (client.example) on mx, nothing is stored or sent',
      '  connect   accepted',
      '  ehlo      accepted',
      '  mail      accepted',
      '    spf          pass         domain=b.test  -> mark  1.5 ms',
      '    limits       messages of at most 1000 bytes, at most 5 recipients',
      '  rcpt      accepted',
      '    recipient    <x@acme.test>: refused "550 5.1.1 No such user", decided by recipients',
      '  The client is told:',
      '    MAIL         250 2.1.0 sender OK',
      '    RCPT         <x@acme.test> 550 5.1.1 No such user, decided by recipients',
      '  relay     <y@acme.test>: goes by main (local, pool default), tried again after 5 s, 60 s until 600 s after acceptance',
      '    rule         retrySchedule slow@1 at relay',
      '  delivery-failure <y@acme.test> if answered "550 5.0.0 Refused": comes back, report says "Ask us"',
      '',
    ].join('\n'),
  });
  expect(server.requests[0]?.request).toMatchObject({
    query: {
      candidates: [{ id: 'my-rule', document: 'event: mail', target: 'acme.test' }],
      checks: { scope: 'acme.test', document: 'lists: { block: [ b.test ] }\n' },
      facts: { reversePath: 'a@b.test', hasReversePath: true, recipients: [{ address: 'x@acme.test', asked: true }] },
    },
  });
  expect(await server.run('simulate --client 192.0.2.1 --tls --from a@b.test')).toMatchObject({ code: 0 });
  expect(server.requests[1]?.request).toMatchObject({ query: { facts: { origin: { tlsVersion: 'TLSv1.3' } } } });
  for (const [options, listenerRole, tlsVersion] of [
    ['--user a@acme.test', 'submission', 'TLSv1.3'],
    ['--user a@acme.test --no-tls', 'submission', ''],
    ['--user a@acme.test --listener mx --tls TLSv1.2', 'mx', 'TLSv1.2'],
    ['--listener submission', 'submission', ''],
    ['--listener submissions', 'submissions', 'TLSv1.3'],
    ['--listener partners', '', ''],
    ['--listener partners --user a@acme.test', '', 'TLSv1.3'],
  ]) {
    await server.run(`simulate --client 192.0.2.1 ${options}`);
    const facts = { listenerRole, origin: { listener: listenerRole || 'partners', tlsVersion } };
    expect(server.requests.at(-1)?.request).toMatchObject({ query: { facts } });
  }
  const pem = join(server.folder, 'client.pem');
  writeFileSync(pem, clientCertificate);
  await server.run(`simulate --client 192.0.2.1 --listener partners --client-certificate ${pem}`);
  expect(server.requests.at(-1)?.request).toMatchObject({
    query: {
      facts: {
        origin: { listener: 'partners', tlsVersion: 'TLSv1.3' },
        clientCertificate: {
          ...{ verified: true, names: ['relay.partner.test'] },
          fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
        },
      },
    },
  });
  for (const [options, problem] of [
    [`--client-certificate ${pem} --no-tls`, '--client-certificate: is shown on TLS only'],
    ['--client-certificate /nowhere/c.pem', '/nowhere/c.pem cannot be read (ENOENT)'],
    ['--client-certificate package.json', 'package.json holds no certificate; expected one in PEM'],
  ])
    expect((await server.run(`simulate --client 192.0.2.1 ${options}`)).err).toContain(problem);
  server.requests.splice(2);
  expect(await server.run('simulate --client 192.0.2.1 --reply 452 --attempt 3 --age 60')).toMatchObject({ code: 0 });
  expect(server.requests[2]?.request).toMatchObject({
    scene: { attempt: 3, ageMs: 60_000, reply: { replyCode: 452, enhancedCode: '', replyText: '' } },
  });
  for (const [option, value] of [
    ['--from', 'a@b@c'],
    ['--from', 'nobody'],
    ['--to', 'nope'],
    ['--to', 'a@'],
    ['--helo', 'ä'],
    ['--size', '99999999999'],
  ]) {
    const from = option === '--to' ? '--from a@b.test' : '';
    const told = await server.run(`simulate --client 192.0.2.1 ${from} ${option} ${value}`.replaceAll('  ', ' '));
    expect(told).toMatchObject({ code: 2, err: expect.stringContaining(option ?? '') });
  }
  expect(await server.run('simulate --client 192.0.2.1 --reply 250')).toMatchObject({
    code: 2,
    err: expect.stringContaining('--reply: "250" is not allowed; expected a failure as "452 4.2.2 full"'),
  });
  expect(await server.run('simulate --client 1.2.3')).toMatchObject({
    code: 2,
    err: expect.stringContaining('--client: "1.2.3"'),
  });
});

test('limits and bans', async () => {
  const ban = {
    client: '192.0.2.1',
    remainingMs: 61_000,
    ageMs: 5_000,
    by: 'errors',
    reason: '5 times bad\u001bcommand',
  };
  const reading = { scope: 'service', kind: 'simultaneous', limit: 5, used: 3, resetMs: 0 };
  server.answer('showLimits', {
    result: {
      kind: 'address',
      countedAs: '192.0.2.1',
      ipSet: 'office',
      ban,
      limits: [reading],
      exempt: '',
      denied: [],
    },
  });
  expect((await server.run('limit show 192.0.2.1')).out).toBe(
    [
      'address 192.0.2.1, in IP set office',
      'Banned for 1m 1s more: 5 times bad\\x1bcommand',
      'SCOPE    LIMITED       USED  LIMIT  RESET IN',
      'service  simultaneous     3      5',
      '',
    ].join('\n'),
  );
  server.answer('listBans', { result: { bans: [ban], total: 3 } });
  expect((await server.run('ban list')).out).toContain('... and 2 more');
  server.answer('addBan', { result: { client: '192.0.2.1' } });
  expect((await server.run('ban add 192.0.2.1 --for 2h --reason noise')).out).toBe('192.0.2.1 is banned for 2h.\n');
  expect(server.requests.at(-1)?.request).toMatchObject({ query: { lengthMs: 7_200_000, reason: 'noise' } });
  await server.run('ban add 127.0.0.1 --force');
  expect(server.requests.at(-1)?.request).toMatchObject({ query: { address: '127.0.0.1', force: true } });
  server.answer('liftBan', { result: { client: '192.0.2.1', wasBanned: false } });
  expect((await server.run('ban lift 192.0.2.1')).out).toBe('192.0.2.1 was not banned.\n');
});

test('the audit is listed newest first, in pages, by filter', async () => {
  const entry = {
    atMs: 0,
    tenant: '',
    actor: 'bootstrap',
    role: 'operator',
    method: 'AddBan',
    resource: 'ban',
    detail: '{"for":1}',
  };
  server.answer('listAudit', {
    entries: [entry, { ...entry, tenant: 'acme', actor: '', detail: '{}' }],
    nextPageToken: '',
  });
  const { out } = await server.run('audit list --method AddBan --since 7d --limit 5');
  expect(out).toMatch(/\(service\) +bootstrap +AddBan +ban +\{"for":1\}/);
  expect(out).toMatch(/acme +\(operator\) +AddBan +ban/);
  expect(server.requests.at(-1)?.request).toMatchObject({ method: 'AddBan', pageSize: 5, tenant: '' });
});

test('limits of an exempt address say what is not counted, and why', async () => {
  const limits = [{ scope: 'service', kind: 'simultaneous', limit: 5, used: 3, resetMs: 0 }];
  const result = {
    kind: 'address',
    countedAs: '127.0.0.1',
    ipSet: '',
    ban: undefined,
    limits,
    exempt: 'loopback',
    denied: ['mx: IP set bad'],
  };
  server.answer('showLimits', { result });
  expect((await server.run('limit show 127.0.0.1')).out.split('\n').slice(0, 3)).toEqual([
    'address 127.0.0.1',
    'May not connect to mx: IP set bad',
    'Its errors are not counted, and it is not banned for them: loopback. What is below holds.',
  ]);
});

test('limits of a login that is no user are said to be', async () => {
  const result = { kind: 'user', countedAs: '', ipSet: '', limits: [], exempt: '', denied: [] };
  server.answer('showLimits', { result: { ...result, countedAs: 'nobody@acme.test' }, unknownUser: true });
  expect((await server.run('limit show nobody@acme.test')).out).toBe(
    'user nobody@acme.test\nNo user has this address: what is below is counted under the name.\nNothing is limited.\n',
  );
  server.answer('showLimits', { result: { ...result, countedAs: 'ann@acme.test' }, unknownUser: false });
  expect((await server.run('limit show ann@acme.test')).out).not.toContain('No user');
});

test('greylisting', async () => {
  server.answer('showGreylist', {
    result: { origin: '192.0.2.0/24', state: 'waiting', ageMs: 61_000, forgottenInMs: 7_200_000, originPassed: 2 },
  });
  expect((await server.run('greylist show 192.0.2.1 --from a@b.test --to c@acme.test')).out).toBe(
    '192.0.2.0/24: waiting, first seen 1m 1s ago, forgotten in 2h; 2 of this origin passed\n',
  );
  expect((await server.run('greylist clear')).err).toContain('name a client, or --all');
  server.answer('clearGreylist', { result: { cleared: 1 } });
  expect((await server.run('greylist clear --all')).out).toBe('1 entry forgotten.\n');
});

test('a recorded session judged again: what is different now stands beside what was then', async () => {
  const verdict = { sessionId: '', sequence: 0, contentPlan: 0, groups: [], senderAuthenticated: false, pod: '' };
  const of = (action: number, text: string) => ({
    ...verdict,
    decision: { action, replyCode: 0, enhancedCode: '', text, decidedBy: '' },
    recipients: [],
    findings: [],
  });
  server.answer('simulateSession', {
    ...{ deliveries: [], deliveriesUnknown: '' },
    result: {
      stages: [of(1, ''), of(2, 'no')],
      asked: [
        { stages: [1, 2], bodyMissing: false },
        { stages: [4], bodyMissing: false },
      ],
      recorded: [of(1, ''), of(1, '')],
      replies: [],
      submittingTenant: '',
    },
  });
  const run = await server.run('simulate --recorded 01JD4Q6V6S7M8N9P0Q1R2S3T4V --tenant acme');
  expect(run).toMatchObject({ code: 0, err: '' });
  expect(run.out).toContain('connect+ehlo accepted');
  expect(run.out).toMatch(
    /mail +refused "no"\n {2}different from then:\n {4}decision: then accepted; now refused "no"\nNot/,
  );
  expect(run.out).toContain('Not the same as then.');
  expect(await server.run('simulate')).toMatchObject({
    code: 2,
    err: expect.stringContaining('--client or --recorded'),
  });
});

test('sessions are recorded and listed', async () => {
  server.answer('setSessionRecording', { tenant: 'acme', on: true });
  expect(await server.run('session record on --tenant acme')).toMatchObject({
    code: 0,
    out: 'Sessions of acme are recorded.\n',
  });
  server.answer('listSessionRecordings', {
    result: {
      recordings: [
        {
          ...{ sessionId: '01JD4Q6V6S7M8N9P0Q1R2S3T4V', atMs: 0, bytes: 900, verdict: 'reject by spf' },
          ...{ sender: '<a@b.test>', recipient: 'x@acme.test', recipients: 3 },
        },
      ],
    },
    on: true,
  });
  const listed = await server.run('session record list --tenant acme');
  expect(listed.out).toMatch(
    /T4V {2}1970-01-01T00:00:00\.000Z {2}<a@b\.test> {2}x@acme\.test and 2 more {2}reject by spf +900/,
  );
});

test('what of the settings is not in effect is said beneath them, and who set what is in force', async () => {
  const problem = 'country.block: the operator has this check on';
  server.answer('getCheckSettings', {
    settings: { tenant: 'acme', scope: '', document: 'spf: { onFail: tag }\n', etag: '"4"', notInEffect: [problem] },
    effective: [{ field: 'spf.onFail', value: '"tag"', setBy: 'tenant acme' }],
  });
  expect((await server.run('checks get --tenant acme')).out).toMatch(
    /^spf: \{ onFail: tag \}\n\nNot in effect, .*\n {2}country\.block: the operator has this check on/,
  );
  expect((await server.run('checks get --tenant acme --effective')).out).toMatch(/spf\.onFail +tenant acme +"tag"/);
  expect(server.requests.at(-1)?.request).toMatchObject({ effective: true });
});

test.each([
  ['', 1],
  ['# nothing\n{}\n', 1],
  ['spf: { onFail: tag }\n', 0],
])('settings from a file that sets nothing want --yes: %j', async (document, code) => {
  const file = join(server.folder, 'settings.yaml');
  writeFileSync(file, document);
  const settings = { tenant: 'acme', scope: '', document, etag: '"1"', notInEffect: [] };
  server.answer('putCheckSettings', { settings });
  const run = await server.run(`checks put ${file} --tenant acme`);
  expect(run.code).toBe(code);
  if (code === 0) return;
  expect(run.err).toContain('This sets nothing: all settings stored there go. Nothing was done; --yes does it');
  expect(await server.run(`checks put ${file} --tenant acme --yes`)).toMatchObject({ code: 0 });
  expect(await server.run('checks reset --tenant acme')).toMatchObject({ code: 0 });
});

test('rules of a tenant in a rules section are tried as those of the tenant', async () => {
  const file = join(server.folder, 'section.yaml');
  writeFileSync(file, 'rules:\n- { id: a, tenant: acme, scope: acme.test, event: mail, then: [discard] }\n');
  const simulate = `simulate --client 192.0.2.1 --from a@b.test --rule ${file}`;
  expect((await server.run(simulate)).err).toContain('rule a is of tenant acme; try it with --tenant acme');
  await server.run(`${simulate} --tenant acme`);
  const candidate = { id: 'a', target: 'acme.test', document: '{ id: a, event: mail, then: [ discard ] }\n' };
  expect(server.requests.at(-1)?.request).toMatchObject({ query: { tenant: 'acme', candidates: [candidate] } });
});

test('a rule is of a domain or of a user, never of both', async () => {
  const file = join(server.folder, 'scoped.yaml');
  writeFileSync(file, 'event: mail');
  const both = await server.run(`rule put r ${file} --domain a.test --user u@a.test`);
  expect(both).toMatchObject({ code: 2, err: expect.stringContaining('only one of them') });
});

test.each([
  ['', 'greylist.enabled=true', 'greylist:\n  enabled: true\n'],
  [
    '# ours\ngreylist:\n  delay: 1m # short\n',
    'greylist.enabled=true',
    '# ours\ngreylist:\n  delay: 1m # short\n  enabled: true\n',
  ],
  [
    'spf: { onFail: tag }\n',
    'lists.block=[a.test,b.test] spf.onFail=reject',
    'spf: { onFail: reject }\nlists:\n  block:\n    - a.test\n    - b.test\n',
  ],
  ['spf: { onFail: tag }\n', '--unset spf.onFail', ''],
])('domain set leaves the rest as it stands: %j %s', async (document, args, wanted) => {
  server.answer('getDomain', { domain });
  server.answer('getCheckSettings', {
    settings: { tenant: 'acme', scope: 'acme.test', document, etag: '"4"', notInEffect: [] },
    effective: [],
  });
  server.answer('putCheckSettings', {
    settings: { tenant: 'acme', scope: 'acme.test', document: wanted, etag: '"5"', notInEffect: [] },
  });
  const { code, out } = await server.run(`domain set acme.test ${args}`);
  expect([code, out.trim()]).toEqual([0, wanted === '' ? 'acme.test sets nothing differently.' : wanted.trim()]);
  expect(server.requests.at(-1)?.request).toEqual({
    settings: { tenant: 'acme', scope: 'acme.test', document: wanted, etag: '"4"', notInEffect: [] },
  });
});

test.each([
  ['', 'spf.onFail', 'it is not set here; nothing is'],
  ['spf: { onFail: tag }\n', 'greylist.delay', 'it is not set here; set are spf.onFail'],
  ['spf: { onFail: tag }\n', 'spf.timeout', 'it is not set here; set are spf.onFail'],
])('of %j unset %s says what is set', async (document, field, told) => {
  server.answer('getDomain', { domain });
  server.answer('getCheckSettings', {
    settings: { tenant: 'acme', scope: 'acme.test', document, etag: '"4"', notInEffect: [] },
    effective: [],
  });
  const { code, err } = await server.run(`domain set acme.test --unset ${field}`);
  expect([code, err]).toEqual([2, expect.stringContaining(`posternctl: --unset ${field}: ${told}`)]);
});

test.each([
  ['greylist', /"greylist" is no assignment; expected check\.field=value/],
  ['Greylist.on=1', /is no field of a check/],
  ['greylist.delay=[', /the value is no YAML/],
  ['', /nothing to change/],
])('tenant set %s is typed wrong', async (args, message) => {
  server.answer('getCheckSettings', { settings: undefined, effective: [] });
  const { code, err } = await server.run(`tenant set acme ${args}`.trim());
  expect(code).toBe(2);
  expect(err).toMatch(message);
});
