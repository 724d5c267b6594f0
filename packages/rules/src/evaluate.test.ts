// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deliveryRules } from './delivery-rules.js';
import { type Budget, evaluate } from './evaluate.js';
import { type RuleEvent, ruleEvents } from './event.js';
import { type Facts, factEntry, factNames } from './fact-table.js';
import type { RuleDocument, RuleOptions } from './rule.js';
import { compileRules, type RuleSet } from './rule-set.js';

const operator: RuleOptions = { scope: { kind: 'operator' }, available: ['country', 'asn'] };

function compiled(documents: readonly RuleDocument[], options = operator): RuleSet {
  const result = compileRules(documents, options);
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result.set;
}

const kinds = (set: RuleSet | readonly RuleSet[], event: RuleEvent, facts: Facts): string[] =>
  evaluate(set, event, facts).decisions.map(({ ruleId, action }) => `${ruleId}:${action.kind}`);

test.each<[string, string, Facts, boolean]>([
  ['a network', 'client.address.inNetwork("192.0.2.0/24")', { client: { address: '192.0.2.9' } }, true],
  ['an IPv6 network', 'client.address.inNetwork("2001:db8::/32")', { client: { address: '2001:db8::9' } }, true],
  ['another network', 'client.address.inNetwork("192.0.2.0/24")', { client: { address: '198.51.100.9' } }, false],
  [
    'the last address of a network',
    'client.address.inNetwork("10.0.0.0/31")',
    { client: { address: '10.0.0.1' } },
    true,
  ],
  ['one beyond it', 'client.address.inNetwork("10.0.0.0/31")', { client: { address: '10.0.0.2' } }, false],
  ['the whole of IPv4', 'client.address.inNetwork("0.0.0.0/0")', { client: { address: '255.255.255.255' } }, true],
  ['a high network', 'client.address.inNetwork("192.0.2.200")', { client: { address: '192.0.2.200' } }, true],
  ['IPv4 in IPv6', 'client.address.inNetwork("192.0.2.0/24")', { client: { address: '::ffff:192.0.2.9' } }, true],
  ['IPv6 in a network of IPv4', 'client.address.inNetwork("0.0.0.0/0")', { client: { address: '2001:db8::1' } }, false],
  ['no address', 'client.address.inNetwork("192.0.2.0/24")', {}, false],
  ['a domain below', 'sender.domain.inDomain("b.test")', { sender: { domain: 'A.B.Test' } }, true],
  ['a domain beside', 'sender.domain.inDomain("b.test")', { sender: { domain: 'ab.test' } }, false],
  ['a pattern', 'helo.rx("^mail[0-9]+[.]")', { helo: 'Mail12.example.test' }, true],
  ['a number', 'received.count > 20', { received: { count: 21 } }, true],
  ['a score', 'score >= 5.5', { score: 5.5 }, true],
  ['a header in any case', 'headers.first("subject") == "Hi"', { headers: [['SUBJECT', 'Hi']] }, true],
  [
    'a header as people read it',
    'headers.shown("from").exists(f, f.contains("a@b.test"))',
    { headers: [['From', '=?utf-8?q?a=40b.test?= <x@c.test>']] },
    true,
  ],
  ['an absent header shown', 'headers.shown("x").size() == 0', { headers: [] }, true],
  ['an absent header', 'headers.first("x") == "" && !headers.has("x")', { headers: [] }, true],
  [
    'one of several',
    'headers.values("received").exists(v, v.contains("evil"))',
    { headers: [['Received', 'evil']] },
    true,
  ],
  ['a list', '"zen.test" in dnsbl.zones', { dnsbl: { zones: ['zen.test'] } }, true],
  ['an hour', 'time.hour == 13 && time.weekday == 2', { time: { now: new Date('2026-01-06T13:00:00Z') } }, true],
  ['a zone', 'time.now.getHours("Asia/Tokyo") == 22', { time: { now: new Date('2026-01-06T13:00:00Z') } }, true],
  ['a name of the prototype', 'sender.user == "__proto__"', { sender: { user: '__proto__' } }, true],
  ['country', 'country in ["DE", "FR"]', { country: 'DE' }, true],
])('%s: %s', (_what, when, facts, expected) => {
  const set = compiled([{ id: 'r', event: 'body', when, then: ['discard'] }]);
  const { decisions, faults } = evaluate(set, 'body', facts);
  expect(faults).toEqual([]);
  expect(decisions).toHaveLength(expected ? 1 : 0);
});

