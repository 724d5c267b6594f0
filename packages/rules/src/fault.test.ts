// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
/** Rules that cannot be computed: what becomes of the mail, and how much it takes until a pattern is one of them. */
import { expect, test } from 'vitest';
import { evaluate, type RuleFault } from './evaluate.js';
import type { RuleEvent } from './event.js';
import type { Facts } from './fact-table.js';
import type { RuleDocument, RuleOptions } from './rule.js';
import { compileRules, type RuleSet } from './rule-set.js';

const operator: RuleOptions = { scope: { kind: 'operator' } };

function compiled(documents: readonly RuleDocument[], options = operator): RuleSet {
  const result = compileRules(documents, options);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result.set;
}

interface Found {
  readonly done: readonly string[];
  readonly faults: readonly RuleFault[];
}

const faulty = 'dkim.domains[3] == "x"';
const faultOf = (documents: readonly RuleDocument[], event: RuleEvent, facts: Facts = {}): Found => {
  const { decisions, faults } = evaluate(compiled(documents), event, facts);
  return { done: decisions.map(({ ruleId, action }) => `${ruleId} ${action.kind}`), faults };
};

test.each<[what: string, then: unknown, more: object, done: string[]]>([
  ['what refuses puts off', 'reject', {}, ['r tempfail']],
  ['what throws away puts off', 'discard', {}, ['r tempfail']],
  ['what keeps apart puts off', { quarantine: {} }, {}, ['r tempfail']],
  ['what only notes is left out', { tag: { name: 'a' } }, {}, ['next tag']],
  ['what loosens is left out', 'accept', {}, ['next tag']],
  ['a rule may say otherwise', 'reject', { onFault: 'skip' }, ['next tag']],
  ['a rule may ask for it', { tag: { name: 'a' } }, { onFault: 'tempfail' }, ['r tempfail']],
])('of a rule that cannot be computed: %s', (_what, then, more, done) => {
  const next = { id: 'next', event: 'body', then: [{ tag: { name: 'n' } }] } as const;
  const found = faultOf([{ id: 'r', event: 'body', when: faulty, then: [then], ...more }, next], 'body');
  expect(found.done).toEqual(done);
  expect(found.faults).toMatchObject([{ ruleId: 'r', message: expect.stringContaining('3') }]);
});

test('mail is put off in words of its own, and the decision says why', () => {
  const set = compiled([{ id: 'r', event: 'body', when: faulty, then: [{ reject: { code: 554, text: 'spam' } }] }]);
  expect(evaluate(set, 'body', {}).decisions).toMatchObject([
    { ruleId: 'r', action: { kind: 'tempfail', code: 451, enhanced: '4.7.1' }, fault: expect.stringContaining('3') },
  ]);
});

test.each<[match: 'all' | 'any', when: string[], isFault: boolean, matched: boolean]>([
  ['any', [faulty, 'true'], false, true],
  ['any', [faulty, 'false'], true, false],
  ['all', [faulty, 'false'], false, false],
  ['all', ['false', faulty], false, false],
  ['all', [faulty, 'true'], true, false],
])('of %s of %j a fault decides: %s', (match, when, isFault, matched) => {
  const found = faultOf([{ id: 'r', event: 'body', match, when, then: [{ tag: { name: 'a' } }] }], 'body');
  expect(found.faults).toHaveLength(isFault ? 1 : 0);
  expect(found.done).toEqual(matched ? ['r tag'] : []);
});

test('after a delivery attempt nothing is put off by a fault', () => {
  const event = 'delivery-failure';
  const rule = { id: 'r', event, when: 'message.tags[3] == "x"', then: ['discard'] } as const;
  expect(faultOf([rule], event)).toMatchObject({ done: [], faults: [{ ruleId: 'r' }] });
  expect(compileRules([{ ...rule, onFault: 'tempfail' }], operator)).toMatchObject({
    errors: [{ field: 'onFault', message: 'puts nothing off at delivery-failure' }],
  });
});

test('what is remembered of a rule that cannot be computed is that it cannot', () => {
  const set = compiled([{ id: 'r', event: 'rcpt', when: 'int(helo) > 1', then: ['reject'] }]);
  const remembered = new Map();
  for (const user of ['a', 'b'])
    expect(
      evaluate(set, 'rcpt', { helo: 'x', recipient: { user } }, undefined, remembered).decisions.map(
        ({ action }) => action.kind,
      ),
    ).toEqual(['tempfail']);
});

