/** A refusal is told with what it rests on: the findings of the check that decided, sizes with their limits. */
import { Action, EvaluateResponse, Finding } from '@postern/proto/policy/v1/policy_service';
import { RawClient } from '@postern/testkit/smtp';
import { afterEach, expect, test } from 'vitest';
import type { Listener } from './listener.js';
import { concernedBy, type RefusalFacts, refusalEvidence, refusingTenant, shownReply } from './refusal-evidence.js';
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
    'why the deciding rule could not be computed',
    'mine@3',
    [{ check: 'rule', outcome: 'failed', rule: 'mine@3', action: 'tempfail', evidence: { fault: 'no such part' } }],
    { reason: 'mine@3', rule: 'failed (fault=no such part)' },
  ],
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
    'what the check that decided judges by',
    'dmarc',
    [
      spf,
      { check: 'dkim', outcome: 'none' },
      { check: 'ptr', outcome: 'missing' },
      { check: 'dmarc', outcome: 'fail' },
    ],
    { reason: 'dmarc', spf: 'fail (identity=mailfrom mechanism=-all)', dkim: 'none', dmarc: 'fail' },
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

test('of two tenants’ rules of the same name it is the one that refused', () => {
  const of = (tenant: string, recipient: string, action: string): Finding =>
    Finding.fromPartial({ check: 'rule', rule: 'r@1', recipient, action, evidence: { tenant } });
  const findings = [of('acme', 'x@acme.test', 'reject'), of('demo', 'y@demo.test', 'tag')];
  expect(refusingTenant({ ...mine, findings })).toBe('acme');
  expect(refusingTenant({ ...mine, findings: findings.toReversed() })).toBe('acme');
});

const twoTenants = {
  domains: [
    { name: 'acme.test', tenant: 'acme' },
    { name: 'demo.test', tenant: 'demo' },
  ],
};
const toBoth = ['MAIL FROM:<a@sender.test>', 'RCPT TO:<y@demo.test>', 'RCPT TO:<x@acme.test>', 'DATA'];

function refusingContent(doubles: Doubles, by: string, findings: readonly Finding[]): void {
  doubles.evaluate = (request) => {
    const answer = acceptAll(request);
    if (answer.kind !== 'verdict') return answer;
    const atEnd = !request.stages.includes(5);
    const decision = { action: 2, replyCode: 550, enhancedCode: '5.7.1', decidedBy: by };
    const verdict = EvaluateResponse.fromPartial({
      ...answer.verdict,
      contentPlan: 3,
      ...(atEnd ? { decision, findings: [...findings] } : {}),
    });
    return { kind: 'verdict', verdict };
  };
}

const refusedMessage = (doubles: Doubles) =>
  doubles.events.find(({ event }) => event === 'edge.message.rejected')?.facts;

test('a message refused by a rule of the second recipient is filed under its tenant alone', async () => {
  const doubles = new Doubles();
  doubles.setSnapshot(twoTenants);
  refusingContent(doubles, 'r@1', mine.findings);
  await say(doubles, [...toBoth, 'Subject: x\r\n\r\nx\r\n.']);
  expect(refusedMessage(doubles)?.each).toEqual([
    { recipient: 'x@acme.test', tenant: 'acme', evidence: { lists: 'blocked', spf: 'fail' } },
  ]);
});

test('a message the operator refuses is filed under each recipient and its tenant', async () => {
  const doubles = new Doubles();
  doubles.setSnapshot(twoTenants);
  refusingContent(doubles, 'spf', mine.findings);
  await say(doubles, [...toBoth, 'Subject: x\r\n\r\nx\r\n.']);
  expect(refusedMessage(doubles)?.recipient).toBeUndefined();
  expect(refusedMessage(doubles)?.each).toEqual([
    { recipient: 'y@demo.test', tenant: 'demo', evidence: { spf: 'fail' } },
    { recipient: 'x@acme.test', tenant: 'acme', evidence: { spf: 'fail' } },
  ]);
});

test('what a tenant submits is filed under it, of very many recipients for the first hundred', () => {
  const recipients = Array.from({ length: 120 }, (_, index) => ({ address: `n${index}@far.test`, tenant: 'acme' }));
  const told = concernedBy({ ...mine, decidedBy: 'size', recipients, submittingTenant: 'acme' });
  expect(told).toHaveLength(100);
  expect(told[99]).toEqual({ recipient: 'n99@far.test', tenant: 'acme', evidence: {} });
});

test('a session that is ended in the middle of a transaction says of which', async () => {
  const doubles = new Doubles();
  const wrong = Array.from({ length: 6 }, () => 'NONSENSE');
  await say(doubles, ['MAIL FROM:<a@sender.test>', 'RCPT TO:<x@example.test>', ...wrong]);
  expect(doubles.events.find(({ event }) => event === 'edge.session.aborted')?.facts).toMatchObject({
    reversePath: 'a@sender.test',
    recipient: 'x@example.test',
    reply: { code: 421 },
  });
});

test('a chunk that would be too much is told with what it would come to', async () => {
  const doubles = new Doubles();
  doubles.setSnapshot({ limits: { messageSize: 1_000 } });
  await say(doubles, ['MAIL FROM:<a@sender.test>', 'RCPT TO:<x@example.test>', `BDAT 2000\r\n${'x'.repeat(1_998)}`]);
  expect(refusals(doubles)).toEqual([{ reason: 'size', size: '2000', limit: '1000' }]);
});

