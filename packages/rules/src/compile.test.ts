// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { expect, test } from 'vitest';
import type { RuleProblem } from './problem.js';
import type { RuleOptions } from './rule.js';
import { compileRules } from './rule-set.js';

const operator: RuleOptions = { scope: { kind: 'operator' } };
const tenant: RuleOptions = { scope: { kind: 'tenant', tenant: 't1' } };

function problems(document: Record<string, unknown>, options = operator): readonly RuleProblem[] {
  const compiled = compileRules([{ id: 'r', event: 'body', then: [{ tag: { name: 'x' } }], ...document }], options);
  return compiled.ok ? [] : compiled.errors;
}

test.each([
  ['an unknown fact, with a guess', 'sender.domian == "a"', 1, 8, 'No such key: domian', 'did you mean sender.domain?'],
  ['a misspelt name', 'contry == "DE"', 1, 1, 'Unknown variable: contry', 'did you mean country?'],
  ['a wrong type', 'message.size > "3"', 1, 1, 'no such overload: int > string', 'write both sides in the same type'],
  [
    'a wrong type in line two',
    'esmtp &&\n  score + 1.0',
    2,
    3,
    'Logical operator requires bool',
    'a comparison on each side',
  ],
  ['a wrong operand first', '(helo) || esmtp', 1, 2, 'Logical operator requires bool', 'a comparison on each side'],
  [
    'a wrong operand inside a macro',
    'esmtp && dkim.domains.exists(d,\n  d.rx("a") && d)',
    2,
    16,
    'Logical operator requires bool',
    'a comparison on each side',
  ],
  [
    'a function of another type',
    'helo.inDomain(3)',
    1,
    1,
    "overload for 'string.inDomain(int)'",
    'sender.domain.inDomain("',
  ],
  ['a misspelt function', 'helo.inDomian("x")', 1, 1, 'inDomian is not available', 'did you mean inDomain?'],
  ['a text denied', '!helo', 1, 1, 'no such overload: !string', 'true or false'],
  ['a broken expression', 'esmtp &&', 1, 9, 'Unexpected token', 'see docs/rules.md'],
  ['one = for two', 'helo = "a and b"', 1, 6, 'Unexpected', 'write == to compare'],
  ['words for signs', 'esmtp and tls.active', 1, 7, '', 'write && for and'],
  ['not in', 'helo not in ["a"]', 1, 6, '', 'write !(x in list) for not in'],
  ['a condition that is no question', 'message.size', 1, 1, 'must be true or false', 'compare'],
  ['the backtracking engine', 'helo.matches("^(a+)+$")', 1, 1, 'matches is not available', 'use rx'],
  ['an oversized pattern', 'helo.rx("((a?){30}){30}(b?){900}")', 1, 9, 'too large', 'correct'],
  ['a malformed pattern', 'helo.rx("(")', 1, 9, 'missing', 'correct'],
  ['a computed pattern', 'helo.rx(sender.user)', 1, 9, 'must be a quoted text', 'prepared'],
  ['a malformed network', 'client.address.inNetwork("10.0.0.0/33")', 1, 26, 'not an address or network', 'correct'],
  ['an unknown time zone', 'time.now.getHours("Mars/Base") > 1', 1, 19, 'not the name of a time zone', 'correct'],
  ['a domain in upper case', 'sender.domain == "Example.test"', 1, 1, 'always in lower case', 'write "example.test"'],
  ['a domain in upper case in a list', 'sender.domain in ["a.test", "B.test"]', 1, 1, 'lower case', 'write "b.test"'],
  ['an unlisted function', 'bytes(helo).json().size() > 0', 1, 1, 'is not available', 'available'],
  [
    'lists looked into from lists',
    'headers.values("to").exists(a, headers.values("cc").exists(b, a == b))',
    1,
    1,
    'may take too long',
    'one list at a time',
  ],
])('%s is refused where it stands', (_what, when, line, column, message, hint) => {
  const [problem] = problems({ when });
  expect(problem).toMatchObject({ ruleId: 'r', field: 'when', line });
  expect(problem?.message).toContain(message);
  expect(problem?.hint).toContain(hint);
  if (message.startsWith('Logical')) expect(problem?.column).toBe(column);
  else expect(problem?.column).toBeGreaterThanOrEqual(column);
});

