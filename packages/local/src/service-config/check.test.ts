import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { sharedCache } from '../servers/server-cache.js';
import { SetupError } from '../setup-error.js';
import { Cluster } from '../supervisor/cluster.js';
import { type DataFolder, prepareDataFolder } from '../supervisor/data-folder.js';
import { parseStartOptions } from '../supervisor/options.js';
import { planCluster } from '../supervisor/plan.js';
import { makeCertificate } from '../trust/x509.js';

let dir = '';
let file = '';
let folder: DataFolder;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'postern-check-'));
  file = join(dir, 'own.yaml');
  folder = await prepareDataFolder(join(dir, 'data'));
  await writeFile(join(dir, 'short'), 'seven77\n');
  const one = makeCertificate({ subject: 'one.test', days: 1, now: new Date() });
  await writeFile(join(dir, 'one.pem'), one.certificatePem);
  await writeFile(join(dir, 'one.key'), one.keyPem);
  await writeFile(join(dir, 'empty'), '');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** The judgement of the services as they were built; what they say, without the way out. */
async function linesAbout(
  text: string | undefined,
  environment: NodeJS.ProcessEnv = {},
  say: (line: string) => void = () => undefined,
): Promise<string[]> {
  if (text !== undefined) await writeFile(file, text);
  return linesOf(text === undefined ? [] : ['--config', file], environment, say);
}

async function linesOf(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  say: (line: string) => void = () => undefined,
): Promise<string[]> {
  const start = parseStartOptions(args, dir);
  const options = { start, folder, cache: sharedCache(), environment, say, now: () => new Date() };
  try {
    await new Cluster(options, await planCluster(folder, start)).check();
    return [];
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    expect(error.wayOut).toMatch(/start again|give the path/);
    return error.problem.split('\n').map((line) => line.replace(`${file}:`, ''));
  }
}

const tenant = (more: string) => `tenants:\n- name: mine\n  domains: [{ name: mine.test }]\n  ${more}`;