test('ALL needs every condition, ANY one of them, none at all means always', () => {
  const when = ['esmtp', 'tls.active'];
  const tag = (id: string, rest: Partial<RuleDocument>): RuleDocument => ({
    id,
    event: 'ehlo',
    then: [{ tag: { name: id } }],
    ...rest,
  });
  const set = compiled([tag('all', { when }), tag('any', { when, match: 'any' }), tag('always', { match: 'any' })]);
  expect(kinds(set, 'ehlo', { esmtp: true, tls: { active: true } })).toEqual(['all:tag', 'any:tag', 'always:tag']);
  expect(kinds(set, 'ehlo', { esmtp: true })).toEqual(['any:tag', 'always:tag']);
  expect(kinds(set, 'ehlo', {})).toEqual(['always:tag']);
});

test('priority, then order; a final action stops its set, `stop: false` lets it go on', () => {
  const set = compiled([
    { id: 'late', event: 'rcpt', priority: 200, then: [{ tag: { name: 'late' } }] },
    { id: 'first', event: 'rcpt', priority: 1, stop: false, then: [{ quarantine: {} }] },
    { id: 'second', event: 'rcpt', priority: 1, version: 7, then: ['accept'] },
  ]);
  expect(kinds(set, 'rcpt', {})).toEqual(['first:quarantine', 'second:accept']);
  expect(evaluate(set, 'rcpt', {}).decisions[1]).toMatchObject({ version: 7, tenant: undefined });
});

test('an inner scope may still refuse what the outer accepted, never revive what it refused', () => {
  const outer = compiled([
    { id: 'bad', event: 'rcpt', priority: 1, when: 'helo == "bad"', then: [{ reject: {} }] },
    { id: 'ok', event: 'rcpt', then: ['accept'] },
  ]);
  const inner = compiled([{ id: 'mine', event: 'rcpt', then: [{ reject: { text: 'not here' } }] }], {
    scope: { kind: 'tenant', tenant: 't1' },
  });
  expect(kinds([outer, inner], 'rcpt', {})).toEqual(['ok:accept', 'mine:reject']);
  expect(kinds([outer, inner], 'rcpt', { helo: 'bad' })).toEqual(['bad:reject']);
});

test('a decision says what rules took since the one before; rules that do not match look at no clock', () => {
  const set = compiled([
    { id: 'never', event: 'ehlo', when: 'helo == "y"', then: [{ tag: { name: 'n' } }] },
    { id: 'one', event: 'ehlo', then: [{ tag: { name: 'a' } }] },
    { id: 'two', event: 'ehlo', then: [{ tag: { name: 'b' } }] },
  ]);
  let looks = 0;
  const monotonic = (): number => 2 ** looks++;
  const { decisions } = evaluate(set, 'ehlo', { helo: 'x' }, { monotonic, ms: 1_000 });
  // Begin, the look at the budget, one for each decision.
  expect(decisions.map(({ ruleId, tookMs }) => [ruleId, tookMs])).toEqual([
    ['one', 3],
    ['two', 4],
  ]);
  expect(looks).toBe(4);
  expect(evaluate(set, 'ehlo', { helo: 'x' }).decisions[0]).not.toHaveProperty('tookMs');
});

test('no AUTH on plain connections, these mechanisms on TLS: two rules in this order', () => {
  const set = compiled([
    { id: 'plain', event: 'ehlo', then: [{ auth: { plain: [], tls: [] } }] },
    { id: 'tls', event: 'ehlo', when: 'tls.active', then: [{ auth: { plain: [], tls: ['SCRAM-SHA-256', 'PLAIN'] } }] },
  ]);
  expect(evaluate(set, 'ehlo', {}).decisions.at(-1)?.action).toMatchObject({ tls: [] });
  expect(evaluate(set, 'ehlo', { tls: { active: true } }).decisions.at(-1)?.action).toMatchObject({
    tls: ['SCRAM-SHA-256', 'PLAIN'],
  });
});

const budgeted = (event: RuleEvent, then: readonly unknown[]): RuleDocument[] =>
  Array.from({ length: 100 }, (_, i) => ({ id: `r${i}`, event, when: 'esmtp', then }));
const ticking = (): Budget => {
  let now = 0;
  return { monotonic: () => now++, ms: 5 };
};

