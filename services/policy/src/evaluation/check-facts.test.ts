// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
/** The outcome of every check is a fact: what the language says it may be is what the check says, and a rule about it finds it with the check off. */
import { Action } from '@postern/proto/policy/v1/policy_service';
import { checkOfFact, factEntry, factNames } from '@postern/rules';
import { expect, test } from 'vitest';
import { checks } from '../checks/index.js';
import { askContent, askEnvelope, type Described, ground } from '../testing/ground.js';

test('every check has a fact with its outcomes, from its own event on', () => {
  const facts = factNames().flatMap((name) => {
    const check = checkOfFact(name);
    const { values, since, type } = factEntry(name) ?? {};
    return check === undefined ? [] : [{ check, values: [...(values ?? [])].toSorted(), since, type }];
  });
  const known = checks.map(({ name, outcomes, stage }) => ({
    ...{ check: name, values: [...outcomes].toSorted(), since: stage, type: 'string' },
  }));
  expect(facts.toSorted((one, other) => one.check.localeCompare(other.check))).toEqual(
    known.toSorted((one, other) => one.check.localeCompare(other.check)),
  );
});

const zone = {
  'sender.test': { MX: [[10, 'mx.sender.test']], TXT: ['v=spf1 ip4:192.0.2.10 -all'] },
  '10.2.0.192.in-addr.arpa': { PTR: ['client.test'] },
  'client.test': { A: ['192.0.2.10'] },
  '10.2.0.192.bl.test': { A: ['127.0.0.2'] },
  '10.2.0.192.wl.test': { A: ['127.0.0.2'] },
  'bad.test.dbl.test': { A: ['127.0.0.2'] },
} as const;

const checkSettings = {
  spf: { enabled: false },
  dkim: { enabled: false },
  dmarc: { enabled: false },
  dnsbl: { enabled: false, zones: ['bl.test'], selfTest: false },
  dnswl: { enabled: false, zones: ['wl.test'], selfTest: false, skips: ['dnsbl'] },
  uribl: { enabled: false, zones: ['dbl.test'], selfTest: false },
  country: { enabled: false, block: ['US'] },
  lists: { enabled: false, allow: ['sender.test'] },
};

const here = (when: string, event: string) => {
  const rule = { event, when, then: [{ reject: { code: 550, text: 'found' } }] };
  return ground({
    zone,
    rules: [rule],
    snapshot: {
      checks: { document: JSON.stringify(checkSettings) },
      domains: [{ name: 'here.test', tenant: 't1', validateRecipients: true, nextHop: 'sink' }],
    },
    tools: {
      country: { of: () => 'US' },
      greylist: { ask: async () => ({ outcome: 'new', waitMs: 300_000 }) },
      callForward: { ask: async () => 'known' },
    },
  });
};

const login: Described = { user: 'user@here.test', tenant: 't1', role: 'submission', from: 'user@here.test' };
const message = 'From: a@sender.test\nSubject: hello\n\nsee http://bad.test/ for more\n';

async function isRefused(when: string, event: string, described: Described): Promise<boolean> {
  const at = here(when, event);
  const before = await askEnvelope(at, described);
  const early = before.recipients[0]?.decision?.action ?? before.decision?.action;
  expect(at.faults).toEqual([]);
  if (event !== 'headers' && event !== 'body') return early === Action.REJECT;
  expect(early).toBe(Action.ACCEPT);
  const after = await askContent(at, message, described, before);
  expect(at.faults).toEqual([]);
  return after.decision?.action === Action.REJECT;
}

test.each<[fact: string, event: string, value: string, Described?]>([
  ['check.dnswl', 'connect', 'listed'],
  ['check.country', 'connect', 'blocked'],
  ['check.dnsbl', 'connect', 'listed'],
  ['check.ptr', 'connect', 'confirmed'],
  ['check.helo', 'ehlo', 'bare', { helo: 'bare' }],
  ['check.lists', 'mail', 'allowed'],
  ['check.identity', 'mail', 'own', login],
  ['check.spf', 'mail', 'pass'],
  ['check.sender', 'mail', 'mx'],
  ['check.recipients', 'rcpt', 'exists'],
  ['check.callforward', 'rcpt', 'listed'],
  ['check.greylist', 'rcpt', 'new'],
  ['check.lists_from', 'headers', 'allowed'],
  ['check.author', 'headers', 'foreign', login],
  ['check.dkim', 'body', 'none'],
  ['check.domainkeys', 'body', 'none'],
  ['check.arc', 'body', 'none'],
  ['check.dmarc', 'body', 'none'],
  ['check.uribl', 'body', 'listed'],
  ['check.greylist', 'body', 'new'],
  ['check.helo', 'body', 'valid'],
])('%s at %s is %s, with the check off', async (fact, event, value, described = {}) => {
  expect(await isRefused(`${fact} == "${value}"`, event, described)).toBe(true);
  expect(await isRefused(`${fact} != "${value}"`, event, described)).toBe(false);
});