test('patterns may spend a bounded number of steps in one evaluation; what is beyond is a fault', () => {
  const set = compiled([
    { id: 'dear', event: 'body', when: 'headers.values("x").exists(v, v.rx("[ab]*a[ab]{200}c"))', then: ['discard'] },
    { id: 'next', event: 'body', when: 'headers.values("x").size() == 1000', then: [{ tag: { name: 'x' } }] },
  ]);
  const headers = Array.from({ length: 1_000 }, () => ['X', `${'a'.repeat(100)}c`] as const);
  const { decisions, faults } = evaluate(set, 'body', { headers });
  expect(faults).toMatchObject([{ ruleId: 'dear', message: expect.stringContaining('too many steps') }]);
  expect(decisions.map(({ ruleId, action }) => [ruleId, action.kind])).toEqual([['dear', 'tempfail']]);
  expect(evaluate(set, 'body', { headers: [['X', 'a']] }).faults).toEqual([]);
});

const longest = 262_144;
const padded = (text: string): Facts => ({ headers: [['X-Long', `${'q'.repeat(longest - text.length)}${text}`]] });

test.each([
  ['(q|[ab])+9', 'q9'],
  ['(?i)casino$', 'Casino'],
  ['(?i)[.](exe|scr|com|bat)$', 'evil.exe'],
  ['(?i)(viagra|casino).*(free|now)', ' casino now'],
])('a rule on %s sees the end of the longest header section there is', (pattern, end) => {
  const when = `headers.values("X-Long").exists(v, v.rx("${pattern}"))`;
  const rule: RuleDocument = { id: 'r', event: 'headers', when, then: ['reject'] };
  expect(faultOf([rule], 'headers', padded(end))).toEqual({ done: ['r reject'], faults: [] });
  expect(faultOf([rule], 'headers', padded('?'))).toEqual({ done: [], faults: [] });
});

test('a pattern of attachment names sees a thousand long ones', () => {
  const when = 'message.attachments.exists(a, a.rx("(?i)[.](exe|scr|com|bat)$"))';
  const attachments = [...Array.from({ length: 999 }, () => `${'y'.repeat(900)}.txt`), 'evil.exe'];
  const rule: RuleDocument = { id: 'r', event: 'body', when, then: ['reject'] };
  expect(faultOf([rule], 'body', { message: { attachments } })).toEqual({ done: ['r reject'], faults: [] });
});

test('more fields of one name than a list holds are a fault, however many are counted', () => {
  const headers = Array.from({ length: 1_001 }, (_, index) => ['X', String(index)] as const);
  const rule = (when: string): RuleDocument => ({ id: 'r', event: 'headers', when, then: ['reject'] });
  expect(faultOf([rule('headers.values("X").exists(v, v == "1000")')], 'headers', { headers })).toMatchObject({
    done: ['r tempfail'],
    faults: [{ message: expect.stringContaining('more than 1000 fields') }],
  });
  expect(faultOf([rule('headers.count("X") == 1001')], 'headers', { headers }).done).toEqual(['r reject']);
});

test('a text read again and again is paid for', () => {
  const when = 'headers.values("X").exists(v, v.contains(headers.first("Big")))';
  const headers = [['Big', 'b'.repeat(200_000)] as const, ...Array.from({ length: 1_000 }, () => ['X', 'x'] as const)];
  const rule: RuleDocument = { id: 'r', event: 'headers', when, then: [{ tag: { name: 'a' } }] };
  expect(faultOf([rule], 'headers', { headers }).faults).toMatchObject([{ message: 'text took too many steps' }]);
});

test("a tenant's rules spend nothing of the operator's, nor the other way round", () => {
  const dear = (id: string): RuleDocument => ({
    ...{ id, event: 'headers', then: [{ tag: { name: 'a' } }] },
    when: 'headers.first("X").rx("[ab]*a[ab]{200}c")',
  });
  const cheap: RuleDocument = { id: 'cheap', event: 'headers', when: 'headers.first("X") != ""', then: ['reject'] };
  const own = { scope: { kind: 'tenant', tenant: 't' } } as const;
  const facts = { headers: [['X', `${'ab'.repeat(20_000)}c`] as const] };
  const { faults, decisions } = evaluate([compiled([dear('o')]), compiled([dear('t'), cheap], own)], 'headers', facts);
  expect(faults.map(({ ruleId, tenant }) => [ruleId, tenant])).toEqual([
    ['o', undefined],
    ['t', 't'],
  ]);
  expect(decisions.map(({ ruleId, action }) => [ruleId, action.kind])).toEqual([['cheap', 'reject']]);
});
