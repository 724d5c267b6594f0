/** Which refusals a session may tell by itself, and where a set is cut so that it never tells what another rule would have overtaken. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { expect, test } from 'vitest';
import { earlyRefusals, isEarlyRule } from './early-refusals.js';
import { evaluate } from './evaluate.js';
import type { RuleEvent } from './event.js';
import { compileRules } from './rule-set.js';

const reject = { then: ['reject'] };
const asked = { when: 'dnsbl.listed' };

function told(event: RuleEvent, rules: readonly object[]): string | undefined {
  const compiled = compileRules(
    rules.map((rule, index) => ({ id: `r${index + 1}`, event, ...rule })),
    { scope: { kind: 'operator' } },
  );
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors));
  const { decisions } = evaluate(earlyRefusals(compiled.set), event, { sender: { domain: 'a.test' } });
  return decisions.find(({ action }) => action.kind === 'reject')?.ruleId;
}

test.each<[string, RuleEvent, readonly object[], string | undefined]>([
  ['a plain refusal', 'connect', [reject], 'r1'],
  ['of a login', 'auth', [reject], 'r1'],
  ['filed under a sender domain', 'mail', [{ ...reject, when: 'sender.domain == "a.test"' }], 'r1'],
  ['one that wants to be told later', 'mail', [{ ...reject, answer: 'at-rcpt' }], undefined],
  ['one that has to ask', 'connect', [{ ...reject, ...asked }], undefined],
  ['behind one that has to ask', 'connect', [{ then: ['accept'], ...asked }, reject], undefined],
  ['before one that has to ask', 'connect', [reject, { then: ['accept'], ...asked }], 'r1'],
  ['by priority, not by place', 'connect', [{ then: ['accept'], ...asked, priority: 200 }, reject], 'r2'],
  ['behind an acceptance', 'mail', [{ then: ['accept'] }, reject], undefined],
  ['at RCPT there is nothing early', 'rcpt', [reject], undefined],
])('%s', (_what, event, rules, expected) => {
  expect(told(event, rules)).toBe(expected);
});

test('answer has no place at later events, and its words are two', () => {
  const faults = (event: string, answer: string) => {
    const compiled = compileRules([{ id: 'r', event, answer, ...reject }], { scope: { kind: 'operator' } });
    return compiled.ok ? [] : compiled.errors.map(({ field }) => field);
  };
  expect([faults('rcpt', 'at-once'), faults('mail', 'later'), faults('mail', 'at-rcpt')]).toEqual([
    ['answer'],
    ['answer'],
    [],
  ]);
});

test('documents of other events are not looked at', () => {
  const stored = (document: string) => ({ id: 'r', version: 1, scope: 'server', tenant: '', target: '', document });
  expect(['{"event":"mail"}', '{"event":"rcpt"}', '[]', '{'].map((text) => isEarlyRule(stored(text)))).toEqual([
    true,
    false,
    false,
    false,
  ]);
});
