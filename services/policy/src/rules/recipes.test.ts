/** The recipes of docs/recipes as they are, judged here; what a session does with them is services/edge/src/rules/recipes.test.ts. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { locateYaml, plainOf } from '@postern/config';
import { Action, type Decision, EvaluateRequest, Stage } from '@postern/proto/policy/v1/policy_service';
import { availableDatabases, compileRules, notCarriedOut } from '@postern/rules';
import { expect, test } from 'vitest';
import { askEnvelope, type Described, factsOf, ground, settings } from '../testing/ground.js';

const folder = join(import.meta.dirname, '../../../../docs/recipes');
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

function recipe(name: string): object[] {
  const file = plainOf(locateYaml(readFileSync(join(folder, name), 'utf8'), name));
  const rules = typeof file === 'object' && file !== null && 'rules' in file ? file.rules : undefined;
  if (!Array.isArray(rules)) throw new Error(`${name}: no rules`);
  return rules.filter((rule) => typeof rule === 'object' && rule !== null);
}

test.each(files)('%s can be saved', (name) => {
  const options = {
    scope: { kind: 'operator' },
    unsupported: notCarriedOut,
    available: availableDatabases(false),
  } as const;
  expect(compileRules(recipe(name), options)).toMatchObject({ ok: true });
});

test('every recipe is in the table of the README', () => {
  const told = [...readFileSync(join(folder, 'README.md'), 'utf8').matchAll(/^\| `([\w.-]+\.yaml)`/gm)];
  expect(told.map(([, name]) => name).sort()).toEqual([...files].sort());
});

const said = (decision: Decision | undefined): string =>
  decision?.action === Action.REJECT ? `${decision.replyCode} ${decision.enhancedCode} ${decision.text}` : 'taken';

const attachment = (octets: number): string =>
  'Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\nContent-Type: application/pdf; name=a.pdf\n' +
  `Content-Disposition: attachment\n\n${`${'x'.repeat(76)}\n`.repeat(Math.ceil(octets / 77))}--b--\n`;

test.each([
  ['large-attachment.yaml', attachment(3_100_000), '552 5.3.4 Attachments of more than 3 MB are not taken here'],
  ['large-attachment.yaml', attachment(2_900_000), 'taken'],
  ['mail-loop.yaml', `${'Received: by x\n'.repeat(21)}\nbody`, '554 5.4.6 Too many hops'],
  ['mail-loop.yaml', `${'Received: by x\n'.repeat(20)}\nbody`, 'taken'],
  ...['setup.exe', 'Setup.EXE', 'photo.jpg.scr', 'run.bat .'].map((name): [string, string, string] => [
    'no-programs.yaml',
    attachment(10).replace('a.pdf', `"${name}"`),
    '550 5.7.1 Programs are not taken as attachments',
  ]),
  ['no-programs.yaml', attachment(10).replace('a.pdf', 'exe.pdf'), 'taken'],
  ['one-from.yaml', 'Subject: s\n\nbody', '550 5.6.0 A message has one From field'],
  ['one-from.yaml', 'From: a@b.test\nSubject: s\nfrom: c@d.test\n\nbody', '550 5.6.0 A message has one From field'],
  ['one-from.yaml', 'From: a@b.test, c@d.test\n\nbody', 'taken'],
  ...[
    'boss@example.test',
    'Boss <boss@EXAMPLE.test>',
    '"boss@example.test" <x@evil.test>',
    'x@a.example.test, y@b.test',
    '=?utf-8?q?boss=40example.test?= <x@none.test>',
    'boss@(c)example.test',
    'boss\uff20example.test <x@none.test>',
  ].map((from): [string, string, string] => [
    'own-domain-in-from.yaml',
    `From: ${from}\n\nbody`,
    '550 5.7.1 Mail from outside cannot be from example.test',
  ]),
  [
    'own-domain-in-from.yaml',
    'From: a@b.test\nFrom: boss@example.test\n\nx',
    '550 5.7.1 Mail from outside cannot be from example.test',
  ],
  ...['a@notexample.test', 'a@example.test.evil.test', 'example.test <a@b.test>'].map(
    (from): [string, string, string] => ['own-domain-in-from.yaml', `From: ${from}\n\nbody`, 'taken'],
  ),
])('%s at the end of data (%#)', async (name, content, expected) => {
  const { judge, snapshot } = ground({ rules: recipe(name) });
  const bytes = Buffer.from(content.replaceAll('\n', '\r\n'));
  const request = { sessionId: 's', sequence: 2, stages: [Stage.HEADERS, Stage.BODY], content: bytes };
  const whole = EvaluateRequest.fromPartial({
    ...request,
    facts: factsOf({ asked: false }),
    contentSize: bytes.length,
  });
  // As a simulation: its message comes in one piece, whatever its size.
  expect(said((await judge.evaluate(whole, 5_000, snapshot)).decision)).toBe(expected);
});

const relayed: Described = { to: [{ address: 'x@elsewhere.test', tenant: 't1', relay: true }], relayRight: true };

test.each<[string, Described, string]>([
  ['starttls-for-one-domain.yaml', { to: ['user@example.test'] }, '530 5.7.0 example.test takes mail over TLS only'],
  ['starttls-for-one-domain.yaml', { to: ['user@here.test'] }, 'taken'],
  ['relay-to-one-domain.yaml', relayed, '550 5.7.1 relaying denied'],
  ['auth-after-tls.yaml', {}, 'taken'],
])('%s at RCPT is what the session says (%#)', async (name, described, expected) => {
  const { recipients } = await askEnvelope(ground({ rules: recipe(name) }), described);
  expect(said(recipients[0]?.decision)).toBe(expected);
});

test('vip-quarantine.yaml', async () => {
  const zone = { 'bad.test': { TXT: ['v=spf1 -all'] } };
  const entries = { 'user@here.test': 'user', 'boss@example.test': 'user' } as const;
  const domains = ['here.test', 'example.test'].map((name) => ({ name, tenant: 't1', validateRecipients: true }));
  const snapshot = { ...settings({ spf: { onFail: 'reject' } }), domains };
  const here = ground({ zone, entries, snapshot, rules: recipe('vip-quarantine.yaml') });
  const asked = async (from: string, to: string) => {
    const { decision, recipients } = await askEnvelope(here, { from, to: [to] });
    return decision?.action === Action.REJECT ? decision.action : recipients[0]?.decision?.action;
  };
  expect(await asked('a@bad.test', 'boss@example.test')).toBe(Action.QUARANTINE);
  expect(await asked('a@bad.test', 'user@here.test')).toBe(Action.REJECT);
  expect(await asked('a@good.test', 'boss@example.test')).toBe(Action.ACCEPT);
});

test('bcc-archive.yaml', async () => {
  const entries = { 'user@example.test': 'user', 'user@here.test': 'user' } as const;
  const domains = ['here.test', 'example.test'].map((name) => ({ name, tenant: 't1', validateRecipients: true }));
  const here = ground({ entries, snapshot: { domains }, rules: recipe('bcc-archive.yaml') });
  const to = async (address: string, more: Described = {}) =>
    (await askEnvelope(here, { ...more, to: [address] })).recipients[0]?.expandsTo;
  expect(await to('user@example.test')).toEqual(['user@example.test', 'archive@archive.test']);
  expect(await to('user@here.test')).toEqual([]);
  expect(await to('user@here.test', { user: 'u@example.test', tenant: 't1', role: 'submission' })).toEqual([
    'user@here.test',
    'archive@archive.test',
  ]);
});

test('trusted-network.yaml', async () => {
  const domains = ['here.test', 'example.test'].map((name) => ({ name, tenant: 't1', validateRecipients: false }));
  const snapshot = { ...settings({ spf: {}, greylist: { onFail: 'reject' } }), domains };
  const rules = recipe('trusted-network.yaml');
  const asked = async (client: string, to: string, declaredSize: number, outcome: 'new' | 'known' = 'new') => {
    const tools = { greylist: { ask: async () => ({ outcome, waitMs: 1_000 }) } };
    const { recipients } = await askEnvelope(ground({ snapshot, tools, rules }), { client, to: [to], declaredSize });
    const { action, replyCode, enhancedCode } = recipients[0]?.decision ?? {};
    return action === Action.ACCEPT ? 'taken' : `${replyCode} ${enhancedCode}`;
  };
  expect(await asked('203.0.113.5', 'user@example.test', 20_971_520)).toBe('taken');
  expect(await asked('203.0.113.5', 'user@here.test', 0)).toMatch(/^4/);
  expect(await asked('198.51.100.5', 'user@example.test', 0)).toMatch(/^4/);
  expect(await asked('198.51.100.5', 'user@example.test', 20_971_520, 'known')).toBe('552 5.3.4');
});

test('size-by-sender.yaml', async () => {
  const rules = recipe('size-by-sender.yaml');
  expect((await askEnvelope(ground({ rules }), { from: 'a@news.test' })).limits?.messageSize).toBe(1_048_576);
  expect((await askEnvelope(ground({ rules }), { from: 'a@else.test' })).limits).toBeUndefined();
});

test.each([
  ['US', false],
  ['DE', true],
  ['', true],
])('logins-by-country.yaml, from %j, where AUTH waits', async (code, isOpen) => {
  const rules = recipe('logins-by-country.yaml');
  const { judge, snapshot } = ground({ rules, tools: { country: { of: () => code } } });
  const described = { user: 'u@here.test', tenant: 't1', role: 'submission', asked: false } as const;
  const facts = { ...factsOf(described), recipients: [], reversePath: '', hasReversePath: false };
  const request = EvaluateRequest.fromPartial({ sessionId: 's', sequence: 1, stages: [Stage.AUTH], facts });
  expect(said((await judge.evaluate(request, 5_000, snapshot)).decision)).toBe(
    isOpen ? 'taken' : '535 5.7.8 authentication credentials invalid',
  );
});
