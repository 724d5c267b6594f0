/** Who is told at RCPT to come in a transaction of its own: whose content could be refused without that of the first recipient, and nobody else. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { DifferingContent } from '@postern/proto/config/v1/snapshot';
import { Action, type EvaluateResponse, Stage } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, askEnvelope, type Described, type Ground, type GroundOptions, ground } from '../testing/ground.js';

const ann = 'ann@one.test';
const bob = 'bob@one.test';
const eve = { address: 'eve@two.test', tenant: 't2' };
const far = { address: 'x@far.test', tenant: 't1', relay: true };
const farther = { address: 'y@farther.test', tenant: 't1', relay: true };
const large = 'message.size > 1000';
const sparesAnn = `recipient.address == "${ann}"`;
const reject = {
  event: 'body',
  when: large,
  then: [{ reject: { code: 552, enhanced: '5.3.4', text: 'too much for us' } }],
};
const { SPLIT, TOGETHER } = DifferingContent;

interface Given extends Pick<GroundOptions, 'rules' | 'tenantRules'> {
  readonly operator?: Readonly<Record<string, object>>;
  readonly one?: Readonly<Record<string, object>>;
  readonly two?: Readonly<Record<string, object>>;
  readonly differing?: readonly [DifferingContent, one?: DifferingContent, two?: DifferingContent];
}

function groundOf({
  rules = [],
  tenantRules = {},
  operator = {},
  one = {},
  two = {},
  differing = [SPLIT],
}: Given): Ground {
  const patch = (own: object): string => (Object.keys(own).length === 0 ? '' : JSON.stringify(own));
  const off = { spf: { enabled: false }, dkim: { enabled: false }, dmarc: { enabled: false } };
  const [all, ofOne, ofTwo] = differing;
  const made = ground({
    rules,
    tenantRules,
    entries: { [ann]: 'user', [bob]: 'user', [eve.address]: 'user' },
    snapshot: {
      checks: { document: JSON.stringify({ ...off, ...operator }) },
      differingContent: all,
      tenants: [
        { name: 't1', checks: patch(one), ruleActions: ['accept', 'skip'], differingContent: ofOne ?? 0 },
        { name: 't2', checks: patch(two), differingContent: ofTwo ?? 0 },
      ],
      domains: [
        { name: 'one.test', tenant: 't1', validateRecipients: true, nextHop: 'sink' },
        { name: 'two.test', tenant: 't2', validateRecipients: true, nextHop: 'sink' },
      ],
    },
  });
  expect(made.faults).toEqual([]);
  return made;
}

/** Recipients told to come apart. */
function apart({ recipients }: EvaluateResponse): string[] {
  return recipients
    .filter(({ decision }) => decision?.replyCode === 452 && decision.decidedBy === 'differing_content')
    .map(({ address }) => address);
}

const uribl = { enabled: true, onFail: 'reject', zones: ['uri.test'], selfTest: false };
const clients = { lists: { block: ['192.0.2.21'] } };
const skipsNobody = {
  event: 'rcpt',
  when: 'recipient.address == "nobody@nowhere.test"',
  then: [{ skip: { check: 'dkim' } }],
};
const strict = (check: string) => ({ [check]: { enabled: true, onFail: 'reject' } });

