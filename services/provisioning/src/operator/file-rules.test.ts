/** Rules of the operator file: whose they are, refused with the place they have in the file, and as the snapshot carries them. */
import { ConfigError } from '@postern/config';
import { expect, test } from 'vitest';
import { compileSnapshot } from '../snapshot/compile.js';
import { examineOperatorDocument, parseOperatorDocument } from './document.js';

const parse = (text: string) => parseOperatorDocument([{ file: 'op.yaml', text }]);
const rows = {
  tenants: [],
  domains: [],
  oldest_domain: null,
  routes: [],
  rules: [],
  check_settings: [],
  users_set_checks: false,
};

const rule = (fields: string): string => `  - { event: rcpt, then: [discard], ${fields} }`;

test.each<[string, string, RegExp]>([
  ['a scope without a tenant', rule('id: a, scope: a.test'), /rules\[0\]\.tenant: missing; expected the tenant/],
  ['a tenant that is none', rule('id: a, tenant: "A B"'), /rules\[0\]\.tenant: "A B" is not allowed/],
  ['a scope that is none', rule('id: a, tenant: acme, scope: "a test"'), /rules\[0\]\.scope: "a test" is not allowed/],
  [
    'an id given twice in one scope',
    `${rule('id: a')}\n${rule('id: b')}\n${rule('id: a')}`,
    /rules\[2\]\.id: "a" is used by another rule/,
  ],
  [
    'a fault keeps its place among rules of others',
    `${rule('id: a')}\n${rule('id: a, tenant: acme')}\n  - { id: b, tenant: acme, event: rctp, then: [discard] }`,
    /rules\[2\]\.event: "rctp"/,
  ],
  [
    'what loosens, without a right',
    '  - { id: a, tenant: acme, scope: acme.test, event: rcpt, then: [accept] }',
    /rules\[0\]\.then\[0\].*accept is not open to a tenant/,
  ],
])('%s', (_what, rules, expected) => {
  const text = `rules:\n${rules}\n`;
  expect(() => parse(text)).toThrow(ConfigError);
  expect(() => parse(text)).toThrow(expected);
});

test("a rule of a tenant may not lead to another tenant's address", () => {
  const text = (tenant: string, to: string) =>
    [
      'tenants: [{ name: acme, domains: [{ name: acme.test }] }, { name: beta, domains: [{ name: beta.test }] }]',
      `rules: [{ id: a, ${tenant} event: rcpt, then: [{ redirect: { address: ${to} } }] }]`,
    ].join('\n');
  expect(() => parse(text('tenant: acme,', 'x@Beta.test'))).toThrow(
    /rules\[0\]\.then\[0\]\.redirect\.address: "x@beta\.test" is not allowed; .*beta\.test is another tenant's/,
  );
  for (const [tenant, to] of [
    ['tenant: acme,', 'x@acme.test'],
    ['tenant: acme,', 'x@far.test'],
    ['', 'x@beta.test'],
  ] as const)
    expect(parse(text(tenant, to)).rules).toHaveLength(1);
});

const hop = 'nextHops: { office: { hosts: [{ host: mail.test }] } }';
const routed = (fields: string, route: string): string =>
  `${hop}\nrules: [{ id: a, ${fields} event: relay, then: [{ route: ${route} }] }]`;

test.each([
  ['to', '{ to: route1 }', /rules\[0\]\.then\[0\]\.route\.to: "route1" is not allowed; expected one of office/],
  ['login', '{ host: a.test, login: route1 }', /rules\[0\]\.then\[0\]\.route\.login: "route1" is not allowed/],
])('a rule of the operator may not name a next hop that is not there: %s', (_field, route, expected) => {
  expect(() => parse(routed('', route))).toThrow(expected);
});

