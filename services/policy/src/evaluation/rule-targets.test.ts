// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
/** Recipients that rules name are looked up as RCPT looks them up. */
import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askEnvelope, ground, memoryDirectory } from '../testing/ground.js';

const snapshot = {
  tenants: [{ name: 't1' }, { name: 't2' }],
  domains: [
    { name: 'acme.test', tenant: 't1', validateRecipients: true, nextHop: 'sink' },
    { name: 'all.test', tenant: 't1', validateRecipients: true, nextHop: 'sink', catchAll: 'bob@acme.test' },
    { name: 'open.test', tenant: 't1', validateRecipients: false, nextHop: 'sink' },
    { name: 'beta.test', tenant: 't2', validateRecipients: true, nextHop: 'sink' },
  ],
};
const entries = {
  'vip@acme.test': 'user',
  'bob@acme.test': 'user',
  'former@acme.test': 'disabled',
  'info@acme.test': ['bob@acme.test', 'out@far.test'],
  'gone@acme.test': ['former@acme.test'],
  'eve@beta.test': 'user',
} as const;

const rule = (kind: 'redirect' | 'addRecipient', address: string) => ({
  event: 'rcpt',
  then: [{ [kind]: { address } }],
});

async function told(by: object, directory = memoryDirectory(entries)) {
  const verdict = await askEnvelope(ground({ snapshot, directory, ...by }), { to: ['vip@acme.test'] });
  const [recipient] = verdict.recipients;
  const { decision, expandsTo } = recipient ?? {};
  const noCopy = verdict.findings.filter(({ action }) => action === 'no copy').map(({ outcome }) => outcome);
  return { code: decision?.replyCode, action: decision?.action, expandsTo, noCopy };
}

test.each<[string, number | readonly string[]]>([
  ['bob@acme.test', ['bob@acme.test']],
  ['bob+tag@acme.test', ['bob+tag@acme.test']],
  ['info@acme.test', ['bob@acme.test', 'out@far.test']],
  ['any@all.test', ['bob@acme.test']],
  ['any@open.test', ['any@open.test']],
  ['out@far.test', ['out@far.test']],
  ['nosuch@acme.test', 550],
  ['former@acme.test', 550],
  ['gone@acme.test', 550],
  ['eve@beta.test', 550],
  ['nosuch@beta.test', 550],
])('a redirect of a tenant to %s: %j', async (address, wanted) => {
  const { code, action, expandsTo } = await told({ tenantRules: { t1: [rule('redirect', address)] } });
  if (typeof wanted === 'number') expect([action, code]).toEqual([Action.REJECT, wanted]);
  else expect([action, expandsTo]).toEqual([Action.ACCEPT, wanted]);
});

test.each<[string, readonly string[], readonly string[]]>([
  ['info@acme.test', ['vip@acme.test', 'bob@acme.test', 'out@far.test'], []],
  ['out@far.test', ['vip@acme.test', 'out@far.test'], []],
  ['nosuch@acme.test', [], ['unknown']],
  ['former@acme.test', [], ['disabled']],
  ['eve@beta.test', [], ['foreign']],
])('a copy of a tenant for %s: the mail goes to %j', async (address, wanted, missed) => {
  const { action, expandsTo, noCopy } = await told({ tenantRules: { t1: [rule('addRecipient', address)] } });
  expect([action, expandsTo, noCopy]).toEqual([Action.ACCEPT, wanted, missed]);
});

test('the operator may lead to any tenant, not to who is not there', async () => {
  expect((await told({ rules: [rule('redirect', 'eve@beta.test')] })).expandsTo).toEqual(['eve@beta.test']);
  expect(await told({ rules: [rule('redirect', 'nosuch@beta.test')] })).toMatchObject({ action: Action.REJECT });
});

test.each(['redirect', 'addRecipient'] as const)('%s while the directory is away waits', async (kind) => {
  const known = memoryDirectory(entries);
  const away = {
    lookup: (address: string) =>
      address === 'bob@acme.test' ? ({ kind: 'unavailable', reason: 'away' } as const) : known.lookup(address),
  };
  const { code, action } = await told({ tenantRules: { t1: [rule(kind, 'bob@acme.test')] } }, away);
  expect([action, code]).toEqual([Action.TEMPFAIL, 451]);
});

test('the last of two redirects is looked up', async () => {
  const rules = [rule('redirect', 'nosuch@acme.test'), rule('redirect', 'bob@acme.test')];
  expect(await told({ tenantRules: { t1: rules } })).toMatchObject({
    action: Action.ACCEPT,
    expandsTo: ['bob@acme.test'],
  });
});
