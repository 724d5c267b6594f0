// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { FakeClock } from '@postern/clock';
import {
  Action,
  ContentPlan,
  EvaluateRequest,
  type EvaluateResponse,
  Stage,
} from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { createRecorder } from '../recording/recorder.js';
import { askEnvelope, type Described, factsOf, type GroundOptions, ground, settings } from '../testing/ground.js';
import { memoryRecordings } from '../testing/memory-recordings.js';

const zone = {
  'sender.test': { TXT: ['v=spf1 ip4:192.0.2.0/24 -all'] },
  'other.test': { TXT: ['v=spf1 -all'] },
};
const two = ['user@here.test', 'second@here.test'];
const entries = { 'user@here.test': 'user', 'second@here.test': 'user', 'all@here.test': two } as const;
const spf = settings({ spf: { onFail: 'mark' } });

/** As the edge does with a plan of headers: all that was found, of recipients that were taken. */
function atEnd(
  { judge }: ReturnType<typeof ground>,
  described: Described,
  before: EvaluateResponse,
): Promise<EvaluateResponse> {
  const taken = new Set(
    before.recipients
      .filter(({ decision }) => (decision?.action ?? 0) < 2 || (decision?.action ?? 0) > 3)
      .map(({ address }) => address),
  );
  const facts = factsOf({ ...described, asked: false });
  const content = Buffer.from('From: a@sender.test\r\nSubject: plain\r\n\r\n');
  return judge.evaluate(
    EvaluateRequest.fromPartial({
      ...{ sessionId: 's', sequence: 2, stages: [Stage.HEADERS], content, contentSize: 10_000 },
      facts: {
        ...facts,
        recipients: facts.recipients.filter(({ address }) => taken.has(address)),
        findings: before.findings.filter(({ recipient }) => recipient === '' || taken.has(recipient)),
      },
    }),
    5_000,
  );
}

const rule = (event: string, then: object, when = 'true'): object => ({ event, when, then: [then] });
const ofSecond = 'recipient.user == "second"';

const alike: readonly [string, GroundOptions, Described][] = [
  ['nothing is found', {}, {}],
  ['a stranger whose SPF passes', { snapshot: spf }, {}],
  ['a stranger whose SPF fails and is marked', { snapshot: spf }, { from: 'a@other.test' }],
  ['the null reverse-path', { snapshot: spf }, { from: '' }],
  ['a tag of MAIL', { rules: [rule('mail', { tag: { name: 'seen' } })] }, { to: two }],
  [
    'a field for one of two',
    { rules: [rule('rcpt', { addHeader: { name: 'X-A', value: 'b' } }, ofSecond)] },
    { to: two },
  ],
  ['quarantine for one of two', { rules: [rule('rcpt', { quarantine: { reason: 'r' } }, ofSecond)] }, { to: two }],
  ['everything is thrown away', { rules: [rule('mail', { discard: {} })] }, { to: two }],
  ['held at RCPT', { rules: [rule('rcpt', { hold: { reason: 'later' } })] }, {}],
  ['one of two refused', { rules: [rule('rcpt', { reject: { text: 'no' } }, ofSecond)] }, { to: two }],
  ['one of two unknown', {}, { to: ['user@here.test', 'nobody@here.test'] }],
  ['sent elsewhere', { rules: [rule('rcpt', { redirect: { address: 'second@here.test' } })] }, {}],
  ['an alias', {}, { to: ['all@here.test'] }],
  ['an accept of a rule', { rules: [rule('rcpt', { accept: {} })], snapshot: spf }, { from: 'a@other.test' }],
  ['a skipped check', { snapshot: spf }, { skipChecks: ['spf'] }],
  ['a user of ours', { snapshot: spf }, { role: 'submission', user: 'user@here.test', tenant: 't1' }],
  ['author is asked of users, this is a stranger', { snapshot: settings({ author: {} }) }, {}],
  ['a limit of the whole message', { rules: [rule('mail', { setLimit: { size: 5_000 } })] }, {}],
];

test.each(alike)('%s: what the end of data would be answered', async (_, options, described) => {
  const here = ground({ zone, entries, ...options });
  const before = await askEnvelope(here, described);
  expect(before.contentPlan).toBe(ContentPlan.HEADERS);
  const { decision, groups, findings } = await atEnd(here, described, before);
  expect(findings).toEqual([]);
  expect(before.contentWaiver).toEqual({
    unlessFields: ['authentication-results', 'received-spf'],
    decision,
    groups,
  });
  expect(here.faults).toEqual([]);
});

const asked: readonly [string, GroundOptions, Described][] = [
  ['a rule looks at fields', { rules: [rule('headers', { tag: { name: 'x' } })] }, {}],
  ['a rule looks at parts', { rules: [rule('body', { tag: { name: 'x' } })] }, {}],
  ['a rule of a tenant looks at fields', { tenantRules: { t1: [rule('headers', { tag: { name: 'x' } })] } }, {}],
  ['signatures are looked at', { snapshot: settings({ dkim: {} }) }, {}],
  [
    'the author of a user of ours is looked at',
    { snapshot: settings({ author: {} }) },
    { role: 'submission', user: 'user@here.test', tenant: 't1' },
  ],
  ['authors are on a list', { snapshot: settings({ lists: { block: ['bad.test'] } }) }, {}],
  ['a rule has a check run', { rules: [rule('rcpt', { run: { check: 'author' } })] }, {}],
  [
    'the size is held against one recipient',
    { tenantRules: { t1: [rule('rcpt', { setLimit: { size: 5_000 } })] } },
    {},
  ],
  ['recipients were taken before', {}, { to: ['second@here.test'], taken: ['user@here.test'] }],
  ['nobody is taken', {}, { to: ['nobody@here.test'] }],
  ['the message is refused', { rules: [rule('mail', { reject: { text: 'no' } })] }, {}],
  ['there are many', {}, { to: Array.from({ length: 17 }, (_, number) => `user+${number}@here.test`) }],
];

test.each(asked)('%s: content is asked about', async (_, options, described) => {
  const here = ground({ zone, entries, ...options });
  expect((await askEnvelope(here, described)).contentWaiver).toBeUndefined();
});

test('what is recorded is recorded whole, what is tried out is tried out whole', async () => {
  const recorder = createRecorder(new FakeClock(), memoryRecordings(), { recorded: () => undefined });
  const recorded = ground({ recorder, snapshot: { tenants: [{ name: 't1', recordsSessions: true }] } });
  expect(recorded.snapshot.recording.tenants.has('t1')).toBe(true);
  expect((await askEnvelope(recorded)).contentWaiver).toBeUndefined();
  const { judge, snapshot } = ground();
  const request = EvaluateRequest.fromPartial({ stages: [Stage.RCPT], facts: factsOf() });
  expect((await judge.evaluate(request, 5_000, snapshot)).contentWaiver).toBeUndefined();
  expect((await judge.evaluate(request, 5_000)).contentWaiver?.decision?.action).toBe(Action.ACCEPT);
});