test('line and column count within the condition that is wrong', () => {
  expect(problems({ when: ['esmtp', 'esmtp &&\n   helo.matches("x")'] })).toMatchObject([
    { field: 'when[1]', line: 2 },
  ]);
});

test.each([
  ['connect', 'helo == "x"', 'ehlo'],
  ['ehlo', 'auth.user == "x"', 'auth'],
  ['mail', 'recipient.domain == "x"', 'rcpt'],
  ['rcpt', 'headers.has("Subject")', 'headers'],
  ['headers', 'message.size > 3', 'body'],
  ['body', 'failure.code > 0', 'delivery-failure'],
])('at %s the fact of %s is not known yet', (event, when, since) => {
  const [problem] = problems({ event, when });
  expect(problem?.message).toContain(`is not known at ${event}`);
  expect(problem?.hint).toContain(since);
});

test('a fact whose database is missing is refused when saved', () => {
  expect(problems({ when: 'country == "DE"' })[0]?.message).toContain('needs a country database');
  expect(problems({ when: 'country == "DE"' }, { ...operator, available: ['country'] })).toEqual([]);
});

test.each([
  ['a reply text with a line break', { reject: { text: 'no\r\n250 ok' } }, 'then[0].reject.text'],
  ['a temporary code for a refusal', { reject: { code: 451 } }, 'then[0].reject.code'],
  ['an enhanced code of another class', { reject: { enhanced: '4.7.1' } }, 'then[0].reject.enhanced'],
  ['an unknown field', { reject: { txt: 'no' } }, 'then[0].reject.txt'],
  ['a header value with a line break', { addHeader: { name: 'X-A', value: 'b\nBcc: c' } }, 'then[0].addHeader.value'],
  ['a header name with a colon', { addHeader: { name: 'X-A: b', value: 'c' } }, 'then[0].addHeader.name'],
  ['a header of our own', { removeHeader: { name: 'Received' } }, 'then[0].removeHeader.name'],
  ['an address without a domain', { redirect: { address: 'bob' } }, 'then[0].redirect.address'],
  ['an action at the wrong event', { greeting: { text: 'hi' } }, 'then[0]'],
  ['an unknown action', 'rejct', 'then[0]'],
  ['two actions in one entry', { accept: {}, discard: {} }, 'then[0]'],
  ['the prototype as an action', 'constructor', 'then[0]'],
])('%s is refused', (_what, action, field) => {
  expect(problems({ then: [action] })).toContainEqual(expect.objectContaining({ field }));
});

test.each([
  ['rcpt', 'accept'],
  ['rcpt', { skip: { check: 'spf' } }],
  ['relay', { route: { host: 'relay.test' } }],
])('at %s a tenant may not %j unless the operator permits it', (event, action) => {
  expect(problems({ event, then: [action] }, tenant)[0]?.message).toContain('is not open to a tenant');
  const permitted: RuleOptions = { scope: { kind: 'tenant', tenant: 't1', permitted: ['accept', 'skip', 'route'] } };
  expect(problems({ event, then: [action] }, permitted)).toEqual([]);
  expect(problems({ event, then: [action] })).toEqual([]);
});

test('every problem of every rule is reported at once, and nothing is compiled', () => {
  const compiled = compileRules(
    [
      { id: 'a', event: 'rcpt', then: ['accept'] },
      { id: 'a', event: 'rcpt', then: ['accept'] },
      { event: 'rctp', then: [], colour: 'red' },
      'text',
    ],
    operator,
  );
  expect(compiled.ok ? [] : compiled.errors.map(({ ruleId, field }) => `${ruleId}:${field}`).sort()).toEqual([
    '#3:colour',
    '#3:event',
    '#3:id',
    '#3:then',
    '#4:',
    'a:id',
  ]);
});