test.each<[string, string, string | RegExp]>([
  ['no YAML', 'limits: [1', /^\d: not valid YAML: /],
  ['a list', '- limits', '1: expected a map of sections, such as `limits:` with its settings indented below'],
  ['a key twice', 'dns:\n  timeout: 1s\n  timeout: 2s', '3: duplicate key "timeout"'],
  ['an unknown section', 'limtis: {}', '1: limtis: unknown key; did you mean limits?'],
  ['an unknown section near one of a service', 'delivry: {}', '1: delivry: unknown key; did you mean delivery?'],
  ['hostname', 'hostname: a b', /^1: hostname: "a b" is not allowed; expected a domain name/],
  ['postmaster', 'postmaster: me', '1: postmaster: "me" is not allowed; expected a mail address user@domain'],
  [
    'dns.servers',
    'dns: { servers: [192.0.2.1] }',
    /^1: dns\.servers\[0\]: "192\.0\.2\.1" is not allowed; expected host:port/,
  ],
  ['dns.timeout', 'dns:\n  timeout: 5', /^2: dns\.timeout: 5 is not allowed; expected a duration from 50ms to 1m/],
  ['remoteDelivery', 'remoteDelivery: maybe', '1: remoteDelivery: "maybe" is not allowed; expected true or false'],
  ['defaultNextHop', 'defaultNextHop: post', '1: defaultNextHop: "post" is not allowed; expected one of mailbox'],
  [
    'nextHops without hosts',
    'nextHops: { a: { hosts: [] } }',
    '1: nextHops.a.hosts: an empty list is not allowed; expected 1 to 32 entries',
  ],
  [
    'nextHops key',
    'nextHops: { a b: { hosts: [{ host: x }] } }',
    '1: nextHops: key "a b" is not allowed; expected a name of letters, digits, - and _, at most 63 characters',
  ],
  [
    'nextHops port',
    'nextHops: { a: { hosts: [{ host: x, port: 0 }] } }',
    '1: nextHops.a.hosts[0].port: 0 is not allowed; expected a whole number from 1 to 65535',
  ],
  [
    'nextHops login without a password',
    'nextHops: { a: { hosts: [{ host: x, username: u }] } }',
    '1: nextHops.a.hosts[0].passwordFile: missing; expected the password of "u"',
  ],
  ['trustedProxies', 'trustedProxies: 10.0.0.0/8', '1: trustedProxies: "10.0.0.0/8" is not allowed; expected a list'],
  [
    'relayNetworks',
    'relayNetworks: [{ network: 10.0.0.1/8, tenant: demo }]',
    /^1: relayNetworks\[0\]\.network: "10\.0\.0\.1\/8" is not allowed; expected a CIDR network/,
  ],
  [
    'access action',
    'access: [{ network: 192.0.2.0/24, action: drop }]',
    '1: access[0].action: "drop" is not allowed; expected one of allow, deny',
  ],
  [
    'access target',
    'access: [{ level: service, target: mx, network: 192.0.2.0/24, action: deny }]',
    '1: access[0].target: "mx" is not allowed; expected one of smtp, api',
  ],
  [
    'listeners',
    'listeners: { extra: {} }',
    '1: listeners.extra.role: missing; expected one of mx, submission, submissions',
  ],
  [
    'limits',
    'limits:\n  messageSize: 5XB',
    '2: limits.messageSize: "5XB" is not allowed; expected a size from 1KiB to 1TiB, such as 64KiB, 50MiB or 2GiB',
  ],
  [
    'checks',
    'checks: { spf: { onFail: drop } }',
    '1: checks.spf.onFail: "drop" is not allowed; expected one of mark, tag, quarantine, reject',
  ],
  ['retry', 'retry: { first: 1h, cap: 5m }', '1: retry.cap: shorter than retry.first; expected at least as long'],
  ['admitWhenPolicyAway', 'admitWhenPolicyAway: 1', '1: admitWhenPolicyAway: 1 is not allowed; expected true or false'],
  [
    'differingContent',
    'differingContent: apart',
    '1: differingContent: "apart" is not allowed; expected one of split, together',
  ],
  [
    'differingContent of a tenant',
    'tenants:\n- name: acme\n  differingContent: no',
    /^3: tenants\[0\]\.differingContent: .* is not allowed; expected one of split, together$/,
  ],
  [
    'a rule event',
    'rules:\n- { id: a, event: rcptt, then: [{ reject: {} }] }',
    /^2: rules\[0\]\.event: "rcptt" is not an event; did you mean rcpt\? known: connect, ehlo/,
  ],
  [
    'a rule condition',
    'rules:\n- id: a\n  event: rcpt\n  when: client.ipp == "x"\n  then: [{ reject: {} }]',
    /^4: rules\[0\]\.when: "client\.ipp == \\"x\\"" is not allowed \(line 1, column 8 of the condition\): No such key: ipp/,
  ],
  [
    'the action of the second rule',
    'rules:\n- { id: a, event: rcpt, then: [{ reject: {} }] }\n- { id: b, event: rcpt, then: [{ reject: { code: 250 } }] }',
    '3: rules[1].then[0].reject.code: 250 is not allowed; expected a whole number, 500 to 599',
  ],
  [
    'an action outside a list',
    'rules:\n- { id: a, event: rcpt, then: { tempfail: { code: 550 } } }',
    '2: rules[0].then.tempfail.code: 550 is not allowed; expected a whole number, 400 to 499',
  ],
  [
    'an action with a text in place of fields',
    'rules:\n- { id: a, event: body, then: [{ tag: big }] }',
    '2: rules[0].then[0]: tag takes fields, not "big"; write tag: { name: "big" }; its fields: name',
  ],
  [
    'a rule id twice',
    'rules:\n- { id: a, event: rcpt, then: [{ reject: {} }] }\n- { id: a, event: mail, then: [{ reject: {} }] }',
    '3: rules[1].id: "a" is used by another rule; give each rule its own id',
  ],
  ['tenant name', 'tenants: [{ name: Mine }]', /^1: tenants\[0\]\.name: "Mine" is not allowed; expected a tenant name/],
  [
    'tenant without a domain',
    'tenants: [{ name: a, users: [{ address: x@y.test }] }]',
    '1: tenants[0].users[0].address: "x@y.test" is not allowed; the tenant has no domain yet: give it one under its domains',
  ],
  [
    'the domain of the demo tenant',
    'tenants: [{ name: a, domains: [{ name: demo.test }] }]',
    '1: tenants[0].domains[0].name: "demo.test" is a domain of tenant "demo" already; expected a domain that no other tenant has',
  ],
  [
    'user',
    tenant('users: [{ address: x@other.test }]'),
    '4: tenants[0].users[0].address: "x@other.test" is not allowed; expected an address in a domain of the tenant (mine.test)',
  ],
  [
    'user and alias',
    tenant('users: [{ address: x@mine.test }]\n  aliases: [{ address: X@mine.test, targets: [y@z.test] }]'),
    '5: tenants[0].aliases[0].address: "X@mine.test" is given twice; expected each address once, as a user or as an alias',
  ],
  [
    'a certificate that is none',
    'edge: { tls: { certFile: short, keyFile: one.key } }',
    /^1: edge\.tls\.certFile: ".*\/short" holds no certificate; expected a chain in PEM/,
  ],
  [
    'short password',
    tenant('users: [{ address: x@mine.test, password: seven77 }]'),
    '4: tenants[0].users[0].password: the value is not allowed; expected a password of 8 to 1,024 characters',
  ],
  [
    'password file',
    tenant('users: [{ address: x@mine.test, passwordFile: short }]'),
    /^4: tenants\[0\]\.users\[0\]\.passwordFile: ".*\/short" holds 7 characters; expected a password of 8 to 1,024 characters/,
  ],
  [
    'DKIM key',
    'tenants: [{ name: a, domains: [{ name: a.test, dkim: [{ selector: s, keyFile: short }] }] }]',
    /^1: tenants\[0\]\.domains\[0\]\.dkim\[0\]\.keyFile: ".*\/short" holds no private key; expected one in PEM/,
  ],
  [
    'route',
    tenant('routes: [{ name: r, hosts: [{ host: h, tls: always }] }]'),
    '4: tenants[0].routes[0].hosts[0].tls: "always" is not allowed; expected one of none, opportunistic, required, verified',
  ],
  ['edge', 'edge: { maxHops: 3 }', '1: edge.maxHops: 3 is not allowed; expected a whole number from 10 to 1000'],
  [
    'edge listeners',
    'edge: { listeners: [{ name: mx, role: mx, address: 127.0.0.1:25 }] }',
    /^1: edge\.listeners: is decided by npm start/,
  ],
  [
    'edge portOffset',
    'edge:\n  portOffset: 7',
    '2: edge.portOffset: is decided by npm start (each process has its own); expected no such field here',
  ],
  [
    'edge podName',
    'edge: { podName: mine }',
    '1: edge.podName: is decided by npm start (each process has its own); expected no such field here',
  ],
  [
    'a certificate without its key',
    'edge:\n  tls: { certFile: one.pem }',
    '2: edge.tls.keyFile: missing; expected the key of edge.tls.certFile beside it',
  ],
  [
    'a key without its certificate',
    'edge:\n  tls:\n    keyFile: one.key',
    '3: edge.tls.certFile: missing; expected the certificate of edge.tls.keyFile beside it',
  ],
  [
    'edge certificate',
    'edge: { tls: { certFile: nope, keyFile: short } }',
    /^1: edge\.tls\.certFile: ".*\/nope" cannot be read \(ENOENT\); expected a readable file/,
  ],
  [
    'a role that is not that of the port',
    'listeners:\n  mx: { role: submission }',
    '2: listeners.mx.role: "submission" is not the role of the listener on the pod; expected "mx", its role in edge.listeners',
  ],
  [
    'a port whose name says another role',
    'edge: { moreListeners: [{ name: inner, role: mx, address: "127.0.0.1:0" }] }\nlisteners:\n  inner: { role: submission }',
    '3: listeners.inner.role: "submission" is not the role of the listener on the pod; expected "mx", its role in edge.moreListeners',
  ],
  [
    'a certificate nobody has',
    'edge: { certificates: [{ name: partners, certFile: one.pem, keyFile: one.key }] }\nlisteners:\n  mx:\n    tls: { certificates: [partners, partner] }',
    '4: listeners.mx.tls.certificates[1]: "partner" is not allowed; expected one of default, partners',
  ],
  [
    'ciphers no certificate fits',
    'edge: { tls: { certFile: one.pem, keyFile: one.key } }\nlisteners:\n  mx:\n    tls: { maxVersion: TLSv1.2, ciphers: ECDHE-RSA-AES256-GCM-SHA384 }',
    '4: listeners.mx.tls.ciphers: names suites for RSA only, but the certificates are of ECDSA: every handshake would fail; expected suites for ECDSA, or a certificate of RSA',
  ],
  [
    'a check that has nothing to ask',
    'checks:\n  dnsbl: { enabled: true }',
    '2: checks.dnsbl.enabled: is on, but no list is named; expected dnsbl.zones or dnsbl.lists, or false',
  ],
  [
    'a file that is no keytab',
    'edge:\n  gssapi: { keytabFile: one.pem }',
    /^2: edge\.gssapi\.keytabFile: "[^"]+one\.pem" is no keytab; expected one as/,
  ],
  [
    'a folder for a certificate',
    'edge: { tls: { certFile: ., keyFile: one.key } }',
    /^1: edge\.tls\.certFile: "[^"]+" is a folder; expected a readable file$/,
  ],
  ['policy', 'policy:\n  credits: 5', '2: policy.credits: unknown key; did you mean credit?'],
  ['queue', 'queue: { window: 0 }', '1: queue.window: 0 is not allowed; expected a whole number from 1 to 100000'],
  [
    'delivery',
    'delivery: { egressPools: [{ name: p, localAddresses: [here] }] }',
    '1: delivery.egressPools[0].localAddresses[0]: "here" is not allowed; expected an IP address',
  ],
  [
    'a pool delivery takes and nobody declared',
    'delivery:\n  egressPools:\n  - name: other',
    '3: delivery.egressPools[0].name: "other" is not allowed; expected one of default (provisioning.egressPools)',
  ],
  [
    'pools without the usual one',
    'provisioning: { egressPools: [blue] }',
    /^1: provisioning\.egressPools: .* expected default among them/,
  ],
  [
    'the pool of a next hop',
    'nextHops: { a: { hosts: [{ host: h }], egressPool: nosuch } }',
    '1: nextHops.a.egressPool: "nosuch" is not allowed; expected one of default (provisioning.egressPools)',
  ],
  [
    'the pool of a route',
    tenant('routes: [{ name: r, hosts: [{ host: h }], egressPool: nosuch }]'),
    /tenants\[0\]\.routes\[0\]\.egressPool: "nosuch" is not allowed; expected one of default/,
  ],
  [
    'the pool of a rule',
    'rules:\n- { id: r, event: relay, then: [{ route: { egressPool: nosuch } }] }',
    /^2: rules\[0\]\.then\[0\]\.route\.egressPool: "nosuch" is not allowed; expected one of default/,
  ],
  [
    'provisioning',
    'provisioning: { streams: { replicas: 2 } }',
    '1: provisioning.streams.replicas: 2 is not allowed; expected 1, 3 or 5',
  ],
  [
    'nats',
    'nats: { servers: [] }',
    '1: nats.servers: is decided by npm start (POSTERN_NATS_URL in the environment names servers of your own); expected no such field here',
  ],
  [
    'redis',
    'redis: { url: "redis://127.0.0.1:6379" }',
    '1: redis.url: is decided by npm start (POSTERN_REDIS_URL in the environment names servers of your own); expected no such field here',
  ],
  ['redis cluster', 'redis: { cluster: 1 }', /^1: redis\.cluster: 1 is not allowed; expected true or false/],
  [
    'database role',
    'database: { url: "postgres://me@127.0.0.1/postern" }',
    /^1: database\.url: is decided by npm start \(POSTERN_DATABASE_URL in the environment/,
  ],
  ['a section nobody reads', 'local: { edges: 0 }', /^1: local: unknown key; expected one of /],
  [
    'database',
    'database: { connections: 0 }',
    '1: database.connections: 0 is not allowed; expected a whole number from 1 to 200',
  ],
  [
    'telemetry',
    'telemetry: { level: loud }',
    '1: telemetry.level: "loud" is not allowed; expected one of debug, info, warn, error, silent',
  ],
  [
    'lifecycle',
    'lifecycle: { drainTimeout: 2d }',
    /^1: lifecycle\.drainTimeout: "2d" is not allowed; expected a duration from 0 to 1h/,
  ],
])('%s: one line with file, line, field, value and what is allowed', async (_name, text, expected) => {
  const lines = await linesAbout(text);
  expect(lines).toHaveLength(1);
  if (typeof expected === 'string') expect(lines[0]).toBe(expected);
  else expect(lines[0]).toMatch(expected);
  expect(lines.join()).not.toContain('seven77');
});

