/** Invariant 6, for verdicts: what is decided about a tenant's recipient is the same whatever another tenant sets, writes as rules, or lets its users list. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { Action, type EvaluateResponse } from '@postern/proto/policy/v1/policy_service';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { askContent, askEnvelope, type Described, type GroundOptions, ground, settings } from '../testing/ground.js';
import { actionName, isRefusal } from '../verdict/decision.js';

const zone = {
  'sender.test': { TXT: ['v=spf1 -all'] },
  '10.2.0.192.bl.test': { A: ['127.0.0.2'] },
  'links.test.uri.test': { A: ['127.0.0.2'] },
} as const;
const both = ['user@here.test', 'other@here.test'];
const own: Described = { to: both, helo: 'bare' };

/** Of the operator: each is in force or not. */
const checks: readonly (readonly [string, object])[] = [
  ['dnsbl', { zones: ['bl.test'], selfTest: false }],
  ['ptr', {}],
  ['helo', {}],
  ['spf', {}],
  ['sender', {}],
  ['greylist', {}],
  ['uribl', { zones: ['uri.test'], selfTest: false }],
];
const actions = ['mark', 'tag', 'quarantine', 'reject'] as const;
const entries = ['192.0.2.10', 'a@sender.test', 'elsewhere.test'] as const;
const rules = [
  { event: 'connect', then: [{ accept: {} }] },
  { event: 'connect', then: [{ run: { check: 'spf' } }] },
  { event: 'mail', then: [{ accept: {} }] },
  { event: 'mail', answer: 'at-rcpt', when: 'spf.result == "fail"', then: [{ reject: { text: 'rule of mail' } }] },
  { event: 'rcpt', when: 'recipient.user == "user"', then: [{ skip: { check: 'dnsbl' } }] },
  { event: 'rcpt', when: 'recipient.user == "user"', then: [{ accept: {} }] },
  { event: 'rcpt', when: 'recipient.user == "user"', then: [{ redirect: { address: 'x@here.test' } }] },
  { event: 'rcpt', when: 'recipient.user == "user"', then: [{ reject: { text: 'rule of rcpt' } }] },
] as const;

const operator = fc.record({
  checks: fc.uniqueArray(
    fc.tuple(fc.constantFrom(...checks), fc.constantFrom(...actions), fc.constantFrom('tighten', 'anything')),
    { selector: ([[name]]) => name, maxLength: checks.length },
  ),
  allow: fc.subarray([...entries]),
  block: fc.subarray([...entries]),
  rules: fc.subarray([...rules]),
});

type Operator = typeof operator extends fc.Arbitrary<infer T> ? T : never;

/** Of somebody else. */
const others: Readonly<Record<string, object>> = {
  'a consequence of its own': { checks: '{"spf":{"onSoftfail":"tag"}}' },
  'an allow list': { checks: '{"lists":{"allow":["192.0.2.10","sender.test"]}}' },
  'rules that skip': { ruleActions: ['skip', 'accept'] },
};

function groundOf({ checks: set, allow, block, rules: list }: Operator, other: string | undefined): GroundOptions {
  const made = settings({
    ...Object.fromEntries(set.map(([[name, fields], onFail, tenantsMay]) => [name, { ...fields, onFail, tenantsMay }])),
    lists: { allow, block },
  });
  return {
    zone,
    rules: list,
    entries: { 'user@here.test': 'user', 'other@here.test': 'user' },
    tenantRules: other === 'rules that skip' ? { t2: [{ event: 'rcpt', then: [{ skip: { check: 'spf' } }] }] } : {},
    snapshot: {
      ...made,
      usersSetChecks: other === 'lists of its users',
      tenants: [{ name: 't1' }, { name: 't2', ...(other === undefined ? {} : others[other]) }],
      domains: [
        { name: 'here.test', tenant: 't1', validateRecipients: true },
        { name: 'there.test', tenant: 't2', validateRecipients: true },
      ],
    },
  };
}

/** What a recipient's mail has come to, told of the whole or of it alone. */
function told({ decision, recipients, groups }: EvaluateResponse, address: string): string {
  const mine =
    groups.find((group) => group.recipients.includes(address))?.decision ??
    recipients.find((one) => one.address === address)?.decision;
  const all = [decision, mine].filter((one) => one !== undefined);
  const refusal = all.find(({ action }) => isRefusal(action));
  if (refusal !== undefined)
    return `${actionName(refusal.action)} ${refusal.replyCode} ${refusal.text} ${refusal.decidedBy}`;
  // Where two checks keep it, either may be named.
  return all.some(({ action }) => action === Action.QUARANTINE) ? 'kept' : 'taken';
}

async function verdicts(set: Operator, other?: string): Promise<readonly string[]> {
  const options = groundOf(set, other);
  const tools = { greylist: { ask: async () => ({ outcome: 'new' as const, waitMs: 1_000 }) } };
  const here = ground({ ...options, tools });
  expect(here.faults).toEqual([]);
  const envelope = await askEnvelope(here, own);
  const said = both.map((address) => told(envelope, address));
  const to = both.filter((_address, index) => !/^(reject|tempfail)/.test(said[index] ?? ''));
  if (to.length === 0) return said;
  const end = await askContent(here, 'From: a@sender.test\n\nhttp://links.test/\n', { ...own, to }, envelope);
  const tags = end.groups.flatMap(({ rendering }) => rendering?.tags ?? []).toSorted();
  return [...said, ...to.map((address) => `${address} ${told(end, address)}`), [...new Set(tags)].join(' ')];
}

test.each([...Object.keys(others), 'lists of its users'])('another tenant has %s', async (other) => {
  await fc.assert(
    fc.asyncProperty(operator, async (set) => {
      expect(await verdicts(set, other)).toEqual(await verdicts(set));
    }),
    { numRuns: 150 },
  );
});
