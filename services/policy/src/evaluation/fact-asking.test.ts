// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
/** A condition that names what a check finds out has the check made, whoever has it off; for nobody else, and without its consequence. */
import { Action, Stage } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, askEnvelope, type Described, ground, settings } from '../testing/ground.js';

const zone = {
  'sender.test': { TXT: ['v=spf1 ip4:192.0.2.10 -all'] },
  '10.2.0.192.in-addr.arpa': { PTR: ['client.test'] },
  'client.test': { A: ['192.0.2.10'] },
  '10.2.0.192.own.test': { A: ['127.0.0.2'] },
} as const;
const reject = (when: string, event = 'rcpt') => ({ event, when, then: [{ reject: { code: 550, text: 'no' } }] });
const domains = [
  { name: 'one.test', tenant: 't1', validateRecipients: true, nextHop: 'sink' },
  { name: 'two.test', tenant: 't2', validateRecipients: true, nextHop: 'sink' },
];
const entries = { 'u@one.test': 'user', 'u@two.test': 'user' } as const;
const two = { address: 'u@two.test', tenant: 't2' };
const country = { of: () => 'US' };

interface Case {
  readonly rules?: readonly object[];
  readonly tenantRules?: Readonly<Record<string, readonly object[]>>;
  readonly operator?: Readonly<Record<string, object>>;
  readonly tenant?: object;
}

const here = ({ rules = [], tenantRules = {}, operator = {}, tenant = {} }: Case) =>
  ground({
    ...{ zone, entries, rules, tenantRules },
    tools: { country },
    snapshot: {
      ...settings(operator),
      tenants: [{ name: 't1', checks: JSON.stringify(tenant) }, { name: 't2' }],
      domains,
    },
  });

async function answered(at: ReturnType<typeof here>, described: Described = { to: ['u@one.test'] }) {
  const verdict = await askEnvelope(at, described);
  const [first] = verdict.recipients;
  const action = verdict.decision?.action === Action.ACCEPT ? first?.decision?.action : verdict.decision?.action;
  return { refused: action === Action.REJECT, verdict };
}

test.each<[string, boolean]>([
  ['!(country in ["US", "DE"])', false],
  ['country == "US"', true],
  ['spf.result != "pass"', false],
  ['spf.result == "pass"', true],
  ['ptr == ""', false],
  ['ptr == "client.test"', true],
])('%s: %s, with every check off', async (when, refused) => {
  for (const by of [{ rules: [reject(when)] }, { tenantRules: { t1: [reject(when)] } }]) {
    const at = here(by);
    expect((await answered(at)).refused).toBe(refused);
    const login = { user: 'u@one.test', tenant: 't1', role: 'submission', to: ['u@one.test'] };
    expect((await answered(at, login)).refused).toBe(refused);
  }
});

test('of a tenant that has the check on by itself', async () => {
  const dnsbl = { enabled: true, zones: ['own.test'], selfTest: false, onFail: 'mark' };
  const at = here({ tenant: { dnsbl }, tenantRules: { t1: [reject('dnsbl.listed && "own.test" in dnsbl.zones')] } });
  expect((await answered(at)).refused).toBe(true);
  const blocked = { enabled: true, block: ['KP'], onFail: 'mark' };
  const inUs = here({ tenant: { country: blocked }, tenantRules: { t1: [reject('!(country in ["US", "DE"])')] } });
  const { refused, verdict } = await answered(inUs);
  expect(refused).toBe(false);
  expect(verdict.findings.filter(({ check }) => check === 'country')).toMatchObject([
    { recipient: 'u@one.test', action: 'mark', evidence: { country: 'US' } },
  ]);
});

test('an operator asks each by the settings of its own domain', async () => {
  const dnsbl = { enabled: true, zones: ['own.test'], selfTest: false, onFail: 'mark' };
  const at = here({
    tenant: { dnsbl },
    operator: { dnsbl: { zones: ['bl.test'], selfTest: false, tenantsMay: 'anything' } },
    rules: [reject('dnsbl.listed')],
  });
  const verdict = await askEnvelope(at, { to: ['u@one.test', two] });
  expect(verdict.recipients.map(({ decision }) => decision?.action)).toEqual([Action.REJECT, Action.ACCEPT]);
});

test('what is asked for a condition refuses nobody, and is asked for nobody else', async () => {
  const failing = { from: 'a@sender.test', client: '192.0.2.99' };
  const at = here({ operator: {}, tenantRules: { t1: [{ ...reject('spf.result == "none"') }] } });
  const { refused, verdict } = await answered(at, { ...failing, to: ['u@one.test'] });
  expect(refused).toBe(false);
  expect(verdict.findings.filter(({ check }) => check === 'spf')).toMatchObject([{ outcome: 'fail', action: 'asked' }]);
  const other = await answered(at, { ...failing, to: [two] });
  expect(other.verdict.findings.filter(({ check }) => check === 'spf')).toEqual([]);
});

test('a rule that runs the same check still has its consequence', async () => {
  const run = { event: 'rcpt', when: 'spf.result == "fail"', then: [{ run: { check: 'spf' } }] };
  const at = ground({
    ...{ zone, entries, rules: [run] },
    snapshot: { checks: { document: JSON.stringify({ spf: { enabled: false, onFail: 'reject' } }) }, domains },
  });
  expect((await answered(at, { client: '192.0.2.99', to: ['u@one.test'] })).refused).toBe(true);
});

test('at connect and mail for the operator, at once', async () => {
  expect((await answered(here({ rules: [reject('country == "US"', 'connect')] }))).refused).toBe(true);
  expect((await answered(here({ rules: [reject('country != "US"', 'connect')] }))).refused).toBe(false);
  expect((await answered(here({ rules: [reject('spf.result != "pass"', 'mail')] }))).refused).toBe(false);
});

test('rules about the content know what was asked at RCPT, and have signatures verified', async () => {
  const at = here({ tenantRules: { t1: [reject('country == "US" && dkim.result == "none"', 'body')] } });
  const before = await askEnvelope(at, { to: ['u@one.test'] });
  expect(before.findings.map(({ check }) => check)).toContain('country');
  const after = await askContent(at, 'From: a@sender.test\n\nhello\n', { to: ['u@one.test'] }, before);
  expect(after.decision?.action).toBe(Action.REJECT);
  expect(after.findings.find(({ check }) => check === 'dkim')).toMatchObject({
    outcome: 'none',
    action: 'asked',
    stage: Stage.BODY,
  });
});

test('without such a rule nothing is asked', async () => {
  const at = here({ rules: [reject('sender.domain == "never.test"')] });
  await answered(at);
  expect(at.observed).toEqual([expect.stringMatching(/^recipients/)]);
});