test.each<[string, Given, Described, readonly string[]]>([
  ["a tenant's rule", { tenantRules: { t2: [reject] } }, { to: [ann, bob, eve] }, [eve.address]],
  ['who comes first is taken', { tenantRules: { t2: [reject] } }, { to: [eve, ann, bob] }, [ann, bob]],
  ["a user's rule", { tenantRules: { [`t1 ${bob}`]: [reject] } }, { to: [ann, bob] }, [bob]],
  ["a domain's rule", { tenantRules: { 't1 one.test': [reject] } }, { to: [ann, bob, eve] }, [eve.address]],
  ["the operator's rule", { rules: [reject] }, { to: [ann, eve] }, []],
  ['nothing that refuses', { tenantRules: { t2: [{ ...reject, then: ['quarantine'] }] } }, { to: [ann, eve] }, []],
  [
    'the same of both',
    { tenantRules: { t1: [reject], t2: [{ ...reject, then: ['reject'] }] } },
    { to: [ann, eve] },
    [],
  ],
  [
    'refused at RCPT: the next one is the first',
    { tenantRules: { t2: [reject], [`t1 ${ann}`]: [{ event: 'rcpt', then: ['reject'] }] } },
    { to: [ann, eve, bob] },
    [bob],
  ],
  ['not known, and therefore never the first', { tenantRules: { t2: [reject] } }, { to: ['nobody@one.test', eve] }, []],
  [
    'recipients elsewhere',
    { tenantRules: { t1: [reject] } },
    { to: [far, farther], tenant: 't1', relayRight: true },
    [],
  ],
  [
    'a relay client',
    { tenantRules: { [`t1 ${ann}`]: [reject] } },
    { to: [ann, far], tenant: 't1', relayRight: true },
    [far.address],
  ],
  [
    'the rules of a relay client are for all; what they spare is for its own recipients',
    {
      operator: { dkim: { enabled: false, onFail: 'reject' } },
      rules: [{ event: 'mail', then: [{ run: { check: 'dkim' } }] }],
      tenantRules: { t1: [reject, { event: 'body', when: 'message.parts > 1', then: ['accept'] }] },
    },
    { to: [ann, bob, eve, far], tenant: 't1', relayRight: true },
    [eve.address],
  ],
  [
    'the rules of a relay client are for all',
    { tenantRules: { t1: [reject] } },
    { to: [ann, eve, far], tenant: 't1', relayRight: true },
    [],
  ],
  ['a login', { tenantRules: { t2: [reject] } }, { to: [ann, eve], user: ann, tenant: 't1', role: 'submission' }, []],
  ['together', { tenantRules: { t2: [reject] }, differing: [TOGETHER] }, { to: [ann, eve] }, []],
  [
    'together, but not for one',
    { tenantRules: { t2: [reject] }, differing: [TOGETHER, 0, SPLIT] },
    { to: [ann, eve] },
    [eve.address],
  ],
  [
    'together for one of two',
    { tenantRules: { t2: [reject] }, differing: [SPLIT, 0, TOGETHER] },
    { to: [ann, eve] },
    [eve.address],
  ],
  [
    'together for both',
    { tenantRules: { t2: [reject] }, differing: [SPLIT, TOGETHER, TOGETHER] },
    { to: [ann, eve] },
    [],
  ],
  [
    'together within',
    { tenantRules: { [`t1 ${bob}`]: [reject] }, differing: [SPLIT, TOGETHER] },
    { to: [ann, bob] },
    [],
  ],
  [
    'a stricter check',
    { operator: { dmarc: { enabled: true } }, two: { dmarc: { onFail: 'reject' } } },
    { to: [ann, eve] },
    [eve.address],
  ],
  ['a check of its own', { two: strict('dkim') }, { to: [eve, ann] }, [ann]],
  [
    'the same check, beside another one',
    { one: { ...strict('arc'), country: { enabled: true, allow: ['CH'], onFail: 'mark' } }, two: strict('arc') },
    { to: [ann, eve] },
    [],
  ],
  ['a check that only tells', { two: { arc: { enabled: true, onFail: 'quarantine' } } }, { to: [ann, eve] }, []],
  [
    'a check before the content',
    { two: { country: { enabled: true, block: ['XX'], onFail: 'reject' } } },
    { to: [ann, eve] },
    [],
  ],
  [
    'refused for all',
    { operator: { dkim: { enabled: true, onFail: 'reject' } }, two: { dkim: { onFail: 'reject' } } },
    { to: [ann, eve] },
    [],
  ],
  ['a block list of authors', { two: { lists: { block: ['spam.test'] } } }, { to: [ann, eve] }, [eve.address]],
  [
    'the same authors blocked, and other clients',
    { one: { lists: { block: ['spam.test'] } }, two: { lists: { block: ['spam.test', '198.51.100.77'] } } },
    { to: [ann, eve] },
    [],
  ],
  [
    'clients allowed beside a check they are spared',
    {
      operator: { uribl },
      two: { lists: { allow: ['198.51.100.77', '2001:db8::/32'] } },
    },
    { to: [ann, eve] },
    [],
  ],
  ['an allow list alone', { two: { lists: { allow: ['friend.test'] } } }, { to: [ann, eve] }, []],
  [
    "clients on a tenant's list, authors on the operator's allow list",
    { operator: { lists: { allow: ['pal.test'] }, uribl }, two: clients },
    { to: [ann, eve] },
    [],
  ],
  [
    "clients on a tenant's list, authors on the operator's block list, and a skip for somebody else",
    { operator: { lists: { block: ['blocked.test'] } }, rules: [skipsNobody], two: clients },
    { to: [ann, eve] },
    [],
  ],
  [
    "clients on a tenant's list, authors on both of the operator's",
    {
      operator: { lists: { block: ['pal.test'], allow: ['ann@pal.test'] }, uribl },
      rules: [skipsNobody],
      two: clients,
    },
    { to: [ann, eve] },
    [],
  ],
  [
    "an allow list of a tenant beside the operator's block list",
    { operator: { lists: { block: ['blocked.test'] } }, two: { lists: { allow: ['friend.test'] } } },
    { to: [ann, eve] },
    [],
  ],
  [
    "a block list of a tenant beside the operator's",
    { operator: { lists: { block: ['blocked.test'] } }, two: { lists: { block: ['evil.test'] } } },
    { to: [ann, eve] },
    [eve.address],
  ],
  [
    "a tenant that allows others than the operator's allow list, whose block list holds those",
    {
      operator: { lists: { block: ['pal.test'], allow: ['ann@pal.test'] } },
      two: { lists: { allow: ['friend.test'] } },
    },
    { to: [ann, eve] },
    [eve.address],
  ],
  [
    'whom the operator allows too',
    {
      operator: { lists: { allow: ['pal.test', 'friend.test'] }, uribl },
      two: { lists: { allow: ['friend.test', '192.0.2.21'] } },
    },
    { to: [ann, eve] },
    [],
  ],
  [
    "whom the operator's allow list does not hold",
    { operator: { lists: { allow: ['pal.test'] }, uribl }, two: { lists: { allow: ['friend.test'] } } },
    { to: [ann, eve] },
    [eve.address],
  ],
  [
    'the same entries, differently written down',
    {
      operator: { uribl },
      one: { lists: { block: ['a.test', 'b.test', '10.0.0.0/8'], allow: ['c.test', 'd.test'] } },
      two: { lists: { block: ['b.test', 'a.test'], allow: ['d.test', '192.0.2.21', 'c.test'] } },
    },
    { to: [ann, eve] },
    [],
  ],
  [
    'an allow list beside a check it spares',
    {
      operator: { uribl },
      two: { lists: { allow: ['friend.test'] } },
    },
    { to: [ann, eve] },
    [eve.address],
  ],
  [
    'spared at RCPT already',
    {
      tenantRules: { t1: [{ event: 'rcpt', then: [{ skip: { check: 'dkim' } }] }] },
      one: strict('dkim'),
    },
    { to: [ann, eve] },
    [],
  ],
  [
    "the operator's rule that spares one recipient, at RCPT",
    { operator: strict('dkim'), rules: [{ event: 'rcpt', when: sparesAnn, then: [{ skip: { check: 'dkim' } }] }] },
    { to: [ann, bob, eve] },
    [bob, eve.address],
  ],
  [
    "the operator's rule that spares one recipient, at the end of data",
    { operator: strict('dmarc'), rules: [{ event: 'body', when: sparesAnn, then: [{ skip: { check: 'dmarc' } }] }] },
    { to: [bob, eve, ann] },
    [ann],
  ],
  [
    "the operator's rule that spares whoever it is",
    { operator: strict('dmarc'), rules: [{ event: 'body', when: large, then: [{ skip: { check: 'dmarc' } }] }] },
    { to: [ann, eve] },
    [],
  ],
  [
    "the operator's rule that spares one recipient a check that only tells",
    {
      operator: { dkim: { enabled: true, onFail: 'tag' } },
      rules: [{ event: 'rcpt', when: sparesAnn, then: [{ skip: { check: 'dkim' } }] }],
    },
    { to: [ann, eve] },
    [],
  ],
  [
    "a check that a rule runs for all, and the operator's spares one of",
    {
      operator: { dkim: { enabled: false, onFail: 'reject' } },
      rules: [
        { event: 'mail', then: [{ run: { check: 'dkim' } }] },
        { event: 'rcpt', when: sparesAnn, then: [{ skip: { check: 'dkim' } }] },
      ],
    },
    { to: [ann, eve, far], tenant: 't1', relayRight: true },
    [eve.address, far.address],
  ],
  ['a block list of clients', { two: { lists: { block: ['198.51.100.77', '10.0.0.0/8'] } } }, { to: [ann, eve] }, []],
  ['skipped by the set of the client', { two: strict('dkim') }, { to: [ann, eve], skipChecks: ['dkim'] }, []],
  [
    'a check that a rule runs',
    {
      operator: { domainkeys: { enabled: false, onFail: 'reject' } },
      tenantRules: { t2: [{ event: 'rcpt', then: [{ run: { check: 'domainkeys' } }] }] },
    },
    { to: [ann, eve] },
    [eve.address],
  ],
  [
    "what keeps the operator's check from refusing, where nobody sets anything differently",
    {
      operator: { uribl },
      tenantRules: { t1: [{ event: 'body', then: ['accept'] }] },
    },
    { to: [ann, eve] },
    [eve.address],
  ],
  [
    'what keeps a check from refusing',
    {
      operator: { dkim: { enabled: true, onFail: 'reject' } },
      tenantRules: { t1: [{ event: 'body', when: large, then: ['accept'] }] },
    },
    { to: [ann, eve] },
    [eve.address],
  ],
])('%s', async (_what, given, described, expected) => {
  const here = groundOf(given);
  const pipelined = await askEnvelope(here, described);
  expect(apart(pipelined)).toEqual(expected);
  expect(here.observed.filter((one) => one.startsWith('apart'))).toHaveLength(expected.length);

  // The same one by one, each request by itself: nothing is remembered here.
  const taken: NonNullable<Described['to']>[number][] = [];
  const told: string[] = [];
  let findings: EvaluateResponse['findings'] = [];
  for (const recipient of described.to ?? []) {
    const stages = findings.length === 0 ? [Stage.CONNECT, Stage.EHLO, Stage.MAIL, Stage.RCPT] : [Stage.RCPT];
    const verdict = await askEnvelope(here, { ...described, taken, to: [recipient], findings }, stages);
    findings = [...findings, ...verdict.findings];
    told.push(...apart(verdict));
    if (verdict.recipients.every(({ decision }) => decision?.action === Action.ACCEPT)) taken.push(recipient);
  }
  expect(told).toEqual(expected);
});

