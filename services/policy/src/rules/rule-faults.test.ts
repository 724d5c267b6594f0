// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
/** Rules that cannot be computed, from the rule to the verdict: mail is put off, never let in, and the finding says why. */
import { Action, type EvaluateResponse } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, askEnvelope, type Ground, ground } from '../testing/ground.js';

const faulty = 'int(recipient.user) > 1';
const message = 'From: a@sender.test\nX-Number: none\n\nbody\n';
const entries = { 'user@here.test': 'user', 'two@here.test': 'user' } as const;

async function content(here: Ground, to: readonly string[]): Promise<EvaluateResponse> {
  return askContent(here, message, { to }, await askEnvelope(here, { to }));
}

const faultsOf = ({ findings }: EvaluateResponse) =>
  findings
    .filter(({ check, outcome }) => check === 'rule' && outcome === 'failed')
    .map(({ rule, action, recipient, evidence }) => [rule, action, recipient, evidence.fault]);

test.each<[then: unknown, action: Action, done: string]>([
  ['reject', Action.TEMPFAIL, 'tempfail'],
  [{ quarantine: {} }, Action.TEMPFAIL, 'tempfail'],
  [{ hold: {} }, Action.TEMPFAIL, 'tempfail'],
  [{ tag: { name: 'a' } }, Action.ACCEPT, 'skipped'],
])('at RCPT a rule with %j is %s: %s', async (then, action, done) => {
  const here = ground({ rules: [{ event: 'rcpt', when: faulty, then: [then] }], entries });
  const verdict = await askEnvelope(here);
  expect(verdict.recipients.map(({ decision }) => decision?.action)).toEqual([action]);
  expect(faultsOf(verdict)).toEqual([['server-1@3', done, 'user@here.test', expect.stringContaining('int()')]]);
  expect(here.faults).toHaveLength(1);
});

test('the reply is temporary and in words of its own', async () => {
  const then = [{ reject: { code: 554, text: 'spam' } }];
  const here = ground({ rules: [{ event: 'rcpt', when: faulty, then }], entries });
  const [recipient] = (await askEnvelope(here)).recipients;
  expect(recipient?.decision).toMatchObject({ replyCode: 451, enhancedCode: '4.7.1', decidedBy: 'server-1@3' });
});

test('with onFault: skip the mail goes on, and the finding says so', async () => {
  const rule = { event: 'rcpt', when: faulty, then: ['reject'], onFault: 'skip' };
  const verdict = await askEnvelope(ground({ rules: [rule], entries }));
  expect(verdict.recipients.map(({ decision }) => decision?.action)).toEqual([Action.ACCEPT]);
  expect(faultsOf(verdict).map(([rule, done]) => [rule, done])).toEqual([['server-1@3', 'skipped']]);
});

test('a message every copy of which a rule fails for is put off', async () => {
  const here = ground({
    rules: [{ event: 'headers', when: 'int(headers.first("X-Number")) > 1', then: ['reject'] }],
    entries,
  });
  const verdict = await content(here, ['user@here.test', 'two@here.test']);
  expect(verdict.decision).toMatchObject({ action: Action.TEMPFAIL, replyCode: 451, enhancedCode: '4.7.1' });
  expect(faultsOf(verdict)).toHaveLength(2);
  // Told once for the message.
  expect(here.faults).toHaveLength(1);
});

test('a rule that fails for some keeps their copies apart and holds up nobody else', async () => {
  const when = 'recipient.user == "two" && int(headers.first("X-Number")) > 1';
  const here = ground({ rules: [{ event: 'headers', when, then: [{ quarantine: {} }] }], entries });
  const verdict = await content(here, ['user@here.test', 'two@here.test']);
  expect(verdict.decision?.action).toBe(Action.ACCEPT);
  expect(verdict.groups.map(({ recipients, decision }) => [recipients, decision?.action])).toEqual([
    [['user@here.test'], Action.ACCEPT],
    [['two@here.test'], Action.QUARANTINE],
  ]);
  expect(faultsOf(verdict).map(([rule, done, recipient]) => [rule, done, recipient])).toEqual([
    ['server-1@3', 'quarantine', 'two@here.test'],
  ]);
});
