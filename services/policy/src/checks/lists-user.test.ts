// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { RecipientEntry, RecipientKind } from '@postern/proto/directory/v1/recipient';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import type { Directory } from '../directory/directory.js';
import { askEnvelope, ground, settings } from '../testing/ground.js';
import { alias, known, spellings, userWorld } from '../testing/user-world.js';

const texts: Readonly<Record<string, string>> = {
  'blocks@here.test': '{"lists":{"block":["sender.test"]}}',
  'allows@here.test': '{"lists":{"allow":["sender.test"]}}',
  'plain@here.test': '',
  'broken@here.test': '{"spf":{"enabled":false}}',
};
const directory: Directory = {
  lookup: (address) => ({
    kind: 'found',
    entry: RecipientEntry.fromPartial({
      address,
      tenant: 't1',
      kind: RecipientKind.USER,
      enabled: true,
      checks: texts[address] ?? '',
    }),
  }),
};

test('each recipient says for itself; a block is one recipient refused, an allow spares the greylist', async () => {
  const snapshot = { ...settings({ greylist: {} }), usersSetChecks: true };
  const greylist = { ask: async () => ({ outcome: 'new' as const, waitMs: 60_000 }) };
  const verdict = await askEnvelope(ground({ snapshot, directory, tools: { greylist } }), { to: Object.keys(texts) });
  const said = verdict.recipients.map(({ address, decision }) => [address, decision?.action, decision?.decidedBy]);
  expect(said).toEqual([
    ['blocks@here.test', Action.REJECT, 'lists_user'],
    ['allows@here.test', Action.ACCEPT, ''],
    ['plain@here.test', Action.TEMPFAIL, 'greylist'],
    ['broken@here.test', Action.TEMPFAIL, 'greylist'],
  ]);
});

test('where no user set anything the directory is not asked for it', async () => {
  const here = ground({ snapshot: settings({}), directory });
  await askEnvelope(here, { to: ['blocks@here.test'] });
  expect(here.observed).toEqual(['recipients exists']);
});

test.each(spellings)("mail to %s meets the user's list by reverse-path: %s", async (address, isRefused) => {
  const [said] = (await askEnvelope(userWorld(), { to: [address] })).recipients;
  expect(said?.decision?.decidedBy).toBe(isRefused ? 'lists_user' : '');
});

const reject = { event: 'rcpt', then: [{ reject: { text: 'not to carol' } }] };

test.each(spellings)("mail to %s meets the user's rules: %s", async (address, isHers) => {
  const rules = Object.fromEntries(['carol', 'dave', 'ann'].map((user) => [`t1 ${user}@here.test`, [{ ...reject }]]));
  const [said] = (await askEnvelope(userWorld({}, { tenantRules: rules }), { from: 'a@plain.test', to: [address] }))
    .recipients;
  const isRule = said?.decision?.decidedBy.startsWith('user-') === true;
  expect(isRule).toBe(isHers && address !== 'two@here.test');
});

test("an alias in another domain has that domain's rules, and the user's", async () => {
  const tag = (name: string) => [{ event: 'rcpt', then: [{ tag: { name } }] }];
  const other = alias('info@other.test', 'carol@here.test');
  const at = ground({
    directory: {
      lookup: (address) => (address === other.address ? { kind: 'found', entry: other } : known.lookup(address)),
    },
    tenantRules: {
      ...{ t1: tag('tenant'), 't1 here.test': tag('here'), 't1 other.test': tag('other') },
      't1 carol@here.test': tag('carol'),
    },
    snapshot: {
      domains: ['here.test', 'other.test'].map((name) => ({ name, tenant: 't1', validateRecipients: true })),
    },
  });
  const tags = async (address: string) =>
    (await askEnvelope(at, { to: [address] })).findings.flatMap(({ evidence }) => evidence.name ?? []);
  expect(await tags('info@other.test')).toEqual(['tenant', 'other', 'carol']);
  expect(await tags('Carol+x@here.test')).toEqual(['tenant', 'here', 'carol']);
});

test.each([
  ['nobody@here.test', ''],
  ['Carol+x@here.test', 'lists_user'],
])('in a domain that takes any recipient %s is decided by: %s', async (address, decidedBy) => {
  const open = { name: 'here.test', tenant: 't1', validateRecipients: false, catchAll: 'carol@here.test' };
  const at = ground({ directory: known, snapshot: { ...settings({}), usersSetChecks: true, domains: [open] } });
  const [said] = (await askEnvelope(at, { to: [address] })).recipients;
  expect(said?.decision?.decidedBy).toBe(decidedBy);
});