test('a port that further edges cannot count up from', async () => {
  const listener = '{ name: inner, role: mx, address: "127.0.0.1:65535" }';
  await writeFile(file, `edge:\n  moreListeners:\n  - ${listener}`);
  expect(await linesOf(['--config', file])).toEqual([]);
  expect(await linesOf(['--config', file, '--edges', '2'])).toEqual([
    '3: edge.moreListeners[0].address: "127.0.0.1:65535" leaves no port for this process, which adds 1 (edge.portOffset); expected at most 65534',
  ]);
});

test.each([
  [
    'of two of its own',
    ['127.0.0.1:5600', '127.0.0.1:5601'],
    '4: edge.moreListeners[1].address: "127.0.0.1:5601" leads to a port that two edges want: 127.0.0.1:5601 is of b of edge-0 and of a of edge-1; expected as many free ports after it as there are edges (edge k adds k)',
  ],
  [
    'of the next edge',
    ['127.0.0.1:5126', '127.0.0.1:5700'],
    '3: edge.moreListeners[0].address: "127.0.0.1:5126" leads to a port that two edges want: 127.0.0.1:5126 is of a of edge-0 and of mx of edge-1; expected as many free ports after it as there are edges (edge k adds k)',
  ],
  [
    'of one edge, on all addresses',
    ['127.0.0.1:5810', '0.0.0.0:5810'],
    '4: edge.moreListeners[1].address: "0.0.0.0:5810" cannot be opened beside 127.0.0.1:5810 of a; expected an address of its own',
  ],
])('a port is wanted twice: %s', async (_name, addresses, expected) => {
  const [a, b] = addresses.map((at, index) => `- { name: ${'ab'[index]}, role: mx, address: "${at}" }`);
  await writeFile(file, `edge:\n  moreListeners:\n  ${a}\n  ${b}`);
  expect(await linesOf(['--config', file, '--edges', '2', '--port-base', '4600'])).toEqual([expected]);
});

