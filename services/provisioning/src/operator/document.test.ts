import { ConfigError } from '@postern/config';
import { expect, test } from 'vitest';
import { compileSnapshot } from '../snapshot/compile.js';
import { listenersOf } from '../snapshot/listeners.js';
import { examineOperatorDocument, parseOperatorDocument } from './document.js';

const parse = (...texts: string[]) =>
  parseOperatorDocument(texts.map((text, index) => ({ file: index === 0 ? 'base.yaml' : 'mine.yaml', text })));

function problemOf(...texts: string[]): string {
  try {
    parse(...texts);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'accepted';
}

const hop = 'nextHops: { mailbox: { hosts: [{ host: 127.0.0.1 }] } }';

test.each([
  ['unknown key', 'dnss: {}', /^base\.yaml:1: dnss: unknown key; did you mean dns\?/],
  [
    'number as text',
    'limits:\n  connections: many',
    /^base\.yaml:2: limits\.connections: "many" is not allowed; expected a whole number from 0/,
  ],
  [
    'a message size of nothing',
    'limits:\n  messageSize: 0',
    /^base\.yaml:2: limits\.messageSize: 0 is not allowed; expected a size from 1KiB/,
  ],
  [
    'range with bits behind it',
    'trustedProxies: [10.0.0.1/8]',
    /^base\.yaml:1: trustedProxies\[0\]: "10\.0\.0\.1\/8" is not allowed; expected a CIDR network, an address or a range/,
  ],
  [
    'a range that begins with its higher address',
    'access:\n- { network: 127.0.0.60-127.0.0.50, action: deny }',
    /^base\.yaml:2: access\[0\]\.network: "127\.0\.0\.60-127\.0\.0\.50" is not allowed; expected .* from the lower address to the higher/,
  ],
  [
    'an access rule of a listener that is not there',
    'listeners: { extra: { role: mx } }\naccess:\n- { level: listener, target: nosuch, network: 192.0.2.1, action: deny }',
    /^base\.yaml:3: access\[0\]\.target: "nosuch" is not allowed; expected one of mx, submission, submissions, extra$/,
  ],
  [
    'keys of tokens over a line anybody may change',
    'oauthIssuers:\n  - { tenant: demo, issuer: i, audience: a, jwksUrl: "http://id.test/keys" }',
    /^base\.yaml:2: oauthIssuers\[0\]\.jwksUrl: .*expected a URL https:/,
  ],
  [
    'a login that is demanded and cannot be had',
    'listeners:\n  submission:\n    authMechanismsTls: []',
    /^base\.yaml:3: listeners\.submission\.authMechanismsTls: is empty while requireAuth is on by the default of role submission; expected a mechanism/,
  ],
  [
    'one that can be had in plain only where TLS comes first',
    'listeners:\n  submission:\n    authMechanismsPlain: [PLAIN]\n    authMechanismsTls: []',
    /^base\.yaml:4: listeners\.submission\.authMechanismsTls: is empty/,
  ],
  [
    'such a range of an IP set',
    'ipSets:\n  one:\n    networks: [2001:db8::9-2001:db8::1]',
    /^base\.yaml:3: ipSets\.one\.networks\[0\]: "2001:db8::9-2001:db8::1" is not allowed/,
  ],
  [
    'a range from IPv6 into IPv4',
    'listeners:\n  mx:\n    xclient: ["::1-::ffff:192.0.2.1"]',
    /^base\.yaml:3: listeners\.mx\.xclient\[0\]: "::1-::ffff:192\.0\.2\.1" is not allowed/,
  ],
  [
    'next hop that is not there',
    `${hop}\ndefaultNextHop: mailbx`,
    /^base\.yaml:2: defaultNextHop: "mailbx" is not allowed; expected one of mailbox/,
  ],
  [
    'check action',
    'checks:\n  spf: { onFail: drop }',
    /^base\.yaml:2: checks\.spf\.onFail: "drop" is not allowed; expected one of mark, tag, quarantine, reject/,
  ],
  [
    'a rule about autonomous systems without a database of them',
    'rules:\n- id: as\n  event: connect\n  when: asn == 64500\n  then: [{ reject: {} }]',
    /^base\.yaml:4: rules\[0\]\.when: "asn == 64500" is not allowed/,
  ],
  [
    'a database that is no absolute path',
    'asnDatabase: asn.mmdb',
    /^base\.yaml:1: asnDatabase: "asn\.mmdb" is not allowed; expected the absolute path of a file on policy pods/,
  ],
  [
    'what a tenant may not loosen',
    'tenants:\n- name: a\n  checks:\n    spf: { onFail: reject }\n    dkim:\n      enabled: false',
    /^base\.yaml:6: tenants\[0\]\.checks\.dkim\.enabled: the operator has this check on with onFail: mark; only a stricter/,
  ],
  [
    'a check of a domain that does not exist',
    'tenants:\n- name: a\n  domains:\n  - name: a.test\n    checks: { grelist: { enabled: true } }',
    /^base\.yaml:5: tenants\[0\]\.domains\[0\]\.checks\.grelist: unknown key; did you mean greylist\?/,
  ],
  [
    'a delay of a domain that is none',
    'tenants:\n- name: a\n  domains:\n  - name: a.test\n    checks: { greylist: { delay: soon } }',
    /^base\.yaml:5: tenants\[0\]\.domains\[0\]\.checks\.greylist\.delay: "soon" is not allowed; expected/,
  ],
  [
    'a user that sets more than lists',
    'tenants:\n- name: a\n  domains: [{ name: a.test }]\n  users:\n  - address: x@a.test\n    checks: { greylist: { enabled: true } }',
    /^base\.yaml:6: tenants\[0\]\.users\[0\]\.checks\.greylist: a user sets lists\.block and lists\.allow only/,
  ],
  [
    'user of a foreign domain',
    'tenants:\n- name: a\n  domains: [{ name: a.test }]\n  users:\n  - address: x@b.test',
    /^base\.yaml:5: tenants\[0\]\.users\[0\]\.address: "x@b\.test" is not allowed; expected an address in a domain of the tenant \(a\.test\)/,
  ],
  [
    'domain twice',
    'tenants:\n- { name: a, domains: [{ name: x.test }] }\n- { name: b, domains: [{ name: X.test }] }',
    /^base\.yaml:3: tenants\[1\]\.domains\[0\]\.name: "x\.test" is a domain of tenant "a" already/,
  ],
  [
    'password file that is not there',
    'tenants:\n- name: a\n  domains: [{ name: a.test }]\n  users:\n  - address: x@a.test\n    passwordFile: /nowhere/pw',
    /^base\.yaml:6: tenants\[0\]\.users\[0\]\.passwordFile: "\/nowhere\/pw" cannot be read \(ENOENT\)/,
  ],
  [
    'a blocklist check without a list',
    'checks:\n  dnsbl:\n    enabled: true',
    /^base\.yaml:3: checks\.dnsbl\.enabled: is on, but no list is named; expected dnsbl\.zones or dnsbl\.lists, or false$/,
  ],
  [
    'a list of good clients without a list',
    'checks: { dnswl: { enabled: true } }',
    /^base\.yaml:1: checks\.dnswl\.enabled: is on, but no list is named/,
  ],
  [
    'a domain in U-labels',
    'tenants: [{ name: acme, domains: [{ name: bücher.example }] }]',
    /^base\.yaml:1: tenants\[0\]\.domains\[0\]\.name: .*; write xn--bcher-kva\.example/,
  ],
  [
    'a code no country has',
    'checks: { country: { enabled: true, allow: [DE, UK] } }',
    /^base\.yaml:1: checks\.country\.allow\[1\]: "UK" is the code of no country; did you mean "GB"\?/,
  ],
  [
    'a code no country has, of a domain',
    'tenants: [{ name: acme, domains: [{ name: acme.test, checks: { country: { block: [XX] } } }] }]',
    /^base\.yaml:1: tenants\[0\]\.domains\[0\]\.checks\.country\.block\[0\]: "XX" is the code of no country; write/,
  ],
  [
    'a country check without a country',
    'checks: { country: { enabled: true, exempt: [192.0.2.0/24] } }',
    /^base\.yaml:1: checks\.country\.enabled: is on, but no country is named; expected country\.block or country\.allow/,
  ],
  [
    'a tenant that switches on a check without a list',
    'tenants:\n- name: a\n  checks: { uribl: { enabled: true } }',
    /^base\.yaml:3: tenants\[0\]\.checks\.uribl\.enabled: is on, but no list is named/,
  ],
  ['reserved tenant', 'tenants: [{ name: system }]', /^base\.yaml:1: tenants\[0\]\.name: "system" is reserved/],
  [
    'listener without role',
    'listeners: { extra: {} }',
    /^base\.yaml:1: listeners\.extra\.role: missing; expected one of mx, submission, submissions/,
  ],
  [
    'rule that does not compile',
    'rules:\n- id: r\n  event: rcpt\n  when: sender.domian == "x"\n  then: [{ reject: {} }]',
    /^base\.yaml:4: rules\[0\]\.when: /,
  ],
  [
    'short password',
    'tenants:\n- name: a\n  domains: [{ name: a.test }]\n  users: [{ address: x@a.test, password: hunter2 }]',
    /expected a password of 8 to 1,024 characters/,
  ],
  ['no YAML', 'a: [', /^base\.yaml:\d: not valid YAML/],
])('%s is refused with file, line, field, value and what is allowed', (_name, text, expected) => {
  const problem = problemOf(text);
  expect(problem).toMatch(expected);
  expect(problem).not.toContain('hunter2');
});

test('nothing at all is every default', () => {
  expect(parse()).toEqual(parse(''));
  expect(parse().limits.interval).toBe(60_000);
  expect(parse().retry).toEqual({ first: 300_000, cap: 28_800_000, lifetime: 432_000_000, delayNotice: 14_400_000 });
});

test('an overlay is merged over it, tenants by name, lines are those of its own file, sections of services are skipped', () => {
  const base = `${hop}\ndefaultNextHop: mailbox\ntenants: [{ name: demo, weight: 2 }, { name: kept }]`;
  const overlay =
    'edge: { hostname: x }\nnats: {}\nlimits: { connections: 7 }\ntenants: [{ name: demo, weight: 9 }, { name: mine }]';
  const document = parse(base, overlay);
  expect(document.limits.connections).toBe(7);
  expect(document.defaultNextHop).toBe('mailbox');
  expect(document.tenants.map(({ name, weight }) => [name, weight])).toEqual([
    ['kept', 1],
    ['demo', 9],
    ['mine', 1],
  ]);
  expect(problemOf(base, 'edge: {}\n\nlimits: { conections: 7 }')).toMatch(
    /^mine\.yaml:3: limits\.conections: unknown key/,
  );
  // Counted as in its own file, wherever the merge put the tenant.
  expect(problemOf(base, 'tenants: [{ name: demo }, { name: mine, weight: 0 }]')).toMatch(
    /^mine\.yaml:1: tenants\[1\]\.weight: 0 is not allowed/,
  );
  expect(problemOf('edge: {}')).toMatch(/^base\.yaml:1: edge: unknown key/);
});

test('the snapshot holds what the document says', () => {
  const document = parse(`
${hop}
access: [{ level: listener, target: mx, priority: 3, network: 192.0.2.0/24, action: deny }]
listeners: { submission: { requireTls: false }, intern: { role: mx, limits: { connections: 5 } } }
dns: { servers: ["[::1]:5353"], timeout: 2s }
checks: { dnsbl: { enabled: true, zones: [bl.test] } }
rules: [{ id: r, event: rcpt, then: [{ reject: { code: 550, text: no } }] }]`);
  const snapshot = compileSnapshot(document, 'mx.test', {
    tenants: [],
    domains: [],
    oldest_domain: null,
    routes: [],
    rules: [],
    check_settings: [],
    users_set_checks: false,
  });
  expect(snapshot).toMatchObject({
    hostname: 'mx.test',
    accessRules: [{ level: 'listener', target: 'mx', priority: 3, network: '192.0.2.0/24', allow: false }],
    dns: { servers: ['[::1]:5353'], timeoutMs: 2_000 },
    checks: {
      dnsbl: { enabled: true, onFail: 'reject', timeoutMs: 2_000 },
      dnsblZones: ['bl.test'],
      spf: { enabled: true, onFail: 'mark' },
    },
    limits: { intervalMs: 60_000, ipv6Prefix: 0 },
  });
  const listeners = Object.fromEntries(snapshot.listeners.map((listener) => [listener.name, listener]));
  expect(listeners.mx).toMatchObject({ requireTls: false, requireAuth: false, authMechanismsTls: [] });
  expect(listeners.submission).toMatchObject({
    requireTls: false,
    requireAuth: true,
    authMechanismsTls: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN', 'LOGIN'],
  });
  expect(listeners.submissions).toMatchObject({ requireTls: true, requireAuth: true });
  expect(listeners.intern).toMatchObject({ role: 'mx', limits: { connections: 5 } });
  expect(snapshot.rules).toMatchObject([{ id: 'r', scope: 'server', tenant: '' }]);
  expect(JSON.parse(snapshot.rules[0]?.document ?? '')).toMatchObject({ id: 'r', event: 'rcpt' });
});

test('with a database of autonomous systems a rule may name them', () => {
  const rule = 'rules:\n- id: as\n  event: connect\n  when: asn == 64500\n  then: [{ reject: {} }]';
  expect(parse(`asnDatabase: /data/asn.mmdb\n${rule}`).rules).toHaveLength(1);
});

test('fields that are wrong and names that are not there are told in one go, those that follow from them are not', () => {
  const text = `${hop}
limits: { connections: many }
defaultNextHop: mailbx
dnss: {}
tenants:
- name: a
  weight: heavy
  domains: [{ name: a.test, nextHop: nowhere }]
- name: b
  domains: [{ name: b test }]
  users: [{ address: bob@b.test, password: long-enough }]
`;
  const fields = problemOf(text)
    .split('\n')
    .map((line) => line.split(': ')[1]);
  expect(fields.sort()).toEqual([
    'defaultNextHop',
    'dnss',
    'limits.connections',
    'tenants[0].domains[0].nextHop',
    'tenants[0].weight',
    'tenants[1].domains[0].name',
  ]);
});

test.each<[string, 'mx' | 'submission', string[]]>([
  ['mx', 'mx', []],
  ['submission', 'submission', ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN', 'LOGIN']],
])('a banner for %s changes nothing else of what role %s offers', (name, role, mechanisms) => {
  const listenerOf = (text: string) =>
    listenersOf(parse(text), new Map()).find((listener) => listener.name === name && listener.role === role);
  const [without, written] = [listenerOf(''), listenerOf(`listeners: { ${name}: { banner: hello } }`)];
  expect(written).toEqual({ ...without, banner: 'hello', tls: written?.tls });
  expect(written?.authMechanismsTls).toEqual(mechanisms);
});

test.each([
  ['nosuch@acme.test', 1],
  ['a+tag@acme.test', 0],
  ['postmaster@acme.test', 0],
  ['x@far.test', 0],
  ['x@open.test', 0],
])('a catch-all to %s has %i notes', (catchAll, count) => {
  const text = `tenants: [{ name: acme, domains: [{ name: acme.test, catchAll: ${catchAll} }, { name: open.test, validateRecipients: false }], users: [{ address: a@acme.test, password: Long-enough-1 }] }]`;
  const { notes, problems } = examineOperatorDocument([{ file: 'op.yaml', text }]);
  expect(problems).toEqual([]);
  expect(notes.map(({ path }) => path)).toEqual(count === 0 ? [] : ['tenants[0].domains[0].catchAll']);
});

test.each([
  ['a ring', { a: ['b'], b: ['c'], c: ['a'] }, ['a', 'b', 'c']],
  ['what leads into a ring', { a: ['b'], b: ['a'], into: ['a'] }, ['a', 'b', 'into']],
  ['a ring with a mailbox', { a: ['b'], b: ['a', 'user'] }, []],
  ['an alias that is its own mailbox', { a: ['b'], b: ['b', 'a'] }, []],
  ['a chain', { a: ['b'], b: ['user'] }, []],
])('aliases of a file, %s: those without a mailbox are told', (_what, aliases, lost) => {
  const entries = Object.entries<string[]>(aliases).map(([name, targets]) => ({
    ...{ address: `${name}@acme.test`, targets: targets.map((target) => `${target}@ACME.test`) },
  }));
  const text = JSON.stringify({ tenants: [{ name: 'acme', domains: [{ name: 'acme.test' }], aliases: entries }] });
  const { notes, problems } = examineOperatorDocument([{ file: 'op.yaml', text }]);
  expect(problems).toEqual([]);
  const told = notes.filter(({ path }) => /\.aliases\[\d\]\.targets$/.test(path));
  expect(told.map(({ message }) => message.split('@')[0])).toEqual(lost);
});

test.each([
  ['[All@acme.test]', 1],
  ['[all@acme.test, a@acme.test]', 0],
])('an alias all@acme.test to %s has %i notes', (targets, count) => {
  const text = `tenants: [{ name: acme, domains: [{ name: acme.test }], users: [{ address: a@acme.test, password: Long-enough-1 }], aliases: [{ address: all@acme.test, targets: ${targets} }] }]`;
  const { notes, problems } = examineOperatorDocument([{ file: 'op.yaml', text }]);
  expect(problems).toEqual([]);
  expect(notes.map(({ message }) => message)).toEqual(
    count === 0 ? [] : [expect.stringContaining('all@acme.test leads to itself alone')],
  );
});
