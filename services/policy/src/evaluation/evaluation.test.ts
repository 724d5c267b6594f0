// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { Action, ContentPlan } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, askEnvelope, ground } from '../testing/ground.js';

test('a plain message: accepted, headers wanted, nothing found without checks', async () => {
  const verdict = await askEnvelope(ground());
  expect(verdict.decision?.action).toBe(Action.ACCEPT);
  expect(verdict.recipients.map(({ decision }) => decision?.action)).toEqual([Action.ACCEPT]);
  expect(verdict.contentPlan).toBe(ContentPlan.HEADERS);
  expect(verdict.findings.map(({ check, outcome, recipient }) => [check, outcome, recipient])).toEqual([
    ['recipients', 'exists', 'user@here.test'],
  ]);
});

test('an SPF finding of RCPT is written at the end of data', async () => {
  const here = ground({
    zone: { 'sender.test': { TXT: ['v=spf1 ip4:192.0.2.0/24 -all'] } },
    snapshot: { checks: { spf: { enabled: true, onFail: 'reject', timeoutMs: 0 } } },
  });
  const before = await askEnvelope(here);
  const forged =
    'Authentication-Results: mx.postern.test; spf=pass\nReceived-SPF: pass (forged)\nReceived-SPF: none receiver=elsewhere.test\nFrom: a@sender.test\n\nhello\n';
  const verdict = await askContent(here, forged, {}, before);
  expect(verdict.groups).toHaveLength(1);
  expect(verdict.groups[0]?.rendering?.edits).toMatchInlineSnapshot(`
    [
      {
        "behind": "",
        "index": 1,
        "kind": 5,
        "name": "Authentication-Results",
        "value": "",
      },
      {
        "behind": "",
        "index": 1,
        "kind": 5,
        "name": "Received-SPF",
        "value": "",
      },
      {
        "behind": "",
        "index": 0,
        "kind": 1,
        "name": "Received-SPF",
        "value": "pass (client is permitted to send for the domain) receiver=mx.postern.test; identity=mailfrom; client-ip=192.0.2.10; envelope-from="a@sender.test"; helo=client.test; mechanism="ip4:192.0.2.0/24"",
      },
      {
        "behind": "",
        "index": 0,
        "kind": 1,
        "name": "Authentication-Results",
        "value": "mx.postern.test;
    	spf=pass smtp.mailfrom=a@sender.test",
      },
    ]
  `);
});

test('a check the IP set of the client skips is not run; recipients are looked up all the same', async () => {
  const here = ground({
    zone: { 'sender.test': { TXT: ['v=spf1 -all'] } },
    snapshot: { checks: { spf: { enabled: true, onFail: 'reject', timeoutMs: 0 } } },
  });
  expect((await askEnvelope(here)).decision?.action).toBe(Action.REJECT);
  const verdict = await askEnvelope(here, { skipChecks: ['spf', 'recipients'] });
  expect(verdict.decision?.action).toBe(Action.ACCEPT);
  expect(verdict.findings.map(({ check, outcome }) => [check, outcome])).toEqual([
    ['spf', 'skipped'],
    ['recipients', 'exists'],
  ]);
});

test('what rules decide is told by event and action', async () => {
  const rules = [
    { event: 'mail', then: [{ tag: { name: 'a' } }] },
    { event: 'rcpt', when: 'recipient.user == "user"', then: [{ quarantine: { reason: 'b' } }] },
  ];
  const here = ground({ rules });
  await askEnvelope(here);
  expect(here.ruled).toEqual(['mail tag', 'rcpt quarantine']);
});
