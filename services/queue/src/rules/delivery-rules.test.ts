/** What rules do about recipients after acceptance: at placement, after a failure for now, and after one for good. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is filled in is written so
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { systemClock } from '@postern/clock';
import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import type { Item } from '@postern/proto/mail/v1/item';
import { OutcomeKind, type RecipientResult } from '@postern/proto/mail/v1/outcome';
import { captureTelemetry } from '@postern/telemetry/testing';
import { expect, test } from 'vitest';
import { queueMetrics } from '../metrics.js';
import { type Placement, placementOf } from '../placement.js';
import { compilePolicy } from '../policy-in-use.js';
import { answer, envelope, forwardPath, testSnapshot } from '../testing/messages.js';
import { foldOutcomes, type UnitChange } from '../unit-change.js';
import { ruleFailures } from './failure-rules.js';
import { relayed } from './relay-rules.js';
import { createDeliveryRuling } from './rule-observer.js';
import type { AskRelay } from './ruled-units.js';

const stored = (rule: object, index: number) => ({
  ...{ id: `r${index + 1}`, version: 1, scope: 'server', tenant: '', target: '' },
  document: JSON.stringify(rule),
});

const policyOf = (rules: readonly object[]) => compilePolicy(testSnapshot({ rules: rules.map(stored) }));

function placed(
  rules: readonly object[],
  recipients = ['bob@acme.test', 'eve@beta.test'],
  changes: object = {},
): Placement {
  const policy = policyOf(rules);
  const faults: string[] = [];
  const parts = { ...policy, clock: systemClock, onFault: (_: string, message: string) => faults.push(message) };
  const placement = placementOf(envelope(recipients, changes), {
    policy,
    nowMs: systemClock.now(),
    quarantineKeepMs: 1_000,
    admit: () => true,
    relay: (subject, before) => relayed(parts, subject, before),
  });
  expect(faults).toEqual([]);
  return placement;
}

const kinds = ({ outcomes }: Placement): string[] =>
  outcomes
    .filter(({ kind }) => kind !== OutcomeKind.ACCEPTED)
    .map(({ kind, recipients }) => `${OutcomeKind[kind]} ${recipients.map(({ address }) => address).join()}`);

const forBeta = { event: 'relay', when: 'recipient.domain == "beta.test"' };

test.each([
  ['reject', { reject: { text: 'not there' } }, 'BOUNCED eve@beta.test'],
  ['hold', { hold: { reason: 'look' } }, 'HELD eve@beta.test'],
  ['discard', 'discard', 'DISCARDED eve@beta.test'],
  ['tempfail', { tempfail: { text: 'closed at night' } }, 'DEFERRED eve@beta.test'],
])('relay %s concerns the one recipient; the other goes', (_what, action, outcome) => {
  const placement = placed([{ ...forBeta, then: [action] }]);
  expect(placement.work.map(({ recipients }) => recipients.map(({ address }) => address))).toEqual([['bob@acme.test']]);
  expect(kinds(placement)).toEqual([outcome]);
  expect(placement.ruled).toMatchObject([{ event: 'relay', rule: 'r1@1' }]);
  const found = placement.outcomes.flatMap(({ accepted }) => accepted?.findings ?? []);
  expect(found).toMatchObject([{ check: 'rule', recipient: 'eve@beta.test' }]);
});

test('a schedule of a rule travels with the item, and its recipients share no item with others', () => {
  const placement = placed(
    [
      {
        event: 'relay',
        when: 'recipient.user == "slow"',
        then: [{ retrySchedule: { delays: [5, 50], giveUpAfter: 60 } }],
      },
    ],
    ['slow@acme.test', 'bob@acme.test'],
    { acceptedAtMs: 1_000_000 },
  );
  expect(
    placement.work.map(({ recipients, retryDelaysMs, expiresAtMs }) => [
      recipients[0]?.address,
      retryDelaysMs,
      expiresAtMs,
    ]),
  ).toEqual([
    ['slow@acme.test', [5_000, 50_000], 1_060_000],
    ['bob@acme.test', [], 433_000_000],
  ]);
});

test.each([
  ['sender.domain == "example.test"', true],
  ['message.tags.exists(t, t == "bulk")', true],
  ['auth.user == "alice@example.test" && client.address == "192.0.2.9"', true],
  ['delivery.attempt == 1 && route.name == "main" && route.class == "local"', true],
  ['recipient.routing == "relay"', false],
  ['message.size > 1000', false],
])('relay knows %s: %s', (when, matches) => {
  const placement = placed([{ event: 'relay', when, then: ['discard'] }], ['bob@acme.test'], {
    renderings: [{ edits: [], replacedBodyId: '', tags: ['bulk'] }],
    origin: { clientAddress: '192.0.2.9', authenticatedUser: 'alice@example.test' },
  });
  expect(placement.ruled).toHaveLength(matches ? 1 : 0);
});

test('without rules about delivery an item carries nothing more', () => {
  const origin = { origin: { clientAddress: '192.0.2.9' } };
  expect(placed([], ['bob@acme.test'], origin).work[0]).toMatchObject({ origin: undefined, retryDelaysMs: [] });
  expect(placed([{ event: 'rcpt', then: ['discard'] }], ['bob@acme.test'], origin).work[0]?.origin).toBeUndefined();
  expect(
    placed([{ event: 'relay', then: [{ retrySchedule: { delays: [1] } }] }], ['bob@acme.test'], origin).work[0],
  ).toMatchObject(origin);
});

test('rules of the user who submits speak about mail to others, rules of the recipient about mail to it', () => {
  const scoped = (target: string, name: string) => ({
    ...{ id: name, version: 1, scope: 'user', tenant: 'acme', target },
    document: JSON.stringify({ event: 'relay', then: [{ hold: { reason: name } }] }),
  });
  const policy = compilePolicy(
    testSnapshot({ rules: [scoped('alice@acme.test', 'of-alice'), scoped('bob@acme.test', 'of-bob')] }),
  );
  const parts = { ...policy, clock: systemClock, onFault: () => undefined };
  const by = (address: string): string[] =>
    placementOf(
      envelope([forwardPath(address, { tenant: 'acme', recipientClass: RecipientClass.RELAY })], {
        origin: { ...answerlessOrigin, authenticatedUser: 'alice@acme.test' },
      }),
      {
        ...{ policy, nowMs: 1, quarantineKeepMs: 1, admit: () => true },
        relay: (subject, before) => relayed(parts, subject, before),
      },
    ).ruled.map(({ rule, owner }) => `${rule} ${owner}`);
  expect(by('x@far.test')).toEqual(['of-alice@1 alice@acme.test']);
  expect(by('bob@acme.test')).toEqual(['of-bob@1 bob@acme.test']);
  expect(by('eve@acme.test')).toEqual([]);
});

test.each([
  ['eve@beta.test', 'by - for beta', ''],
  ['bob@acme.test', 'by alice@acme.test', 'by alice@acme.test'],
])('mail to %s: texts tell no tenant a login of another one', (address, ofTenant, ofOperator) => {
  const tenant = address.slice(address.indexOf('@') + 1).split('.')[0] ?? '';
  const reason = tenant === 'beta' ? '${auth.user}- for beta' : '${auth.user}';
  const rule = (scope: string, id: string, text: string) => ({
    ...{ id, version: 1, scope, tenant: scope === 'tenant' ? tenant : '', target: '' },
    document: JSON.stringify({ event: 'relay', stop: false, then: [{ hold: { reason: `by ${text}` } }] }),
  });
  const policy = compilePolicy(
    testSnapshot({ rules: [rule('server', 'all', '${auth.user}'), rule('tenant', 'own', reason)] }),
  );
  const parts = { ...policy, clock: systemClock, onFault: () => undefined };
  const origin = { ...answerlessOrigin, authenticatedUser: 'alice@acme.test' };
  const { ruled } = placementOf(envelope([address], { origin }), {
    ...{ policy, nowMs: 1, quarantineKeepMs: 1, admit: () => true },
    relay: (subject, before) => relayed(parts, subject, before),
  });
  expect(ruled.map(({ detail }) => detail)).toEqual([ofOperator, ofTenant]);
});

const answerlessOrigin = {
  ...{ clientAddress: '', clientPort: 0, helo: '', listener: '', withProtocol: '', tlsVersion: '', tlsCipher: '' },
  ...{ authenticatedUser: '', edge: '' },
};

const nowMs = systemClock.now();

function failed(
  rules: readonly object[],
  kind: OutcomeKind,
  reply: Partial<RecipientResult>,
  item: Partial<Item> = {},
): UnitChange {
  const policy = policyOf(rules);
  const [made] = placed([], ['bob@acme.test'], { acceptedAtMs: nowMs }).work;
  if (made === undefined) throw new Error('no item');
  const body = { place: { $case: 'bodyId', value: made.queueId } } as const;
  const folded = foldOutcomes([{ ...answer({ ...made, body, ...item }, kind, reply), atMs: nowMs }]);
  if (!folded.ok) throw new Error(folded.reason);
  ruleFailures({ ...policy, clock: systemClock, onFault: (_, message) => expect(message).toBe('') }, folded.changes);
  const [change] = folded.changes;
  if (change === undefined) throw new Error('nothing changed');
  return change;
}

const busy = { replyCode: 451, enhancedCode: '4.2.0', replyText: 'mailbox busy', remoteHost: 'mx.acme.test' };
const onBusy = {
  event: 'temporary-failure',
  when: 'failure.code == 451 && failure.text.contains("busy") && failure.host == "mx.acme.test"',
};

test.each([
  [
    'reject',
    { reject: { enhanced: '5.2.0', text: 'gave up' } },
    {
      final: {
        state: 'bounced',
        reply: '451 4.2.0 mailbox busy (mx.acme.test)',
        result: { enhancedCode: '4.2.0', noticeStatus: '5.2.0', noticeText: 'gave up', replyCode: 451 },
      },
      wait: undefined,
    },
  ],
  ['discard', 'discard', { final: { state: 'discarded' }, wait: undefined }],
  ['hold', { hold: { reason: 'x' } }, { final: undefined, wait: { state: 'held' } }],
  [
    'retrySchedule',
    { retrySchedule: { delays: [7], giveUpAfter: 600 } },
    { final: undefined, wait: { state: 'deferred', item: { retryDelaysMs: [7_000], expiresAtMs: nowMs + 600_000 } } },
  ],
  [
    'retrySchedule that is over',
    { retrySchedule: { delays: [7], giveUpAfter: 0 } },
    { final: { state: 'expired' }, wait: undefined },
  ],
  [
    'ndrText',
    { ndrText: { text: 'their server is slow' } },
    { wait: { result: { noticeText: 'their server is slow' } } },
  ],
])('temporary-failure %s', (_what, action, expected) => {
  const change = failed([{ ...onBusy, then: [action] }], OutcomeKind.DEFERRED, busy);
  expect(change).toMatchObject(expected);
  expect(change.ruled).toHaveLength(1);
  expect(failed([{ ...onBusy, then: [action] }], OutcomeKind.DEFERRED, { ...busy, replyCode: 450 })).toMatchObject({
    ruled: [],
    wait: { state: 'deferred' },
  });
});

const gone = { replyCode: 550, enhancedCode: '5.1.1', replyText: 'no such user' };
const onGone = { event: 'delivery-failure', when: 'failure.enhanced == "5.1.1" && failure.attempts == 1' };

test.each([
  [
    'ndrText',
    { ndrText: { text: 'call the help desk' } },
    { final: { state: 'bounced', result: { noticeText: 'call the help desk', replyCode: 550 } } },
  ],
  ['discard', 'discard', { final: { state: 'discarded' } }],
  ['hold', { hold: { reason: 'x' } }, { final: undefined, wait: { state: 'held' } }],
  ['tempfail', { tempfail: {} }, { final: undefined, wait: { state: 'deferred' } }],
])('delivery-failure %s', (_what, action, expected) => {
  expect(failed([{ ...onGone, then: [action] }], OutcomeKind.BOUNCED, gone)).toMatchObject(expected);
});

const giveUp = {
  ...onBusy,
  then: [{ ndrText: { text: 'it was busy' } }, { reject: { enhanced: '5.2.0', text: 'gave up' } }],
};
const afterBusy = { event: 'delivery-failure', when: 'failure.code == 451 && failure.enhanced == "4.2.0"' };
const ended = { final: { state: 'bounced', result: { noticeStatus: '5.2.0', noticeText: 'gave up\nit was busy' } } };

test.each([
  [
    'its words follow those of the first',
    { ndrText: { text: 'call the help desk' } },
    { final: { state: 'bounced', result: { noticeText: 'gave up\nit was busy\ncall the help desk' } } },
  ],
  ['it may throw the report away', 'discard', { final: { state: 'discarded' } }],
  ['it may hold', { hold: { reason: 'x' } }, { final: undefined, wait: { state: 'held' } }],
  ['it does not try again', { tempfail: {} }, { ...ended, wait: undefined }],
])('what a temporary-failure rule ended is a delivery-failure too: %s', (_what, action, expected) => {
  const change = failed([giveUp, { ...afterBusy, then: [action] }], OutcomeKind.DEFERRED, busy);
  expect(change).toMatchObject(expected);
  expect(change.ruled.map(({ event, action: kind }) => `${event} ${kind}`).slice(0, 2)).toEqual([
    'temporary-failure ndrText',
    'temporary-failure reject',
  ]);
  expect(change.ruled.slice(2)).toMatchObject([{ event: 'delivery-failure' }]);
});

test.each([
  ['a lifetime that a rule has ended is one', { retrySchedule: { delays: [7], giveUpAfter: 0 } }, 'expired', 2],
  ['what waits is none', { ndrText: { text: 'slow' } }, undefined, 1],
  ['what is thrown away is none', 'discard', 'discarded', 1],
])('delivery-failure after temporary-failure: %s', (_what, action, state, spoke) => {
  const rules = [
    { ...onBusy, then: [action] },
    { ...afterBusy, then: [{ ndrText: { text: 'call' } }] },
  ];
  const change = failed(rules, OutcomeKind.DEFERRED, busy);
  expect(change.final?.state).toBe(state);
  expect(change.ruled).toHaveLength(spoke);
});

test('a rule that would have kept mail back and cannot be computed puts the attempt off, and says why', () => {
  const telemetry = captureTelemetry('queue');
  const policy = policyOf([{ event: 'relay', when: 'int(helo) > 1', then: [{ hold: { reason: 'look' } }] }]);
  const ruling = createDeliveryRuling(systemClock, queueMetrics(telemetry.metrics), telemetry.log);
  const { ruled } = placementOf(envelope(['bob@acme.test'], { origin: { ...answerlessOrigin, helo: 'x' } }), {
    ...{ policy, relay: ruling.relay(policy), nowMs: systemClock.now(), quarantineKeepMs: 1_000, admit: () => true },
  });
  expect(ruled).toMatchObject([{ action: 'tempfail', detail: expect.stringMatching(/^451 4\.7\.1 .*\(int\(\)/) }]);
});

test('the lifetime bounds what a rule would try again', () => {
  const over = { expiresAtMs: nowMs - 1 };
  const change = failed([{ ...onGone, then: [{ tempfail: {} }] }], OutcomeKind.BOUNCED, gone, over);
  expect(change).toMatchObject({ final: { state: 'bounced' }, wait: undefined });
});

test('for the recipients of one message a rule that asks nothing about them is computed once', () => {
  const telemetry = captureTelemetry('queue');
  const policy = policyOf([
    { event: 'relay', when: 'int(helo) > 1', then: ['discard'], onFault: 'skip' },
    { ...forBeta, then: ['discard'] },
  ]);
  const ruling = createDeliveryRuling(systemClock, queueMetrics(telemetry.metrics), telemetry.log);
  const kindsOf = (relay: AskRelay | undefined) =>
    placementOf(
      envelope(['bob@acme.test', 'eve@beta.test', 'bob@beta.test'], { origin: { ...answerlessOrigin, helo: 'x' } }),
      {
        ...{ policy, relay, nowMs: systemClock.now(), quarantineKeepMs: 1_000, admit: () => true },
      },
    ).ruled.map(({ action }) => action);
  const failed = () => telemetry.events('queue.rule.failed').length;
  expect(kindsOf(ruling.relayOfMessage(policy))).toEqual(['discard', 'discard']);
  expect(failed()).toBe(1);
  // Rows that are due are of different messages: nothing is shared.
  expect(kindsOf(ruling.relay(policy))).toEqual(['discard', 'discard']);
  expect(failed()).toBe(4);
});
