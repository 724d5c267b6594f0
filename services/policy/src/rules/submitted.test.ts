// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
/** Whose rules speak about mail that is submitted here and stays here: those of who sends and those of who receives, each for itself alone. */
import { Action } from '@postern/proto/policy/v1/policy_service';
import { describe, expect, test } from 'vitest';
import { askContent, askEnvelope, ground } from '../testing/ground.js';

const reject = (text: string, event = 'rcpt', when?: string) => ({
  event,
  ...(when === undefined ? {} : { when }),
  then: [{ reject: { code: 550, text } }],
});
const accept = { event: 'rcpt', then: [{ accept: {} }] };

const snapshot = {
  tenants: [
    { name: 't1', ruleActions: ['accept', 'skip'] },
    { name: 't2', ruleActions: ['accept', 'skip'] },
  ],
  domains: [
    { name: 'acme.test', tenant: 't1', validateRecipients: true, nextHop: 'sink' },
    { name: 'acme2.test', tenant: 't1', validateRecipients: true, nextHop: 'sink' },
    { name: 'beta.test', tenant: 't2', validateRecipients: true, nextHop: 'sink' },
  ],
};
const entries = { 'vip@acme.test': 'user', 'vip@acme2.test': 'user', 'bob@beta.test': 'user' } as const;
const vip = { address: 'vip@acme.test', tenant: 't1' };
const second = { address: 'vip@acme2.test', tenant: 't1' };
const bob = { address: 'bob@beta.test', tenant: 't2' };
const nobody = { address: 'nobody@beta.test', tenant: 't2' };
const outside = { address: 'x@foreign.test', tenant: 't1', relay: true };
const login = { user: 'alice@acme.test', tenant: 't1', role: 'submission' };

const here = (tenantRules: Readonly<Record<string, readonly object[]>>) => ground({ snapshot, entries, tenantRules });

async function refusedBy(tenantRules: Readonly<Record<string, readonly object[]>>, to: typeof vip, session = {}) {
  const verdict = await askEnvelope(here(tenantRules), { ...login, to: [to], ...session });
  const [decision] = verdict.recipients.map((one) => one.decision);
  return decision?.action === Action.REJECT ? decision.decidedBy : '';
}

describe.each([
  ['tenant', 't1'],
  ['domain', 't1 acme.test'],
  ['user', 't1 alice@acme.test'],
])("a rule of the sender's %s", (scope, owner) => {
  test.each([vip, second, bob, outside])('speaks about mail to %o', async (to) => {
    expect(await refusedBy({ [owner]: [reject('no')] }, to)).toBe(`${scope}-1@3`);
  });

  test('speaks about the content of mail to another tenant', async () => {
    const at = here({ [owner]: [reject('no', 'headers', 'headers.has("x-secret")')] });
    const before = await askEnvelope(at, { ...login, to: [bob] });
    const verdict = await askContent(at, 'X-Secret: 1\n\nbody\n', { ...login, to: [bob] }, before);
    expect(verdict.decision).toMatchObject({ action: Action.REJECT, decidedBy: `${scope}-1@3` });
  });
});

test("rules of both ends are asked, the outer before the inner; the recipient's still tighten", async () => {
  const both = { t1: [reject('t1', 'rcpt', 'sender.user == "never"')], 't2 beta.test': [reject('beta')] };
  expect(await refusedBy(both, bob)).toBe('domain-1@3');
  expect(await refusedBy({ 't1 alice@acme.test': [reject('user')], t2: [reject('tenant')] }, bob)).toBe('tenant-1@3');
});

test("what the sender's rule loosens does not open another's door", async () => {
  expect(await refusedBy({ t1: [accept] }, nobody)).toBe('recipients');
  const skip = { event: 'rcpt', then: [{ skip: { check: 'recipients' } }] };
  expect(await refusedBy({ t1: [skip] }, nobody)).toBe('recipients');
  const gone = { address: 'gone@acme2.test', tenant: 't1' };
  expect(await refusedBy({ 't1 acme.test': [accept] }, gone)).toBe('recipients');
  expect(await refusedBy({ t1: [accept] }, gone)).toBe('');
});

test('a sender from outside has no rules here, whatever it calls itself', async () => {
  const stranger = { user: '', tenant: '', role: 'mx', relayRight: false, from: 'alice@acme.test' };
  expect(await refusedBy({ t1: [reject('no')], 't1 alice@acme.test': [reject('no')] }, bob, stranger)).toBe('');
});

test('a copy for the archive is made of mail to another tenant too', async () => {
  const copy = { event: 'rcpt', then: [{ addRecipient: { address: 'vip@acme.test' } }] };
  const verdict = await askEnvelope(here({ t1: [copy] }), { ...login, to: [bob] });
  expect(verdict.recipients[0]?.expandsTo).toEqual(['bob@beta.test', 'vip@acme.test']);
});