test('domains and lists of uribl', async () => {
  expect(await isRefused('"bad.test" in uribl.domains && "dbl.test" in uribl.zones', 'body', {})).toBe(true);
});

test('what is asked spares and settles nothing', async () => {
  const at = ground({
    zone,
    rules: [{ event: 'rcpt', when: 'check.dnswl != "listed" || check.lists != "allowed"', then: ['discard'] }],
    snapshot: {
      checks: {
        document: JSON.stringify({
          ...checkSettings,
          dnsbl: { ...checkSettings.dnsbl, enabled: true, onFail: 'reject' },
        }),
      },
    },
  });
  const { recipients, decision } = await askEnvelope(at);
  expect([decision?.action, ...recipients.map((one) => one.decision?.action)]).toContain(Action.REJECT);
});

test('greylisting tells one recipient from another', async () => {
  const at = ground({
    entries: { 'a@here.test': 'user', 'b@here.test': 'user' },
    rules: [
      { event: 'rcpt', when: 'check.greylist == "new"', then: [{ reject: { code: 550, text: 'new here' } }] },
      { event: 'body', when: 'check.greylist == "known" && message.size > 1', then: [{ tag: { name: 'known' } }] },
    ],
    tools: {
      greylist: {
        ask: async ({ recipient }) => ({ outcome: recipient.startsWith('a@') ? 'new' : 'known', waitMs: 0 }),
      },
    },
  });
  const { recipients } = await askEnvelope(at, { to: ['a@here.test', 'b@here.test'] });
  expect(recipients.map(({ decision }) => decision?.action)).toEqual([Action.REJECT, Action.ACCEPT]);
});

test('recipients whose facts make one refusal of content apart come apart', async () => {
  const at = ground({
    entries: { 'a@here.test': 'user', 'b@here.test': 'user' },
    rules: [
      {
        event: 'body',
        when: 'check.greylist == "new" && message.size > 1',
        then: [{ reject: { code: 550, text: 'no' } }],
      },
    ],
    tools: {
      greylist: {
        ask: async ({ recipient }) => ({ outcome: recipient.startsWith('a@') ? 'new' : 'known', waitMs: 0 }),
      },
    },
  });
  const { recipients } = await askEnvelope(at, { to: ['a@here.test', 'b@here.test'] });
  expect(recipients.map(({ decision }) => decision?.enhancedCode)).toEqual(['', '4.5.3']);
});

test('each recipient by the settings of its own domain', async () => {
  const at = ground({
    zone,
    entries: { 'u@one.test': 'user', 'u@two.test': 'user' },
    rules: [{ event: 'rcpt', when: 'check.lists == "blocked"', then: [{ reject: { code: 550, text: 'named' } }] }],
    snapshot: {
      checks: {
        document: JSON.stringify({ spf: { enabled: false }, lists: { enabled: true, tenantsMay: 'anything' } }),
      },
      tenants: [
        { name: 't1', checks: JSON.stringify({ lists: { block: ['sender.test'], onFail: 'mark' } }) },
        { name: 't2' },
      ],
      domains: [
        { name: 'one.test', tenant: 't1', validateRecipients: true, nextHop: 'sink' },
        { name: 'two.test', tenant: 't2', validateRecipients: true, nextHop: 'sink' },
      ],
    },
  });
  const { recipients } = await askEnvelope(at, { to: ['u@one.test', { address: 'u@two.test', tenant: 't2' }] });
  expect(recipients.map(({ decision }) => decision?.action)).toEqual([Action.REJECT, Action.ACCEPT]);
});