test('who is told hears 452 4.5.3, and the finding says why, of another tenant nothing but that', async () => {
  const here = groundOf({ tenantRules: { t2: [reject], [`t1 ${bob}`]: [{ ...reject, when: 'message.parts > 9' }] } });
  const { recipients, findings } = await askEnvelope(here, { to: [ann, bob, eve] });
  expect(recipients[1]?.decision).toEqual({
    action: Action.TEMPFAIL,
    replyCode: 452,
    enhancedCode: '4.5.3',
    text: 'send this recipient in a separate transaction',
    decidedBy: 'differing_content',
  });
  const found = findings.filter(({ check }) => check === 'differing_content');
  expect(found.map(({ recipient, outcome, action, evidence }) => [recipient, outcome, action, evidence])).toEqual([
    [bob, 'apart', 'tempfail', { first: ann, reason: `rule user-1@3 of ${bob} could refuse this copy alone` }],
    [eve.address, 'apart', 'tempfail', { reason: 'rule tenant-1@3 could refuse this copy alone' }],
  ]);
  const other = await askEnvelope(here, { to: [eve, ann] });
  expect(other.findings.find(({ check }) => check === 'differing_content')?.evidence).toEqual({
    reason: 'rules or checks of another tenant could refuse the copies before alone',
  });
});

