import { Action } from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import type { Directory } from '../directory/directory.js';
import { askEnvelope, ground } from '../testing/ground.js';

const members = Array.from({ length: 600 }, (_, index) => `m${index}@far.test`);
const chain = Object.fromEntries(
  Array.from({ length: 12 }, (_, index) => [`c${index}@here.test`, [`c${index + 1}@here.test`]]),
);
const entries = {
  'user@here.test': 'user',
  'gone@here.test': 'disabled',
  'sales@here.test': ['user@here.test', 'Other@Far.test'],
  'all@here.test': ['sales@here.test', 'user@here.test', 'gone@here.test'],
  'a@here.test': ['b@here.test'],
  'b@here.test': ['a@here.test'],
  'keep@here.test': ['keep@here.test', 'copy@far.test'],
  'dead@here.test': ['gone@here.test'],
  'broken@here.test': ['nobody@here.test'],
  'big@here.test': ['half@here.test', ...members],
  'half@here.test': members.map((address) => `x${address}`),
  ...chain,
} as const;

test.each<[string, string, Action, string, readonly string[]]>([
  ['User@HERE.test', 'exists', Action.ACCEPT, '', []],
  ['user+tag@here.test', 'tagged', Action.ACCEPT, '', []],
  ['nobody@here.test', 'unknown', Action.REJECT, '5.1.1', []],
  ['nobody+user@here.test', 'unknown', Action.REJECT, '5.1.1', []],
  ['gone@here.test', 'disabled', Action.REJECT, '5.2.1', []],
  ['sales@here.test', 'expanded', Action.ACCEPT, '', ['user@here.test', 'Other@Far.test']],
  ['sales+x@here.test', 'expanded', Action.ACCEPT, '', ['user@here.test', 'Other@Far.test']],
  ['all@here.test', 'expanded', Action.ACCEPT, '', ['user@here.test', 'Other@Far.test']],
  ['a@here.test', 'expansion_failed', Action.TEMPFAIL, '4.2.4', []],
  ['keep@here.test', 'expanded', Action.ACCEPT, '', ['keep@here.test', 'copy@far.test']],
  ['dead@here.test', 'disabled', Action.REJECT, '5.2.1', []],
  ['broken@here.test', 'expanded', Action.ACCEPT, '', ['nobody@here.test']],
  ['big@here.test', 'expansion_failed', Action.TEMPFAIL, '4.2.4', []],
  ['c0@here.test', 'expansion_failed', Action.TEMPFAIL, '4.2.4', []],
  ['c6@here.test', 'expanded', Action.ACCEPT, '', ['c12@here.test']],
])('%s: %s', async (address, outcome, action, enhanced, expandsTo) => {
  const verdict = await askEnvelope(ground({ entries }), { to: [address] });
  expect(verdict.findings.at(-1)).toMatchObject({ check: 'recipients', outcome, recipient: address });
  const [decided] = verdict.recipients;
  expect(decided?.decision).toMatchObject({ action, enhancedCode: enhanced });
  expect([...(decided?.expandsTo ?? [])].sort()).toEqual([...expandsTo].sort());
  expect(verdict.decision?.action).toBe(Action.ACCEPT);
});

test('the catch-all takes what is unknown, and is expanded itself', async () => {
  const domains = [{ name: 'here.test', tenant: 't1', validateRecipients: true, catchAll: 'sales@here.test' }];
  const verdict = await askEnvelope(ground({ entries, snapshot: { domains } }), { to: ['who@here.test'] });
  expect(verdict.findings.at(-1)?.outcome).toBe('catch_all');
  expect(verdict.recipients[0]?.expandsTo).toEqual(['user@here.test', 'Other@Far.test']);
});

test.each<[string, string, string]>([
  ['nobody has', 'nobody@here.test', 'unknown'],
  ['nobody has, in a domain whose catch-all leads somewhere', 'nobody@two.test', 'catch_all'],
  ['nobody has, in a domain whose catch-all leads back', 'nobody@back.test', 'unknown'],
  ['is disabled', 'gone@here.test', 'disabled'],
  ['is elsewhere', 'x@far.test', 'catch_all'],
])('a catch-all to an address that %s', async (_, catchAll, outcome) => {
  const domains = [
    { name: 'here.test', tenant: 't1', validateRecipients: true, catchAll },
    { name: 'two.test', tenant: 't1', validateRecipients: true, catchAll: 'user@here.test' },
    { name: 'back.test', tenant: 't1', validateRecipients: true, catchAll: 'nobody@here.test' },
  ];
  const verdict = await askEnvelope(ground({ entries, snapshot: { domains } }), { to: ['who@here.test'] });
  expect(verdict.findings.at(-1)?.outcome).toBe(outcome);
});

test('a domain without a list takes everybody; a relayed recipient is not looked up', async () => {
  const domains = [{ name: 'open.test', tenant: 't1', validateRecipients: false }];
  const to = ['any@open.test', { address: 'x@far.test', tenant: 't1', relay: true }];
  const verdict = await askEnvelope(ground({ snapshot: { domains } }), { to, relayRight: true });
  expect(verdict.recipients.map(({ decision }) => decision?.action)).toEqual([Action.ACCEPT, Action.ACCEPT]);
  expect(verdict.findings).toEqual([]);
});

test('several recipients are answered one by one, in order', async () => {
  const to = ['nobody@here.test', 'user@here.test', 'gone@here.test'];
  const verdict = await askEnvelope(ground({ entries }), { to });
  expect(verdict.recipients.map(({ address }) => address)).toEqual(to);
  expect(verdict.recipients.map(({ decision }) => decision?.replyCode)).toEqual([550, 0, 550]);
});

const away: Directory = { lookup: () => ({ kind: 'unavailable', reason: 'away' }) };
const silent: Directory = { lookup: () => new Promise(() => undefined) };
const broken: Directory = { lookup: () => Promise.reject(new Error('fault')) };

test.each([
  ['a directory that is away', { directory: away }, 'user@here.test'],
  ['a directory that throws', { directory: broken }, 'user@here.test'],
  ['a domain of a later snapshot', {}, 'user@new.test'],
])('%s is temporary, never unknown', async (_what, options, address) => {
  const verdict = await askEnvelope(ground(options), { to: [address] });
  expect(verdict.recipients[0]?.decision).toMatchObject({
    action: Action.TEMPFAIL,
    replyCode: 451,
    enhancedCode: '4.3.0',
  });
});

test('a directory that never answers holds the call no longer than its time', async () => {
  const { FakeClock } = await import('@postern/clock');
  const clock = new FakeClock();
  const asked = askEnvelope(ground({ directory: silent, clock }));
  await clock.advance(2_000);
  const verdict = await asked;
  expect(verdict.recipients[0]?.decision).toMatchObject({ action: Action.TEMPFAIL, replyCode: 451 });
  expect(clock.pendingTimers).toBe(0);
});
