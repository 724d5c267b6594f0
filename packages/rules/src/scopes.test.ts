/** Whose rules are asked, in which order, and what an inner scope may do about an outer one. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { expect, test } from 'vitest';
import { evaluate } from './evaluate.js';
import { createRuleCompiler, type RuleBook } from './rule-book.js';
import { type RuleRights, rightsOf, type StoredRule } from './stored-rule.js';

const stored = (scope: string, tenant: string, target: string, rule: object, id = `${scope}-rule`): StoredRule => ({
  ...{ id, version: 2, scope, tenant, target },
  document: JSON.stringify({ event: 'rcpt', ...rule }),
});

const tag = (name: string) => ({ then: [{ tag: { name } }] });

function compiled(rules: readonly StoredRule[], rights?: RuleRights): { book: RuleBook; refused: string[] } {
  const refused: string[] = [];
  const compiler = createRuleCompiler((tenant, rule, reason) => refused.push(`${tenant} ${rule} ${reason}`));
  return { book: compiler.compile(rules, rights), refused };
}

const said = (book: RuleBook, tenant: string, address: string): string[] =>
  evaluate(book.of(tenant, address).sets, 'rcpt', {}).decisions.map(({ action, target, tenant: owner }) =>
    [action.kind === 'tag' ? action.name : action.kind, owner ?? '', target ?? '']
      .filter((part) => part !== '')
      .join(' '),
  );

const everyScope = [
  stored('user', 'acme', 'bob@acme.test', tag('user')),
  stored('domain', 'acme', 'acme.test', tag('domain')),
  stored('tenant', 'acme', '', tag('tenant')),
  stored('server', '', '', tag('server')),
];

test.each([
  ['acme', 'bob@acme.test', ['server', 'tenant acme', 'domain acme acme.test', 'user acme bob@acme.test']],
  ['acme', 'Bob@ACME.test', ['server', 'tenant acme', 'domain acme acme.test', 'user acme bob@acme.test']],
  ['acme', 'eve@acme.test', ['server', 'tenant acme', 'domain acme acme.test']],
  ['acme', 'bob@other.test', ['server', 'tenant acme']],
  ['acme', '', ['server', 'tenant acme']],
  ['beta', 'bob@acme.test', ['server']],
  ['', 'bob@acme.test', ['server']],
])('for tenant %s and %s: outer scopes first', (tenant, address, expected) => {
  expect(said(compiled(everyScope).book, tenant, address)).toEqual(expected);
});

test.each([
  ['a refusal of the server ends the asking', { then: ['reject'] }, tag('inner'), ['reject']],
  [
    'an accept of the server does not keep an inner scope from refusing',
    { then: ['accept'] },
    { then: ['reject'] },
    ['accept', 'reject acme bob@acme.test'],
  ],
  [
    'stop ends its own scope only',
    { ...tag('outer'), stop: true },
    tag('inner'),
    ['outer', 'inner acme bob@acme.test'],
  ],
])('%s', (_what, outer, inner, expected) => {
  const { book } = compiled([stored('server', '', '', outer), stored('user', 'acme', 'bob@acme.test', inner)]);
  expect(said(book, 'acme', 'bob@acme.test')).toEqual(expected);
});

test.each(['accept', { skip: { check: 'spf' } }])(
  'an inner scope may %j only where the operator lets the tenant',
  (action) => {
    const rules = [
      stored('domain', 'acme', 'acme.test', { then: [action] }),
      stored('domain', 'beta', 'beta.test', { then: [action] }),
    ];
    const { book, refused } = compiled(rules, rightsOf([{ name: 'beta', ruleActions: ['accept', 'skip'] }]));
    expect(said(book, 'acme', 'bob@acme.test')).toEqual([]);
    expect(said(book, 'beta', 'bob@beta.test')).toHaveLength(1);
    expect(refused).toEqual([expect.stringContaining('acme domain-rule@2 domain-rule then[0]')]);
  },
);

test('what the operator may open is a short list', () => {
  expect(rightsOf([{ name: 'acme', ruleActions: ['close', 'greeting', 'route'] }])).toEqual(
    new Map([['acme', ['route']]]),
  );
});

test('a rule with a faulty scope, or an id given twice, is left out and told; the others hold', () => {
  const { book, refused } = compiled([
    stored('domain', 'acme', '', tag('no target')),
    stored('user', 'acme', 'acme.test', tag('not a user')),
    stored('tenant', '', '', tag('no tenant')),
    stored('tenant', 'acme', '', tag('first'), 'twice'),
    stored('tenant', 'acme', '', tag('second'), 'twice'),
  ]);
  expect(said(book, 'acme', 'bob@acme.test')).toEqual(['first acme']);
  expect(refused).toHaveLength(4);
});

test('operator rules that cannot be used leave those from before, and say so until they can', () => {
  const refused: string[] = [];
  const compiler = createRuleCompiler((tenant, rule, reason) => refused.push(`${tenant}|${rule}|${reason}`));
  const twice = [stored('server', '', '', tag('first'), 'twice'), stored('server', '', '', tag('second'), 'twice')];
  expect(() => compiler.compile(twice)).toThrow(/operator rules: twice id: is used by another rule/);
  expect(compiler.compile(everyScope).stale).toBeUndefined();
  const withTenant = [...twice, stored('tenant', 'acme', '', tag('fresh'))];
  const book = compiler.compile(withTenant);
  expect(book.stale).toMatch(/^twice id: is used by another rule/);
  expect(said(book, 'acme', '')).toEqual(['server', 'fresh acme']);
  expect(refused).toEqual(Array(2).fill(expect.stringMatching(/^\|\|twice id: is used by another rule/)));

  const tried = book.trying([stored('tenant', 'acme', '', tag('tried'))]);
  expect(said(tried, 'acme', '')).toEqual(['server', 'tried acme']);
  expect(() => book.trying([stored('server', '', '', tag('third'), 'third')])).toThrow(/rules: twice id/);
  expect(compiler.compile(withTenant).stale).toMatch(/^twice id/);
  expect(compiler.compile(everyScope).stale).toBeUndefined();
});

test('a rule that is tried takes the place of the saved one of its scope', () => {
  const { book } = compiled(everyScope);
  const tried = book.trying([stored('user', 'acme', 'bob@acme.test', tag('tried'))]);
  expect(said(tried, 'acme', 'bob@acme.test').at(-1)).toBe('tried acme bob@acme.test');
  expect(said(book, 'acme', 'bob@acme.test').at(-1)).toBe('user acme bob@acme.test');
});

test('rules of one priority speak in the order in which they were saved, one that is tried in the place of the one it replaces', () => {
  const { book } = compiled(['zz', 'mm', 'aa'].map((id) => stored('tenant', 'acme', '', tag(id), id)));
  expect(said(book, 'acme', '')).toEqual(['zz acme', 'mm acme', 'aa acme']);
  const tried = book.trying([
    stored('tenant', 'acme', '', tag('tried'), 'mm'),
    stored('tenant', 'acme', '', tag('new'), 'bb'),
  ]);
  expect(said(tried, 'acme', '')).toEqual(['zz acme', 'tried acme', 'aa acme', 'new acme']);
});