test('a start tells the first twenty, --check all of them', async () => {
  const wrong = Array.from({ length: 30 }, (_, index) => `  wrong${index}: 1`).join('\n');
  await writeFile(file, `limits:\n${wrong}\n`);
  const lines = await linesOf(['--config', file]);
  expect(lines).toHaveLength(21);
  expect(lines.at(-1)).toBe('and 10 more, which --check shows');
  expect(await linesOf(['--config', file, '--check'])).toHaveLength(30);
});

test('every problem of every section is told, in the order of the file', async () => {
  const text = 'queue: { window: 0 }\nlimits: { connections: -1 }\nedge: { maxHops: 1 }\ntelemetry: { level: x }';
  const fields = (await linesAbout(text)).map((line) => line.split(': ').slice(0, 2).join(' '));
  expect(fields).toEqual(['1 queue.window', '2 limits.connections', '3 edge.maxHops', '4 telemetry.level']);
});

test.each<[string, string, string]>([
  [
    'a tenant that may have been made through the API',
    'relayNetworks:\n- { network: 192.0.2.1, tenant: guests }',
    '2: relayNetworks[0].tenant: "guests" is not under tenants; expected a tenant made through the API, else this file is refused until it is made',
  ],
  [
    'settings without a port',
    'listeners:\n  partners: { role: mx }',
    '2: listeners.partners: has no port here: edge.listeners and edge.moreListeners hold mx, submission, submissions; it counts where a pod has it',
  ],
  [
    'tickets without a keytab',
    'listeners:\n  submission:\n    authMechanismsTls: [PLAIN, GSSAPI]',
    '3: listeners.submission.authMechanismsTls[1]: "GSSAPI" is not offered here: edge.gssapi names no keytab',
  ],
  [
    'a check that may take longer than a verdict',
    'checks:\n  spf:\n    timeout: 20s',
    '3: checks.spf.timeout: is 20s, but verdicts are waited for 10s (edge.policy.deadline): it is cut short to that',
  ],
  [
    'a check that is on by default, and verdicts not waited for so long',
    'edge: { policy: { deadline: 4s } }\nchecks: { dkim: { enabled: false }, dmarc: { timeout: 1s }, ptr: { enabled: false, timeout: 9s } }',
    '2: checks.spf.timeout: is 5s, but verdicts are waited for 4s (edge.policy.deadline): it is cut short to that',
  ],
])('%s is a note, since the file alone cannot tell', async (_name, text, expected) => {
  const said: string[] = [];
  expect(await linesAbout(text, {}, (line) => said.push(line.replace(`${file}:`, '')))).toEqual([]);
  expect(said).toEqual([`note: ${expected}`]);
});