test('a rule of the operator names a route of a tenant as tenant/route; one without tenant is shown those there are', () => {
  const acme = 'tenants: [{ name: acme, routes: [{ name: way, hosts: [{ host: way.test }] }] }]';
  expect(() => parse(`${routed('', '{ to: acme/way }')}\n${acme}`)).not.toThrow();
  expect(() => parse(`${routed('', '{ to: way }')}\n${acme}`)).toThrow(
    /"way" is not allowed; expected one of office, acme\/way/,
  );
});

test('a rule may name a next hop of the file, and one of a tenant what the tenant makes later', () => {
  expect(() => parse(routed('', '{ to: office }'))).not.toThrow();
  expect(() =>
    parse(`${routed('tenant: acme,', '{ to: later }')}\ntenants: [{ name: acme, ruleActions: [route] }]`),
  ).not.toThrow();
});

test('a right the operator does not have to give is refused', () => {
  expect(() => parse('tenants: [{ name: acme, ruleActions: [close] }]')).toThrow(
    /tenants\[0\]\.ruleActions\[0\]: .*close/,
  );
});

test('each rule has its scope in the snapshot, and the same id may be used in each', () => {
  const document = parse(`
tenants: [{ name: acme, ruleActions: [accept] }]
rules:
${rule('id: a')}
${rule('id: a, tenant: acme')}
${rule('id: a, tenant: acme, scope: Acme.test')}
  - { id: a, tenant: acme, scope: bob@acme.test, event: rcpt, then: [accept] }
`);
  const snapshot = compileSnapshot(document, 'mx.test', rows);
  expect(snapshot.rules.map(({ id, scope, tenant, target }) => [id, scope, tenant, target])).toEqual([
    ['a', 'server', '', ''],
    ['a', 'tenant', 'acme', ''],
    ['a', 'domain', 'acme', 'acme.test'],
    ['a', 'user', 'acme', 'bob@acme.test'],
  ]);
  for (const { document: text } of snapshot.rules)
    expect(Object.keys(JSON.parse(text)).sort()).toEqual(['event', 'id', 'then']);
});

test('what rules of tenants do for submitted mail alone is noted', () => {
  const early = (fields: string): string =>
    `  - { ${fields}, event: mail, then: [{ changeSender: { address: a@acme.test } }] }`;
  const text = `tenants: [{ name: acme }]\nrules:\n${early('id: a')}\n${early('id: b, tenant: acme')}\n`;
  const { problems, notes } = examineOperatorDocument([{ file: 'op.yaml', text }]);
  expect(problems).toEqual([]);
  expect(notes).toEqual([
    expect.objectContaining({ path: 'rules[1]', message: expect.stringMatching(/^then\[0\]: changeSender at mail /) }),
  ]);
});

const scopedFile = (scope: string): string =>
  [
    'tenants: [{ name: acme, domains: [{ name: acme.test }], users: [{ address: a@acme.test, password: Long-enough-1 }] }, { name: beta, domains: [{ name: beta.test }] }]',
    `rules: [{ id: a, tenant: acme, scope: ${scope}, event: rcpt, then: [discard] }]`,
  ].join('\n');

test.each(['beta.test', 'x@Beta.test'])('a rule is not for a part of another tenant: %s', (scope) => {
  expect(() => parse(scopedFile(scope))).toThrow(
    /rules\[0\]\.scope: ".*beta\.test" is not allowed; expected a domain or user of tenant acme: beta\.test is tenant beta's/,
  );
});

test.each([
  ['nowhere.test', [/rules\[0\]\.scope tenant acme has no domain "nowhere\.test" in this file; until it has/]],
  ['nobody@acme.test', [/rules\[0\]\.scope tenant acme has no user "nobody@acme\.test" in this file/]],
  ['acme.test', []],
  ['a@Acme.test', []],
])('a rule for a part nobody has is noted: %s', (scope, expected) => {
  const { notes, problems } = examineOperatorDocument([{ file: 'op.yaml', text: scopedFile(scope) }]);
  expect(problems).toEqual([]);
  expect(notes.map(({ path, message }) => `${path} ${message}`)).toEqual(
    expected.map((one) => expect.stringMatching(one)),
  );
});
