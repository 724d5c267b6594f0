/** What tenants and domains set differently: stricter for their own recipients, looser only where the operator allows. */
import { systemClock } from '@postern/clock';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import type { CheckTools } from './check-tools.js';
import { askEnvelope, ground, settings } from './testing/ground.js';

const zone = {
  'sender.test': { TXT: ['v=spf1 -all'] },
  '10.2.0.192.bl.test': { A: ['127.0.0.2'] },
  '10.2.0.192.own.test': { A: ['127.0.0.2'] },
} as const;
const to = ['u@one.test', { address: 'u@two.test', tenant: 't2' }];

function here(operator: Readonly<Record<string, object>>, tenantTwo: object, domainTwo: object = {}) {
  const write = (patch: object): string => (Object.keys(patch).length === 0 ? '' : JSON.stringify(patch));
  return ground({
    zone,
    entries: { 'u@one.test': 'user', 'u@two.test': 'user' },
    snapshot: {
      ...settings(operator),
      tenants: [{ name: 't1' }, { name: 't2', checks: write(tenantTwo) }],
      domains: [
        { name: 'one.test', tenant: 't1', validateRecipients: false, nextHop: 'sink' },
        { name: 'two.test', tenant: 't2', validateRecipients: false, nextHop: 'sink', checks: write(domainTwo) },
      ],
    },
  });
}
const bl = { zones: ['bl.test'], selfTest: false };

test.each<[string, Readonly<Record<string, object>>, object, object, readonly Action[]]>([
  ['a stricter consequence', { spf: {} }, { spf: { onFail: 'reject' } }, {}, [Action.ACCEPT, Action.REJECT]],
  ['by the domain', { spf: {} }, {}, { spf: { onFail: 'reject' } }, [Action.ACCEPT, Action.REJECT]],
  [
    'the domain over its tenant',
    { spf: {} },
    { spf: { onFail: 'tag' } },
    { spf: { onFail: 'reject' } },
    [Action.ACCEPT, Action.REJECT],
  ],
  [
    'a check of its own',
    {},
    { dnsbl: { enabled: true, zones: ['own.test'], selfTest: false } },
    {},
    [Action.ACCEPT, Action.REJECT],
  ],
  ['an allow list', { dnsbl: bl }, { lists: { allow: ['sender.test'] } }, {}, [Action.REJECT, Action.ACCEPT]],
  ['a block list', {}, { lists: { block: ['sender.test'] } }, {}, [Action.ACCEPT, Action.REJECT]],
  [
    'own lists that are off',
    {},
    { lists: { enabled: false, block: ['sender.test'] } },
    {},
    [Action.ACCEPT, Action.ACCEPT],
  ],
  [
    'a list of the operator over lists that are off',
    { lists: { block: ['sender.test'] } },
    { lists: { enabled: false } },
    {},
    [Action.REJECT, Action.REJECT],
  ],
  [
    'looser where allowed',
    { dnsbl: { ...bl, tenantsMay: 'anything' } },
    { dnsbl: { onFail: 'mark' } },
    {},
    [Action.REJECT, Action.ACCEPT],
  ],
  [
    'looser authentication where allowed',
    { spf: { onFail: 'reject', tenantsMay: 'anything' } },
    { spf: { onFail: 'mark' } },
    {},
    [Action.REJECT, Action.ACCEPT],
  ],
])('%s', async (_what, operator, tenant, domain, actions) => {
  const verdict = await askEnvelope(here(operator, tenant, domain), { to });
  expect(verdict.decision?.action).toBe(Action.ACCEPT);
  expect(verdict.recipients.map(({ decision }) => decision?.action)).toEqual(actions);
});

test('looser where it is not allowed stays as the operator set it, and is told', async () => {
  const at = here({ spf: { onFail: 'reject' } }, { spf: { onFail: 'mark' } });
  expect(at.faults[0]).toContain('only a stricter onFail is allowed');
  const { recipients } = await askEnvelope(at, { to });
  expect(recipients.map(({ decision }) => decision?.action)).toEqual([Action.REJECT, Action.REJECT]);
});

test('the same question is not asked twice', async () => {
  const at = here({ spf: {} }, { spf: { onFail: 'reject' } });
  await askEnvelope(at, { to });
  expect(at.observed.filter((one) => one.startsWith('spf'))).toHaveLength(1);
});

test('a check of the operator takes from a tenant what conflicts with it and nothing else', async () => {
  const tenant = {
    spf: { onFail: 'reject' },
    dnsbl: { enabled: true, zones: ['own.test'], selfTest: false },
  };
  const at = here({ spf: {}, dnsbl: { ...bl, onFail: 'mark' } }, tenant);
  expect(at.faults).toEqual([expect.stringMatching(/^t2 dnsbl\.zones: /)]);
  const { recipients } = await askEnvelope(at, { to });
  expect(recipients.map(({ decision }) => decision?.action)).toEqual([Action.ACCEPT, Action.REJECT]);
});

const silent = () => new Promise<never>(() => undefined);

test.each<[string, Partial<CheckTools>, readonly string[]]>([
  ['callforward', { callForward: { ask: silent } }, ['unavailable', 'unavailable']],
  ['greylist', { greylist: { ask: silent } }, ['unavailable', 'unavailable_defer']],
])('%s waits for each recipient as long as its own domain says', async (check, tools, outcomes) => {
  const own = { timeout: '100ms', ...(check === 'greylist' ? { whenAway: 'defer' } : {}) };
  const at = ground({
    ...{ tools, clock: systemClock, entries: {} },
    snapshot: {
      ...settings({ [check]: { timeout: '600ms', tenantsMay: 'anything' } }),
      tenants: [{ name: 't1' }, { name: 't2' }],
      domains: [
        { name: 'one.test', tenant: 't1', validateRecipients: false, nextHop: 'sink' },
        { name: 'two.test', tenant: 't2', validateRecipients: false, checks: JSON.stringify({ [check]: own }) },
      ],
    },
  });
  const { findings } = await askEnvelope(at, { to });
  expect(at.faults).toEqual([]);
  const found = findings.filter((finding) => finding.check === check);
  expect(found.map(({ recipient, outcome }) => [recipient, outcome])).toEqual([
    ['u@one.test', outcomes[0]],
    ['u@two.test', outcomes[1]],
  ]);
  const [waited = 0, waitedOfOwn = 0] = found.map(({ durationUs }) => durationUs / 1_000);
  expect(waited).toBeGreaterThanOrEqual(595);
  expect(waitedOfOwn).toBeLessThan(400);
});