test('the budget is looked at before the next eight rules; the first rule left that refuses puts the mail off', () => {
  const notes = compiled(budgeted('mail', [{ tag: { name: 'x' } }]));
  expect(evaluate(notes, 'mail', { esmtp: false }, ticking())).toMatchObject({
    ...{ asked: 32, unfinished: true, decisions: [] },
    faults: { length: 20, 0: { ruleId: 'r32', message: 'the time for rules ran out' } },
  });
  const refuses = compiled(budgeted('mail', ['reject']));
  expect(evaluate(refuses, 'mail', { esmtp: false }, ticking())).toMatchObject({
    ...{ asked: 32, unfinished: true },
    decisions: [{ ruleId: 'r32', action: { kind: 'tempfail' } }],
  });
});

test('what the rules of one owner take is added up over the recipients of a message, and takes nothing from others', () => {
  const asking = (owner: string) =>
    compiled(
      budgeted('rcpt', [{ tag: { name: 'x' } }]).map((one) => ({ ...one, when: 'recipient.user == "x"' })),
      { scope: { kind: 'tenant', tenant: owner } },
    );
  const spent = new Map<string, number>();
  let now = 0;
  const budget: Budget = { monotonic: () => now++, ms: 50, together: { ms: 60, spent } };
  const askedOf = (owner: string): number =>
    evaluate(asking(owner), 'rcpt', { recipient: { user: 'y' } }, budget).asked;
  expect([askedOf('a'), askedOf('a'), askedOf('a'), askedOf('a'), askedOf('a')]).toEqual([100, 100, 100, 100, 24]);
  expect(askedOf('b')).toBe(100);
});

test("when the operator's time is over the tenant has its own", () => {
  const own = compiled([{ id: 'own', event: 'mail', then: [{ tag: { name: 'x' } }] }], {
    scope: { kind: 'tenant', tenant: 't' },
  });
  const sets = [compiled(budgeted('mail', [{ tag: { name: 'x' } }])), own];
  const { decisions, unfinished } = evaluate(sets, 'mail', { esmtp: false }, ticking());
  expect([decisions.map(({ ruleId }) => ruleId), unfinished]).toEqual([['own'], true]);
});

test('indexed by domain: the answer is that of asking every rule, and only the rules at hand are asked', () => {
  const domain = fc.constantFrom('a.test', 'b.test', 'c.test');
  const rule = fc.tuple(
    fc.constantFrom(
      (d: string) => `recipient.domain == "${d}"`,
      (d: string) => `"${d}" == sender.domain && esmtp`,
      (d: string) => `recipient.domain in ["${d}", "a.test"]`,
      (d: string) => `recipient.domain != "${d}"`,
      (d: string) => `recipient.domain == "${d}" || esmtp`,
    ),
    domain,
    fc.integer({ min: 1, max: 5 }),
  );
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 20 }), domain, domain, fc.boolean(), (rules, to, from, esmtp) => {
      const documents = rules.map(([when, of, priority], index) => ({
        id: `r${index}`,
        event: 'rcpt' as const,
        priority,
        when: when(of),
        then: [{ tag: { name: 'x' } }],
      }));
      const facts = { esmtp, recipient: { domain: to.toUpperCase() }, sender: { domain: from } };
      const each = documents
        .map((document, index) => ({ document, index }))
        .sort((a, b) => a.document.priority - b.document.priority || a.index - b.index)
        .flatMap(({ document }) => kinds(compiled([document]), 'rcpt', facts));
      expect(kinds(compiled(documents), 'rcpt', facts)).toEqual(each);
    }),
  );
});

test('narrowed to what speaks about delivery, of a thousand rules those of the recipient domain are asked', () => {
  const documents = Array.from({ length: 1_000 }, (_, index) => ({
    id: `r${index}`,
    event: index % 2 === 0 ? ('relay' as const) : ('rcpt' as const),
    when: `recipient.domain == "d${index % 20}.test" && helo == "h${index}"`,
    then: ['discard'],
  }));
  const set = deliveryRules(compiled(documents));
  expect(set.size).toBe(500);
  expect(evaluate(set, 'relay', { helo: 'x', recipient: { domain: 'd4.test' } }).asked).toBe(50);
  expect(evaluate(set, 'relay', { helo: 'x', recipient: { domain: 'd5.test' } }).asked).toBe(0);
});

const answersByRecipient = [
  'helo == "h"',
  'helo == "other"',
  'sender.domain == "a.test" && message.size > 5',
  'recipient.domain == "a.test"',
  'recipient.user.startsWith("u1") || helo == "h"',
  'recipient.domain in ["b.test"] && sender.domain == "a.test"',
  'message.tags.exists(t, t == "bulk")',
  'route.class == "local"',
  'delivery.attempt == 1',
  'int(helo) > 1',
];