test('a text filled with facts of a recipient is told to its tenant alone; who has one of its own reads that', () => {
  const refusal = (recipient: string, text: string, more: object = { about: 'recipient' }) =>
    Finding.fromPartial({ check: 'rule', rule: 'no@1', action: 'reject', recipient, evidence: { text, ...more } });
  const recipients = [
    { address: 'bob@acme.test', tenant: 'acme' },
    { address: 'eve@beta.test', tenant: 'beta' },
    { address: 'kim@gamma.test', tenant: 'gamma' },
  ];
  const texts = (findings: readonly Finding[], submittingTenant?: string) =>
    concernedBy(
      { decidedBy: 'no@1', findings, recipients, submittingTenant },
      { code: 550, enhanced: '5.7.1', text: 'no bob@acme.test' },
    ).map(({ reply }) => reply?.text);
  const filled = [refusal('bob@acme.test', 'no bob@acme.test'), refusal('eve@beta.test', 'no eve@beta.test')];
  expect(texts(filled)).toEqual([undefined, 'no eve@beta.test', 'refused by a rule about another recipient']);
  expect(texts(filled, 'acme')).toEqual([undefined, undefined, undefined]);
  expect(texts([refusal('bob@acme.test', 'no bob@acme.test', {})])).toEqual([undefined, undefined, undefined]);
});

test.each<[string, Partial<Finding>, string | undefined]>([
  ['the operator', {}, 'demo'],
  ['nobody here submits it', {}, undefined],
  ['a rule of its own', { evidence: { tenant: 'acme', about: 'submitter' } }, 'demo'],
  ['a text that names nobody', { evidence: {} }, 'demo'],
])(
  'who logged in at another tenant is not in a refusal a recipient’s tenant reads: %s',
  (said, more, submittingTenant) => {
    const findings = [
      Finding.fromPartial({ check: 'rule', rule: 'no@1', action: 'reject', evidence: { about: 'submitter' }, ...more }),
    ];
    const recipients = [{ address: 'bob@acme.test', tenant: 'acme' }];
    const reply = { code: 550, enhanced: '5.7.1', text: 'not from boss@demo.test' } as const;
    const shown = shownReply({ decidedBy: 'no@1', findings, recipients, submittingTenant }, reply, 'acme');
    const hidden = { ...reply, text: 'refused by a rule about who submits the message' };
    expect(shown).toEqual(said === 'the operator' ? hidden : undefined);
    expect(shownReply({ decidedBy: 'no@1', findings, recipients, submittingTenant }, reply, 'demo')).toBeUndefined();
  },
);

test('a session closed because of one recipient of a group tells the tenants of others nothing of it', async () => {
  const doubles = new Doubles();
  doubles.setSnapshot(twoTenants);
  doubles.evaluate = (request) => {
    const answer = acceptAll(request);
    if (answer.kind !== 'verdict') return answer;
    const text = 'y@demo.test is closed';
    const decision = { action: Action.CLOSE, replyCode: 421, enhancedCode: '4.7.0', text, decidedBy: 'shut@1' };
    const evidence = { text, about: 'recipient' };
    const by = { check: 'rule', outcome: 'matched', rule: 'shut@1', action: 'close', recipient: 'y@demo.test' };
    return {
      kind: 'verdict',
      verdict: EvaluateResponse.fromPartial({ ...answer.verdict, decision, findings: [{ ...by, evidence }] }),
    };
  };
  listener = await doubles.listen();
  const client = await RawClient.open(listener.port);
  await client.reply();
  for (const line of ['EHLO c.test', 'MAIL FROM:<a@sender.test>']) await client.command(line);
  client.send('RCPT TO:<y@demo.test>\r\nRCPT TO:<x@acme.test>\r\n');
  expect(await client.reply()).toContain('y@demo.test is closed');
  client.destroy();
  const told = doubles.events.filter(({ event }) => event === 'edge.recipient.rejected').map(({ facts }) => facts);
  expect(told.map((facts) => [facts?.tenant, facts?.shownReply?.text])).toEqual([
    ['demo', undefined],
    ['acme', 'refused by a rule about another recipient'],
  ]);
});

test('an accepted message tells tenants that did not submit it no text with who did', async () => {
  const doubles = new Doubles();
  doubles.evaluate = (request) => {
    const answer = acceptAll(request);
    if (answer.kind !== 'verdict' || !request.stages.includes(5)) return answer;
    const rule = { check: 'rule', outcome: 'matched', action: 'addHeader' };
    const findings = [
      { ...rule, rule: 'by@1', evidence: { name: 'X-By', value: 'boss@demo.test', about: 'submitter' } },
      { ...rule, rule: 'to@1', evidence: { name: 'X-To', value: 'x', about: 'recipient' } },
      { ...rule, rule: 'own@1', evidence: { name: 'X-Own', value: '-', tenant: 'acme', about: 'submitter' } },
    ];
    return { kind: 'verdict', verdict: EvaluateResponse.fromPartial({ ...answer.verdict, findings }) };
  };
  await say(doubles, ['MAIL FROM:<a@sender.test>', 'RCPT TO:<x@example.test>', 'DATA', 'Subject: hi\r\n\r\nhi\r\n.']);
  const { findings = [] } = doubles.stored[0]?.envelope ?? {};
  expect(findings.map(({ evidence, evidenceForOthers }) => [evidence, evidenceForOthers])).toEqual([
    ['name=X-By value=boss@demo.test about=submitter', 'name=X-By about=submitter'],
    ['name=X-To value=x about=recipient', ''],
    ['name=X-Own value=- tenant=acme about=submitter', ''],
  ]);
});
