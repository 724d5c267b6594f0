/** Limits of a rule about single recipients: of whom they are felt, and of nobody else. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { DifferingContent } from '@postern/proto/config/v1/snapshot';
import { type EvaluateResponse, Stage } from '@postern/proto/policy/v1/policy_service';
import { describe, expect, test } from 'vitest';
import { askContent, askEnvelope, type Described, type Ground, type GroundOptions, ground } from '../testing/ground.js';

const ann = 'ann@one.test';
const bob = 'bob@one.test';
const cid = 'cid@one.test';
const eve = { address: 'eve@two.test', tenant: 't2' };
const dan = { address: 'dan@two.test', tenant: 't2' };

function groundOf(tenantRules: GroundOptions['tenantRules'], rules: readonly object[] = [], together = false): Ground {
  const made = ground({
    rules,
    tenantRules: tenantRules ?? {},
    entries: { [ann]: 'user', [bob]: 'user', [cid]: 'user', [eve.address]: 'user', [dan.address]: 'user' },
    snapshot: {
      differingContent: together ? DifferingContent.TOGETHER : DifferingContent.SPLIT,
      checks: { document: '{"spf":{"enabled":false},"dkim":{"enabled":false},"dmarc":{"enabled":false}}' },
      tenants: [{ name: 't1' }, { name: 't2' }],
      domains: [
        { name: 'one.test', tenant: 't1', validateRecipients: true, nextHop: 'sink' },
        { name: 'two.test', tenant: 't2', validateRecipients: true, nextHop: 'sink' },
      ],
    },
  });
  expect(made.faults).toEqual([]);
  return made;
}

const codes = ({ recipients }: EvaluateResponse): number[] =>
  recipients.map(({ decision }) => decision?.replyCode || 250);
const why = ({ recipients }: EvaluateResponse): string[] => recipients.map(({ decision }) => decision?.decidedBy ?? '');

const small = (event = 'rcpt') => ({ event, then: [{ setLimit: { size: 100 } }] });
const two = { event: 'rcpt', then: [{ setLimit: { recipients: 2 } }] };
const forOne = (setLimit: object) => ({
  event: 'rcpt',
  when: 'recipient.domain == "one.test"',
  then: [{ setLimit }],
});
const long = `Subject: x\n\n${'words '.repeat(50)}\n`;
const short = 'Subject: x\n\nx\n';

describe.each(['connect', 'ehlo', 'mail', 'rcpt'])("a tenant's size at %s", (event) => {
  const mine = { t1: [small(event)] };

  test.each<[string, Described, readonly number[]]>([
    ['others come apart', { to: [ann, bob, eve] }, [250, 250, 452]],
    ['in either order', { to: [eve, ann, dan] }, [250, 452, 250]],
    ['with one taken before', { taken: [eve], to: [dan] }, [250]],
    ['declared and larger: for its recipients', { to: [eve, ann, dan], declaredSize: 200 }, [250, 552, 250]],
    ['declared and not larger: for nobody', { to: [eve, ann, dan], declaredSize: 90 }, [250, 250, 250]],
    [
      'a login is never told to come again',
      { to: [ann, eve], user: dan.address, tenant: 't2', role: 'submission' },
      [250, 250],
    ],
  ])('%s', async (_what, described, expected) => {
    const verdict = await askEnvelope(groundOf(mine), described);
    expect(codes(verdict)).toEqual(expected);
    expect(verdict.limits).toBeUndefined();
  });

  test('by the findings of those taken before', async () => {
    const made = groundOf(mine);
    const { findings } = await askEnvelope(made, { to: [ann] });
    expect(codes(await askEnvelope(made, { taken: [ann], to: [eve, bob], findings }))).toEqual([452, 250]);
  });

  test('a message over it is refused to them', async () => {
    const made = groundOf(mine);
    const to = [ann, bob];
    const before = await askEnvelope(made, { to });
    expect((await askContent(made, long, { to }, before)).decision).toMatchObject({
      ...{ replyCode: 552, enhancedCode: '5.3.4', decidedBy: 'tenant-1@3' },
    });
    expect((await askContent(made, short, { to }, before)).decision?.replyCode).toBe(0);
  });

  test('together: their copies are, and no others', async () => {
    const made = groundOf(mine, [], true);
    const to = [ann, eve];
    const before = await askEnvelope(made, { to });
    expect(codes(before)).toEqual([250, 250]);
    const { decision, groups, findings } = await askContent(made, long, { to }, before);
    expect(findings.filter(({ action }) => action === 'reject')).toEqual([
      expect.objectContaining({
        ...{ check: 'rule', outcome: 'oversize', recipient: ann, rule: 'tenant-1@3', stage: Stage.HEADERS },
        evidence: { tenant: 't1', size: '100', code: '552', enhanced: '5.3.4', text: expect.any(String) },
      }),
    ]);
    expect(decision?.replyCode).toBe(0);
    expect(groups.map((group) => [group.recipients, group.decision?.replyCode])).toEqual([
      [[ann], 552],
      [[eve.address], 0],
    ]);
  });
});

test.each<[string, GroundOptions['tenantRules'], readonly object[], Described, readonly number[]]>([
  ["others' are not counted against it", { t1: [two] }, [], { to: [eve, dan, ann, bob] }, [250, 250, 250, 250]],
  ['one of each', { t1: [two] }, [], { to: [ann, eve, bob, cid, dan] }, [250, 250, 250, 452, 250]],
  ['those taken before count', { t1: [two] }, [], { taken: [ann, bob], to: [eve, cid] }, [250, 452]],
  [
    'who was refused does not',
    { t1: [two], [`t1 ${bob}`]: [{ event: 'rcpt', then: ['reject'] }] },
    [],
    { to: [ann, bob, cid] },
    [250, 550, 250],
  ],
  [
    'of who submits all are counted',
    { t1: [two] },
    [],
    { to: [eve, ann, dan], user: ann, tenant: 't1', role: 'submission' },
    [250, 250, 452],
  ],
  ['the operator about some', {}, [forOne({ recipients: 1 })], { to: [eve, ann, dan, bob] }, [250, 250, 250, 452]],
  ['the same, by size', {}, [forOne({ size: 100 })], { to: [ann, bob, eve] }, [250, 250, 452]],
  ['sizes that are equal', { t1: [small()], t2: [small()] }, [], { to: [ann, eve] }, [250, 250]],
  [
    "a user's tighter one splits its domain",
    { t1: [small()], [`t1 ${bob}`]: [{ event: 'rcpt', then: [{ setLimit: { size: 50 } }] }] },
    [],
    { to: [ann, bob, cid] },
    [250, 452, 250],
  ],
])('%s', async (_what, tenantRules, rules, described, expected) => {
  expect(codes(await askEnvelope(groundOf(tenantRules, rules), described))).toEqual(expected);
});

test('what the operator sets for all holds for the message, and the number of recipients is asked of it', async () => {
  const rule = { event: 'rcpt', when: 'recipients.count > 1', then: [{ setLimit: { size: 100, recipients: 7 } }] };
  const verdict = await askEnvelope(groundOf({}, [rule]), { to: [ann, eve] });
  expect(codes(verdict)).toEqual([250, 250]);
  expect(verdict.limits).toEqual({ messageSize: 100, recipients: 7 });
});

test('the refusal is by the rule, and who comes apart hears whose it is if it is its own', async () => {
  const made = groundOf({ t1: [small()] });
  expect(why(await askEnvelope(made, { to: [eve, ann], declaredSize: 200 }))).toEqual(['', 'tenant-1@3']);
  const apart = (verdict: EvaluateResponse) => verdict.findings.find(({ check }) => check === 'differing_content');
  expect(apart(await askEnvelope(made, { to: [eve, ann] }))?.evidence.reason).toBe(
    'rule tenant-1@3 could refuse this copy alone',
  );
  expect(apart(await askEnvelope(made, { to: [ann, eve] }))?.evidence.reason).not.toContain('tenant-1');
});