test('what is remembered of other recipients of the message changes no answer', () => {
  const rule = fc.tuple(
    fc.array(fc.constantFrom(...answersByRecipient), { minLength: 1, maxLength: 2 }),
    fc.constantFrom<'all' | 'any'>('all', 'any'),
    fc.boolean(),
  );
  const recipient = fc.record({
    recipient: fc.record({ domain: fc.constantFrom('a.test', 'b.test'), user: fc.constantFrom('u1', 'u2') }),
    message: fc.record({ size: fc.constant(10), tags: fc.constantFrom([], ['bulk']) }),
    route: fc.record({ class: fc.constantFrom('local', 'remote') }),
    delivery: fc.record({ attempt: fc.constantFrom(1, 2) }),
  });
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 8 }), fc.array(recipient, { maxLength: 6 }), (rules, recipients) => {
      const documents = rules.map(([when, match, stop], index) => ({
        ...{ id: `r${index}`, event: 'relay' as const, when, match, stop },
        then: [{ retrySchedule: { delays: [index + 1] } }],
      }));
      const set = compiled(documents);
      const common = { helo: 'h', sender: { domain: 'a.test' } };
      const remembered = new Map();
      for (const own of recipients) {
        const facts = { ...common, ...own };
        const { decisions } = evaluate(set, 'relay', facts, undefined, remembered);
        expect(decisions).toEqual(evaluate(set, 'relay', facts).decisions);
      }
    }),
  );
});

test('of a thousand rules that ask nothing about the recipient none is computed twice for a message', () => {
  const documents = Array.from({ length: 1_000 }, (_, index) => ({
    ...{ id: `r${index}`, event: 'relay' as const, when: `helo == "h${index}"` },
    then: ['discard'],
  }));
  const set = compiled(documents);
  const remembered = new Map();
  const asked = ['a', 'b', 'c'].map(
    (user) => evaluate(set, 'relay', { helo: 'x', recipient: { user } }, undefined, remembered).asked,
  );
  expect(asked).toEqual([1_000, 0, 0]);
});

test('a set that compiles evaluates without throwing, whatever the facts are', () => {
  const leaf = fc.constantFrom(...factNames()).chain((name) => {
    const type = factEntry(name)?.type;
    if (type === 'string')
      return fc.constantFrom(
        `${name} == "x"`,
        `${name}.rx("a.*b")`,
        `${name}[0] == ""`,
        `int(${name}) > 1`,
        `${name}.substring(5) == ""`,
      );
    if (type === 'int') return fc.constantFrom(`${name} > 3`, `10 / ${name} == 1`, `${name} * 9223372036854775807 > 0`);
    if (type === 'double') return fc.constantFrom(`${name} > 3.5`);
    if (type === 'bool') return fc.constantFrom(name);
    if (type === 'strings')
      return fc.constantFrom(`"x" in ${name}`, `${name}[0] == "y"`, `${name}.exists(v, v == "z")`);
    return fc.constantFrom(`${name}.getHours("Europe/Berlin") > 3`, `${name} > timestamp("nonsense")`);
  });
  const facts = fc.dictionary(
    fc.constantFrom(...factNames().map((name) => name.split('.')[0] ?? ''), '__proto__'),
    fc.oneof(
      fc.anything(),
      fc.dictionary(fc.constantFrom(...factNames().map((name) => name.split('.')[1] ?? '')), fc.anything()),
    ),
  );
  fc.assert(
    fc.property(
      fc.array(leaf, { minLength: 1, maxLength: 5 }),
      fc.constantFrom(...ruleEvents),
      facts,
      (when, event, some) => {
        const result = compileRules(
          [{ id: 'r', event, match: 'any', when: [...when, 'false'], then: [{ tag: { name: 'x' } }] }],
          operator,
        );
        if (!result.ok) return;
        const { asked } = evaluate(result.set, event, some);
        expect(asked).toBe(1);
      },
    ),
    { numRuns: 500 },
  );
});

test('of a thousand rules only the fifty for the domain of the recipient are asked', () => {
  const documents = Array.from({ length: 1_000 }, (_, i) => ({
    id: `r${i}`,
    event: 'rcpt' as const,
    priority: i,
    when: `recipient.domain == "d${i % 20}.test" && message.declaredSize > 3000000 && sender.user != "x"`,
    then: [{ tag: { name: 'big' } }],
  }));
  const set = compiled(documents);
  const facts: Facts = {
    recipient: { domain: 'd7.test' },
    sender: { user: 'bob' },
    message: { declaredSize: 4_000_000 },
  };
  expect(evaluate(set, 'rcpt', facts)).toMatchObject({ asked: 50, faults: [] });
});
