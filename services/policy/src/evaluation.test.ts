// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { Action, ContentPlan } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, askEnvelope, ground } from './testing/ground.js';

test('a plain message: accepted, headers wanted, nothing found without checks', async () => {
  const verdict = await askEnvelope(ground());
  expect(verdict.decision?.action).toBe(Action.ACCEPT);
  expect(verdict.recipients.map(({ decision }) => decision?.action)).toEqual([Action.ACCEPT]);
  expect(verdict.contentPlan).toBe(ContentPlan.HEADERS);
  expect(verdict.findings.map(({ check, outcome, recipient }) => [check, outcome, recipient])).toEqual([
    ['recipients', 'exists', 'user@here.test'],
  ]);
});

test.each([
  ['pass', 'v=spf1 ip4:192.0.2.0/24 -all', 'reject', Action.ACCEPT, undefined, true],
  ['fail', 'v=spf1 -all', 'reject', Action.REJECT, '5.7.23', false],
  ['fail', 'v=spf1 -all', 'mark', Action.ACCEPT, undefined, false],
  ['softfail', 'v=spf1 ~all', 'reject', Action.ACCEPT, undefined, false],
  ['none', 'other text', 'reject', Action.ACCEPT, undefined, false],
  ['permerror', 'v=spf1 foo:bar -all', 'reject', Action.ACCEPT, undefined, false],
] as const)('SPF %s of %s with %s', async (outcome, record, onFail, action, enhanced, authenticated) => {
  const here = ground({
    zone: { 'sender.test': { TXT: [record] } },
    snapshot: { checks: { spf: { enabled: true, onFail, timeoutMs: 0 } } },
  });
  const verdict = await askEnvelope(here);
  expect(verdict.findings.find(({ check }) => check === 'spf')?.outcome).toBe(outcome);
  expect(verdict.decision?.action).toBe(action);
  if (enhanced !== undefined)
    expect(verdict.decision).toMatchObject({ replyCode: 550, enhancedCode: enhanced, decidedBy: 'spf' });
  expect(verdict.senderAuthenticated).toBe(authenticated);
});

test('SPF that cannot be asked with reject is temporary', async () => {
  const here = ground({
    zone: { 'sender.test': 'timeout' },
    snapshot: { checks: { spf: { enabled: true, onFail: 'reject', timeoutMs: 0 } } },
  });
  const verdict = await askEnvelope(here);
  expect(verdict.decision).toMatchObject({ action: Action.TEMPFAIL, replyCode: 451, enhancedCode: '4.7.24' });
});

test('an SPF finding of RCPT is written at the end of data', async () => {
  const here = ground({
    zone: { 'sender.test': { TXT: ['v=spf1 ip4:192.0.2.0/24 -all'] } },
    snapshot: { checks: { spf: { enabled: true, onFail: 'reject', timeoutMs: 0 } } },
  });
  const before = await askEnvelope(here);
  const forged = 'Authentication-Results: mx.postern.test; spf=pass\nFrom: a@sender.test\n\nhello\n';
  const verdict = await askContent(here, forged, {}, before);
  expect(verdict.groups).toHaveLength(1);
  expect(verdict.groups[0]?.rendering?.edits).toMatchInlineSnapshot(`
    [
      {
        "index": 1,
        "kind": 5,
        "name": "Authentication-Results",
        "value": "",
      },
      {
        "index": 0,
        "kind": 1,
        "name": "Received-SPF",
        "value": "pass (client is permitted to send for the domain) receiver=mx.postern.test; identity=mailfrom; client-ip=192.0.2.10; envelope-from="a@sender.test"; helo=client.test; mechanism="ip4:192.0.2.0/24"",
      },
      {
        "index": 0,
        "kind": 1,
        "name": "Authentication-Results",
        "value": "mx.postern.test;
    	spf=pass smtp.mailfrom=a@sender.test",
      },
    ]
  `);
});
