// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { RecipientEntry, RecipientKind } from '@postern/proto/directory/v1/recipient';
import { Action, Stage } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, askEnvelope, type Described, ground, settings } from '../testing/ground.js';
import { isRefusal } from '../verdict/decision.js';

const lists = (block: string[], allow: string[] = []) => settings({ lists: { block, allow } });

test.each<[string, Described, string]>([
  ['a@sender.test', {}, 'blocked'],
  ['A@Sender.TEST', {}, 'blocked'],
  ['b@sender.test', {}, 'unlisted'],
  ['sender.test', {}, 'blocked'],
  ['sender.test', { from: 'a@sub.sender.test' }, 'blocked'],
  ['@sender.test', { from: 'a@sub.sender.test' }, 'unlisted'],
  ['test', {}, 'blocked'],
  ['ender.test', {}, 'unlisted'],
  ['192.0.2.0/24', {}, 'blocked'],
  ['192.0.2.10', { client: '::ffff:192.0.2.10' }, 'blocked'],
  ['2001:db8::/32', { client: '2001:db8:1::1' }, 'blocked'],
  ['198.51.100.0/24', {}, 'unlisted'],
  ['/^a.*@sender\\.test$/', {}, 'blocked'],
  ['xn--bcher-kva.test', { from: 'a@bücher.test' }, 'blocked'],
  ['Bücher.test', { from: 'a@xn--bcher-kva.test' }, 'blocked'],
  ['@bücher.test', { from: 'a@BÜCHER.test' }, 'blocked'],
  ['büro@bücher.test', { from: 'BÜRO@xn--bcher-kva.test' }, 'blocked'],
  ['a@sender.test', { from: '"a"@sender.test' }, 'blocked'],
  ['/bücher/', { from: 'a@bücher.test' }, 'blocked'],
  ['/xn--bcher/', { from: 'a@bücher.test' }, 'blocked'],
  ['/^(a+)+$/', { from: `${'a'.repeat(400)}@b.test` }, 'unlisted'],
])('%s for %j is %s', async (entry, described, outcome) => {
  const verdict = await askEnvelope(ground({ snapshot: lists([entry]) }), described);
  expect(verdict.findings[0]).toMatchObject({ check: 'lists', outcome });
  expect(verdict.decision?.action).toBe(outcome === 'blocked' ? Action.REJECT : Action.ACCEPT);
});

const listed = { zone: { '10.2.0.192.bl.test': { A: ['127.0.0.2'] }, 'sender.test': { TXT: ['v=spf1 -all'] } } };

const dnsbl = { zones: ['bl.test'], selfTest: false };

const decidedBy = ({ decision, recipients }: Awaited<ReturnType<typeof askEnvelope>>): readonly string[] =>
  decision !== undefined && isRefusal(decision.action)
    ? [decision.decidedBy]
    : recipients.map((one) => one.decision?.decidedBy ?? '');

test('allow goes before block, and spares a blocklist but not SPF', async () => {
  const both = { lists: { block: ['sender.test'], allow: ['a@sender.test'] }, dnsbl };
  const told = async (checks: Readonly<Record<string, object>>) =>
    decidedBy(await askEnvelope(ground({ ...listed, snapshot: settings(checks) })));
  expect(await told({ ...both, lists: { block: ['sender.test'] } })).toEqual(['dnsbl']);
  expect(await told(both)).toEqual(['']);
  expect(await told({ ...both, sender: { onFail: 'reject' } })).toEqual(['']);
  expect(await told({ ...both, spf: { onFail: 'reject' } })).toEqual(['spf']);
});

const byScope = (scope: string, allow: readonly string[]) => {
  const text = JSON.stringify({ lists: { allow } });
  const isUser = scope === 'user';
  return {
    entries: {},
    directory: {
      lookup: (address: string) => ({
        kind: 'found' as const,
        entry: RecipientEntry.fromPartial({
          ...{ address, tenant: 't1', kind: RecipientKind.USER, enabled: true },
          checks: isUser && address === 'user@here.test' ? text : '',
        }),
      }),
    },
    snapshot: {
      ...settings({
        dnsbl,
        ...{ ptr: { onFail: 'reject' }, helo: { onFail: 'reject' }, country: { block: ['DE'], onFail: 'reject' } },
        ...(scope === 'server' ? { lists: { allow } } : {}),
      }),
      usersSetChecks: isUser,
      tenants: [{ name: 't1', checks: scope === 'tenant' ? text : '' }, { name: 't2' }],
      domains: [
        { name: 'here.test', tenant: 't1', validateRecipients: true, checks: scope === 'domain' ? text : '' },
        { name: 'there.test', tenant: 't2', validateRecipients: false },
      ],
    },
    tools: { country: { of: () => 'DE' } },
  };
};
const to = ['user@here.test', { address: 'u@there.test', tenant: 't2' }];