test('no file, a folder instead of one, a wrong environment', async () => {
  await rm(file, { force: true });
  const start = parseStartOptions(['--config', file], dir);
  const plan = await planCluster(folder, start);
  const options = { start, folder, cache: sharedCache(), environment: {}, say: () => undefined, now: () => new Date() };
  await expect(new Cluster(options, plan).check()).rejects.toThrow(`${file} cannot be read: there is no such file.`);
  const onFolder = { ...options, start: { ...start, configFile: dir } };
  await expect(new Cluster(onFolder, plan).check()).rejects.toThrow(`${dir} cannot be read: it is a folder.`);
  expect(await linesAbout(undefined, { POSTERN_EDGE_MAX_HOPS: 'x' })).toEqual([
    'env POSTERN_EDGE_MAX_HOPS: edge.maxHops: "x" is not allowed; expected a whole number from 10 to 1000',
  ]);
});

test('a right file: every service gets its own section with the paths of files made absolute, and a wrong one writes nothing', async () => {
  const written = () => readFile(join(folder.config, 'edge-0.yaml'), 'utf8').then(parse);
  expect(
    await linesAbout(
      'edge: { tls: { certFile: one.pem, keyFile: one.key } }\nlifecycle: { drainTimeout: 7s }\nlimits: { connections: 5 }',
    ),
  ).toEqual([]);
  expect(await readdir(folder.config)).toContain('delivery-0.yaml');
  expect(await written()).toMatchObject({
    edge: { tls: { certFile: join(dir, 'one.pem'), keyFile: join(dir, 'one.key') }, podName: 'edge-0' },
    lifecycle: { drainTimeout: '7s' },
  });
  expect(await written()).not.toHaveProperty('limits');
  expect(await linesAbout('edge: { maxHops: 40 }\nqueue: { window: 0 }')).toHaveLength(1);
  expect((await written()).edge).not.toHaveProperty('maxHops');
});

test('a pool that both sections name is right; one nobody takes is told', async () => {
  const said: string[] = [];
  const both =
    'provisioning: { egressPools: [default, blue] }\nnextHops: { a: { hosts: [{ host: h }], egressPool: blue } }';
  expect(await linesAbout(`${both}\ndelivery: { egressPools: [{ name: default }, { name: blue }] }`)).toEqual([]);
  expect(await linesAbout(both, {}, (line) => said.push(line))).toEqual([]);
  expect(said.join('\n')).toMatch(/delivery\.egressPools: takes no mail of pool "blue"/);
});