test('come alone, the content is refused with the words of the tenant, and the others have theirs', async () => {
  const here = groundOf({ tenantRules: { t2: [reject] } });
  const message = `Subject: x\n\n${'a'.repeat(1_200)}\n`;
  const alone = await askEnvelope(here, { to: [eve] });
  expect(apart(alone)).toEqual([]);
  const refused = await askContent(here, message, { to: [eve] }, alone);
  expect(refused.decision).toMatchObject({ action: Action.REJECT, replyCode: 552, text: 'too much for us' });
  const first = await askEnvelope(here, { to: [ann, eve] });
  const taken = await askContent(here, message, { to: [ann] }, first);
  expect(taken.decision?.action).toBe(Action.ACCEPT);
});

test('a thousand rules of a tenant do not hold up a thousand recipients', async () => {
  const rules = Array.from({ length: 1_000 }, (_none, index) => ({ ...reject, when: `message.size > ${index}` }));
  const here = groundOf({ tenantRules: { t2: rules } });
  const to = Array.from({ length: 1_000 }, (_none, index) =>
    index % 2 === 0 ? { address: `u${index}@far.test`, tenant: '' } : { address: `u${index}@two.test`, tenant: 't2' },
  );
  const { recipients } = await askEnvelope(here, { to });
  expect(here.observed.filter((one) => one === 'apart unfinished')).toEqual([]);
  expect(recipients).toHaveLength(1_000);
});