test.each(
  ['server', 'tenant', 'domain', 'user'].flatMap((scope) =>
    ['192.0.2.10', 'a@sender.test', 'sender.test'].map((entry) => [scope, entry] as const),
  ),
)('an allow list of %s with %s spares what connect and ehlo found, for its own recipients', async (scope, entry) => {
  const at = ground({ ...listed, ...byScope(scope, [entry]) });
  const verdict = await askEnvelope(at, { to, helo: 'bare' });
  expect(decidedBy(verdict)).toEqual(['', scope === 'server' ? '' : 'country']);
  const spared = verdict.findings.filter(({ action }) => action === 'spared').map(({ check }) => check);
  expect(new Set(spared)).toEqual(new Set(['country', 'dnsbl', 'ptr', 'helo']));
});

test('a sender that is allowed does not open the session for the next one', async () => {
  const at = ground({ ...listed, ...byScope('server', ['a@sender.test']) });
  const first = await askEnvelope(at, { helo: 'bare' });
  const findings = first.findings.filter(({ stage }) => stage === Stage.CONNECT || stage === Stage.EHLO);
  const next = await askEnvelope(at, { from: 'b@sender.test', helo: 'bare', findings }, [Stage.MAIL, Stage.RCPT]);
  expect([decidedBy(first), decidedBy(next)]).toEqual([[''], ['country']]);
});

test('where nobody could say otherwise the first refusal ends it', async () => {
  const at = ground({ ...listed, snapshot: settings({ dnsbl, spf: {}, lists: { block: ['elsewhere.test'] } }) });
  expect(decidedBy(await askEnvelope(at))).toEqual(['dnsbl']);
  expect(at.observed).toEqual(['dnsbl listed']);
});

test('an operator rule at RCPT spares the recipient it names, nobody else', async () => {
  const rules = [{ event: 'rcpt', when: 'recipient.user == "postmaster"', then: [{ skip: { check: 'dnsbl' } }] }];
  const entries = { 'postmaster@here.test': 'user', 'user@here.test': 'user' } as const;
  const at = ground({ ...listed, rules, entries, snapshot: settings({ dnsbl }) });
  const one = await askEnvelope(at, { to: ['postmaster@here.test', 'user@here.test'] });
  expect(decidedBy(one)).toEqual(['', 'dnsbl']);
  const later = { to: ['user@here.test'], taken: ['postmaster@here.test'], findings: one.findings };
  expect(decidedBy(await askEnvelope(at, later, [Stage.RCPT]))).toEqual(['dnsbl']);
});

test.each([[{}], [{ checks: '{"spf":{"onSoftfail":"tag"}}' }]])(
  'the tag of a check made before DATA is on the message (another tenant: %j)',
  async (other) => {
    const checks = settings({ dnsbl: { ...dnsbl, onFail: 'tag' }, spf: { onFail: 'tag' } });
    const at = ground({ ...listed, snapshot: { ...checks, tenants: [{ name: 't2', ...other }] } });
    const { groups } = await askContent(at, 'From: a@b.test\n\nx\n', {}, await askEnvelope(at));
    expect(groups.map(({ rendering }) => rendering?.tags.toSorted())).toEqual([['check-dnsbl', 'check-spf']]);
  },
);

test.each([
  ['192.0.2.10', 'Client address is on a block list here'],
  ['sender.test', 'Sender is on a block list here'],
])('who is blocked by %s hears what of it is', async (entry, text) => {
  const at = ground({ snapshot: settings({ lists: { block: [entry] } }) });
  const verdict = await askEnvelope(at);
  const decisions = [verdict.decision, ...verdict.recipients.map(({ decision }) => decision)];
  expect(decisions.map((decision) => decision?.text)).toContain(text);
});
