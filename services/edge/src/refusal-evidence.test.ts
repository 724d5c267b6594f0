/** A refusal is told with what it rests on: the findings of the check that decided, sizes with their limits. */
import { EvaluateResponse, Finding } from '@postern/proto/policy/v1/policy_service';
import { RawClient } from '@postern/testkit/smtp';
import { afterEach, expect, test } from 'vitest';
import type { Listener } from './listener.js';
import { type RefusalFacts, refusalEvidence, refusingTenant } from './refusal-evidence.js';
import { acceptAll, Doubles } from './testing/doubles.js';

let listener: Listener | undefined;
afterEach(async () => {
  listener?.destroy();
  await listener?.drain();
  listener = undefined;
});

type SaidFinding = Partial<Finding>;

const spf: SaidFinding = { check: 'spf', outcome: 'fail', evidence: { identity: 'mailfrom', mechanism: '-all' } };
const about = (recipient: string, outcome: string): SaidFinding => ({ check: 'lists', outcome, recipient });

/** Whole refusal where `whole` is given, else of addresses that begin with `no`. */
function judging(doubles: Doubles, by: string, findings: readonly SaidFinding[], whole = false): void {
  const refusal = { action: 2, replyCode: 550, enhancedCode: '5.7.1', decidedBy: by };
  doubles.evaluate = (request) => {
    const answer = acceptAll(request);
    if (answer.kind !== 'verdict') return answer;
    const recipients = answer.verdict.recipients.map(({ address }) => ({
      address,
      decision: address.startsWith('no') ? refusal : { action: 1 },
    }));
    const decision = whole ? { decision: refusal } : {};
    const verdict = EvaluateResponse.fromPartial({
      ...answer.verdict,
      recipients,
      findings: [...findings],
      ...decision,
    });
    return { kind: 'verdict', verdict };
  };
}

async function say(doubles: Doubles, lines: readonly string[]): Promise<void> {
  listener = await doubles.listen();
  const client = await RawClient.open(listener.port);
  await client.reply();
  for (const line of ['EHLO c.test', ...lines]) await client.command(line);
  client.destroy();
}

const refusals = (doubles: Doubles) =>
  doubles.events
    .filter(({ event }) => event.endsWith('.rejected'))
    .map(({ facts }) => ({ ...facts?.evidence, ...facts?.detail }));

test.each([
  ['the check that decided', 'spf', [spf], { reason: 'spf', spf: 'fail (identity=mailfrom mechanism=-all)' }],
  [
    'what the deciding rule used',
    'mine@3',
    [{ ...spf, rule: 'mine@3' }],
    { reason: 'mine@3', spf: 'fail (identity=mailfrom mechanism=-all)' },
  ],
  [
    'nothing of other checks',
    'dnsbl',
    [spf, { check: 'dnsbl', outcome: 'listed' }],
    { reason: 'dnsbl', dnsbl: 'listed' },
  ],
  [
    'nothing of other recipients',
    'lists',
    [about('x@example.test', 'allowed'), about('no@example.test', 'blocked')],
    { reason: 'lists', lists: 'blocked' },
  ],
])('a refused recipient: %s', async (_, by, findings, told) => {
  const doubles = new Doubles();
  judging(doubles, by, findings);
  await say(doubles, ['MAIL FROM:<a@sender.test>', 'RCPT TO:<x@example.test>', 'RCPT TO:<no@example.test>']);
  expect(refusals(doubles)).toEqual([told]);
});

test('a transaction that was refused says why to each recipient', async () => {
  const doubles = new Doubles();
  judging(doubles, 'spf', [spf], true);
  await say(doubles, ['MAIL FROM:<a@sender.test>', 'RCPT TO:<x@example.test>', 'RCPT TO:<y@example.test>']);
  const told = { reason: 'spf', spf: 'fail (identity=mailfrom mechanism=-all)' };
  expect(refusals(doubles)).toEqual([told, told]);
});

test('a size, declared or come, with its limit', async () => {
  const doubles = new Doubles();
  doubles.setSnapshot({ limits: { messageSize: 1_000 } });
  await say(doubles, [
    'MAIL FROM:<a@sender.test> SIZE=1001',
    'MAIL FROM:<a@sender.test>',
    'RCPT TO:<x@example.test>',
    'DATA',
    `${'x'.repeat(998)}\r\ny\r\n.`,
  ]);
  expect(refusals(doubles)).toEqual([
    { reason: 'declared size', size: '1001', limit: '1000' },
    { reason: 'size', size: '1003', limit: '1000' },
  ]);
});

const mine: RefusalFacts = {
  decidedBy: 'r@1',
  findings: [
    Finding.fromPartial({ check: 'rule', rule: 'r@1', recipient: 'x@acme.test', evidence: { tenant: 'acme' } }),
    Finding.fromPartial({ check: 'lists', rule: 'r@1', recipient: 'x@acme.test', outcome: 'blocked' }),
    Finding.fromPartial({ check: 'lists', rule: 'r@1', recipient: 'y@demo.test', outcome: 'allowed' }),
    Finding.fromPartial({ check: 'spf', rule: 'r@1', outcome: 'fail' }),
  ],
  recipients: [
    { address: 'y@demo.test', tenant: 'demo' },
    { address: 'x@acme.test', tenant: 'acme' },
  ],
  submittingTenant: undefined,
};

test('a refusal of mail for two tenants is told to whose rule it was, and says nothing of the other', () => {
  expect(refusingTenant(mine)).toBe('acme');
  expect(refusingTenant({ ...mine, decidedBy: 'spf' })).toBeUndefined();
  expect(refusalEvidence(mine, 'acme')).toEqual({ lists: 'blocked', spf: 'fail' });
  expect(refusalEvidence(mine, 'demo')).toEqual({ lists: 'allowed', spf: 'fail' });
  expect(refusalEvidence({ ...mine, submittingTenant: 'demo' }, 'acme')).toEqual({ lists: 'blocked' });
});

test('a message refused by a rule of the second recipient is filed under its tenant', async () => {
  const doubles = new Doubles();
  doubles.setSnapshot({
    domains: [
      { name: 'acme.test', tenant: 'acme' },
      { name: 'demo.test', tenant: 'demo' },
    ],
  });
  doubles.evaluate = (request) => {
    const answer = acceptAll(request);
    if (answer.kind !== 'verdict') return answer;
    const atEnd = !request.stages.includes(5);
    const decision = { action: 2, replyCode: 550, enhancedCode: '5.7.1', decidedBy: 'r@1' };
    const verdict = EvaluateResponse.fromPartial({
      ...answer.verdict,
      contentPlan: 3,
      ...(atEnd ? { decision, findings: mine.findings.map((finding) => finding) } : {}),
    });
    return { kind: 'verdict', verdict };
  };
  await say(doubles, [
    'MAIL FROM:<a@sender.test>',
    'RCPT TO:<y@demo.test>',
    'RCPT TO:<x@acme.test>',
    'DATA',
    'Subject: x\r\n\r\nx\r\n.',
  ]);
  const refusal = doubles.events.find(({ event }) => event === 'edge.message.rejected')?.facts;
  expect(refusal).toMatchObject({ tenant: 'acme', evidence: { lists: 'blocked', spf: 'fail' } });
});
