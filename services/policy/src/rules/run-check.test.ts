/** `run`: checks that are off, made because a rule says so, for whom it says so, at whatever stage they belong to. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { ContentPlan, type EvaluateResponse } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { askContent, askEnvelope, type Described, ground, settings } from '../testing/ground.js';
import { dkimZone, signedMessage } from '../testing/signed-message.js';

const zone = {
  'sender.test': { TXT: ['v=spf1 -all'] },
  '_dmarc.sender.test': { TXT: ['v=DMARC1; p=reject'] },
  '10.2.0.192.bl.test': { A: ['127.0.0.2'] },
} as const;

/** Settings stand there, switched off. */
const off = settings({
  spf: { enabled: false, onFail: 'reject' },
  dmarc: { enabled: false, onFail: 'reject' },
  dkim: { enabled: false },
  dnsbl: { enabled: false, zones: ['bl.test'], selfTest: false, onFail: 'reject' },
  greylist: { enabled: false, onFail: 'reject' },
});

const run = (event: string, check: string, when?: string) => ({
  event,
  ...(when === undefined ? {} : { when }),
  then: [{ run: { check } }],
});

const here = (...rules: readonly object[]) =>
  ground({
    ...{ zone, rules, entries: { 'user@here.test': 'user', 'other@here.test': 'user' } },
    snapshot: { ...off, domains: [{ name: 'here.test', tenant: 't1', validateRecipients: true }] },
    tools: { greylist: { ask: async () => ({ outcome: 'new', waitMs: 1 }) } },
  });

const checksIn = ({ findings }: EvaluateResponse): string[] =>
  findings
    .filter(({ check }) => check !== 'rule' && check !== 'recipients')
    .map(({ check, outcome, recipient }) => `${check} ${outcome} ${recipient}`.trim());

test('without a rule nothing is made', async () => {
  expect(checksIn(await askEnvelope(here()))).toEqual([]);
});

test.each([
  ['at its own stage', 'connect', 'dnsbl', 'dnsbl listed', 'dnsbl'],
  ['wished before its stage', 'connect', 'spf', 'spf fail', 'spf'],
  ['wished after its stage', 'mail', 'dnsbl', 'dnsbl listed', 'dnsbl'],
])('%s', async (_what, event, check, found, decidedBy) => {
  const verdict = await askEnvelope(here(run(event, check)));
  expect(checksIn(verdict)).toEqual([found, `${found} user@here.test`]);
  expect(verdict.recipients.map(({ decision }) => decision?.decidedBy)).toEqual([decidedBy]);
});

test('a later rule knows what was found', async () => {
  const verdict = await askEnvelope(
    here(run('connect', 'dnsbl', 'client.port > 1'), {
      event: 'ehlo',
      when: 'dnsbl.listed',
      then: [{ tag: { name: 'x' } }],
    }),
  );
  expect(verdict.findings.map(({ action }) => action)).toContain('run');
  const lenient = here(
    { event: 'connect', then: [{ run: { check: 'spf' } }] },
    { event: 'mail', when: 'spf.result == "fail"', then: [{ reject: { text: 'SPF says no' } }] },
  );
  expect((await askEnvelope(lenient)).decision?.text).toBe('SPF says no');
});

const both: Described = { to: ['user@here.test', 'other@here.test'] };

test.each(['dnsbl', 'greylist'])('%s at RCPT: for the recipient the rule speaks about', async (check) => {
  const verdict = await askEnvelope(here(run('rcpt', check, 'recipient.user == "user"')), both);
  expect(checksIn(verdict)).toHaveLength(1);
  expect(verdict.recipients.map(({ decision }) => decision?.decidedBy)).toEqual([check, '']);
});

test('content of the message is asked for, and the check is made at the end of data', async () => {
  const at = here(run('mail', 'dmarc'));
  const before = await askEnvelope(at);
  expect([before.contentPlan, checksIn(before)]).toEqual([ContentPlan.BODY, []]);
  const end = await askContent(at, 'From: a@sender.test\n\nbody\n', {}, before);
  expect([checksIn(end), end.decision?.decidedBy]).toEqual([['dmarc fail'], 'dmarc']);
});

test('for one who is logged in too', async () => {
  const login: Described = { user: 'u@here.test', role: 'submission', tenant: 't1' };
  expect(checksIn(await askEnvelope(here(), login))).toEqual([]);
  expect(checksIn(await askEnvelope(here(run('mail', 'spf')), login))).toEqual(['spf fail']);
});

test('what was found is written for one with relay right too, and nothing where no rule ran a check', async () => {
  const relay: Described = { relayRight: true, tenant: 't1' };
  const passing = {
    ...dkimZone,
    'sender.test': { TXT: ['v=spf1 ip4:192.0.2.0/24 -all'] },
    '_dmarc.sender.test': { TXT: ['v=DMARC1; p=reject'] },
  };
  const written = async (rules: readonly object[]) => {
    const at = ground({ zone: passing, rules, snapshot: off });
    const { groups } = await askContent(at, signedMessage, relay, await askEnvelope(at, relay));
    return groups.flatMap(({ rendering }) => rendering?.edits.map(({ name, value }) => `${name}: ${value}`) ?? []);
  };
  expect(await written([])).toEqual([]);
  const [receivedSpf, results] = await written([run('mail', 'spf'), run('mail', 'dkim'), run('mail', 'dmarc')]);
  expect(receivedSpf).toMatch(/^Received-SPF: pass /);
  expect(results?.match(/\b(spf|dkim|dmarc)=\w+/g)).toEqual(['spf=pass', 'dkim=pass', 'dmarc=pass']);
});

test('what is skipped is not run, and what is on is made once', async () => {
  expect(
    checksIn(await askEnvelope(here({ event: 'connect', then: [{ skip: { check: 'spf' } }] }, run('mail', 'spf')))),
  ).toEqual([]);
  const on = ground({ zone, snapshot: settings({ spf: {} }), rules: [run('connect', 'spf'), run('rcpt', 'spf')] });
  expect(checksIn(await askEnvelope(on)).filter((found) => found === 'spf fail')).toHaveLength(1);
});

test('a second request of the transaction makes nothing again', async () => {
  const at = here(run('rcpt', 'dnsbl', 'recipient.user == "user"'));
  const before = await askEnvelope(at, both);
  const end = await askContent(at, 'From: a@sender.test\n\nbody\n', both, before);
  expect(checksIn(end)).toEqual([]);
});
