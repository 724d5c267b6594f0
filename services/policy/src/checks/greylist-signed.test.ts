/** Greylisting by the signer of the message, over a real Redis: asked at the end of data, and only where SPF does not tell the origin. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { Action, ContentPlan } from '@postern/proto/policy/v1/policy_service';
import { withRedis } from '@postern/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type GreylistStore, redisGreylist } from '../greylist/greylist-store.js';
import { askContent, askEnvelope, type Described, ground, settings } from '../testing/ground.js';
import { dkimZone, plain, signedMessage } from '../testing/signed-message.js';

const redis = withRedis();
let client: Redis;
let greylist: GreylistStore;
beforeAll(async () => {
  client = new Redis(redis.url, { maxRetriesPerRequest: 0 });
  await client.ping();
  greylist = redisGreylist(client, () => undefined);
});
afterAll(() => client.disconnect());

async function ask(message: string, described: Described, own: object = {}, zone: object = dkimZone) {
  const snapshot = settings({ spf: {}, greylist: { delay: 0, signature: true, ...own } });
  const here = ground({ zone: { ...dkimZone, ...zone }, snapshot, tools: { greylist } });
  const before = await askEnvelope(here, described);
  const after = await askContent(here, message, described, before);
  const seen = [...before.findings, ...after.findings].find(({ check }) => check.startsWith('greylist'));
  return { plan: before.contentPlan, rcpt: before.recipients[0]?.decision?.action, seen, end: after.decision };
}

test('a signer is one origin, whatever address it sends from', async () => {
  const from = 'one@sender.test';
  const first = await ask(signedMessage, { from });
  expect(first).toMatchObject({ plan: ContentPlan.BODY, rcpt: Action.ACCEPT });
  expect(first.seen).toMatchObject({ check: 'greylist_signed', outcome: 'new', evidence: { origin: 'sender.test' } });
  expect(first.end).toMatchObject({ action: Action.TEMPFAIL, replyCode: 451, enhancedCode: '4.7.1' });
  const second = await ask(signedMessage, { from, client: '198.51.100.7' });
  expect(second.seen).toMatchObject({ outcome: 'passed' });
  expect(second.end?.action).toBe(Action.ACCEPT);
});

test.each([
  ['without a signature', plain],
  ['with a broken one', signedMessage.replace('body', 'other')],
])('%s the network is the origin', async (what, message) => {
  const from = `${what.replaceAll(' ', '-')}@sender.test`;
  expect((await ask(message, { from })).seen).toMatchObject({ outcome: 'new', evidence: { origin: '192.0.2.0/24' } });
  expect((await ask(message, { from, client: '198.51.100.7' })).seen?.outcome).toBe('new');
  expect((await ask(message, { from, client: '192.0.2.99' })).seen?.outcome).toBe('passed');
});

test('where SPF passed, RCPT is asked as ever', async () => {
  const zone = { 'sender.test': { TXT: ['v=spf1 ip4:192.0.2.0/24 -all'] } };
  const first = await ask(signedMessage, { from: 'spf@sender.test' }, {}, zone);
  expect(first).toMatchObject({ rcpt: Action.TEMPFAIL, seen: { check: 'greylist', outcome: 'new' } });
});

test('without the setting nothing waits for the message', async () => {
  const first = await ask(signedMessage, { from: 'off@sender.test' }, { signature: false });
  expect(first).toMatchObject({ plan: ContentPlan.HEADERS, rcpt: Action.TEMPFAIL, seen: { check: 'greylist' } });
});

test('a key that does not come is no way around', async () => {
  const zone = { 's1._domainkey.sender.test': 'timeout' };
  const seen = (await ask(signedMessage, { from: 'slow@sender.test' }, {}, zone)).seen;
  expect(seen).toMatchObject({ outcome: 'new', evidence: { origin: '192.0.2.0/24' } });
});

test('one recipient that is new holds up the message, and whoever is on an allow list is spared', async () => {
  const from = 'two@sender.test';
  const both = { from, to: ['user@here.test', 'other@here.test'] };
  await ask(signedMessage, { from });
  expect((await ask(signedMessage, both)).end?.action).toBe(Action.TEMPFAIL);
  expect((await ask(signedMessage, both)).end?.action).toBe(Action.ACCEPT);
  const snapshot = settings({ greylist: { delay: 0, signature: true }, lists: { allow: ['sender.test'] } });
  const here = ground({ zone: dkimZone, snapshot, tools: { greylist } });
  const before = await askEnvelope(here, { from: 'allowed@sender.test' });
  const after = await askContent(here, signedMessage, { from: 'allowed@sender.test' }, before);
  expect(after.findings.find(({ check }) => check === 'greylist_signed')).toMatchObject({ action: 'spared' });
  expect(after.decision?.action).toBe(Action.ACCEPT);
});

test('a rule that skips greylisting skips it at the end of data too', async () => {
  const snapshot = settings({ greylist: { delay: 0, signature: true } });
  const rules = [{ id: 'free', event: 'mail', when: 'true', then: [{ skip: { check: 'greylist' } }] }];
  const here = ground({ zone: dkimZone, snapshot, rules, tools: { greylist } });
  const before = await askEnvelope(here, { from: 'skipped@sender.test' });
  expect(before.contentPlan).toBe(ContentPlan.HEADERS);
  const after = await askContent(here, signedMessage, { from: 'skipped@sender.test' }, before);
  expect([before.recipients[0]?.decision?.action, after.decision?.action]).toEqual([Action.ACCEPT, Action.ACCEPT]);
});

const twoTenants = {
  domains: [
    { name: 'here.test', tenant: 't1', validateRecipients: true },
    { name: 'two.test', tenant: 't2', validateRecipients: true },
  ],
  tenants: [{ name: 't1', ruleActions: ['skip'] }],
};
const free = { event: 'rcpt', when: 'recipient.user != "strict"', then: [{ skip: { check: 'greylist' } }] };

async function askSparing(from: string, to: readonly { readonly address: string; readonly tenant: string }[]) {
  const entries = Object.fromEntries(to.map(({ address }) => [address, 'user' as const]));
  const snapshot = { ...settings({ greylist: { delay: 0, signature: true, autoAllow: 0 } }), ...twoTenants };
  const here = ground({ zone: dkimZone, snapshot, tenantRules: { t1: [free] }, entries, tools: { greylist } });
  const before = await askEnvelope(here, { from, to });
  const after = await askContent(here, signedMessage, { from, to }, before);
  expect(here.faults).toEqual([]);
  const seen = after.findings.filter(({ check, recipient }) => check === 'greylist_signed' && recipient !== '');
  return { end: after.decision, groups: after.groups, seen: seen.map(({ outcome, action }) => `${outcome} ${action}`) };
}

const mine = { address: 'user@here.test', tenant: 't1' };
const strict = { address: 'strict@here.test', tenant: 't1' };
const other = { address: 'user@two.test', tenant: 't2' };

test('a tenant that spares its recipient the greylist spares it at the end of data too; the check is made and told', async () => {
  const { end, seen } = await askSparing('inner@sender.test', [mine]);
  expect(end?.action).toBe(Action.ACCEPT);
  expect(seen).toEqual(['new spared']);
});

test('beside one that is not spared the message is held up as a whole, never kept for one of them', async () => {
  for (const rest of [strict, other]) {
    const from = `beside-${rest.tenant}-${rest.address.slice(0, 4)}@sender.test`;
    const first = await askSparing(from, [mine, rest]);
    expect(first.end).toMatchObject({ action: Action.TEMPFAIL, replyCode: 451, decidedBy: 'greylist_signed' });
    expect(first.groups).toEqual([]);
    expect((await askSparing(from, [mine, rest])).end?.action).toBe(Action.ACCEPT);
  }
});

test('what is new about a spared recipient holds up nobody', async () => {
  const from = 'known@sender.test';
  await askSparing(from, [strict]);
  expect((await askSparing(from, [strict])).end?.action).toBe(Action.ACCEPT);
  expect((await askSparing(from, [mine, strict])).end?.action).toBe(Action.ACCEPT);
});
