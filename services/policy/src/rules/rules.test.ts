// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { HeaderEditKind } from '@postern/proto/mail/v1/envelope';
import { Action, ContentPlan } from '@postern/proto/policy/v1/policy_service';
import { skippableChecks } from '@postern/rules';
import { expect, test } from 'vitest';
import { checks } from '../checks/index.js';
import { askContent, askEnvelope, ground, settings } from '../testing/ground.js';

const message = 'From: a@sender.test\nX-Old: 1\n\nbody\n';
const spfFails = {
  zone: { 'sender.test': { TXT: ['v=spf1 -all'] } },
  snapshot: { checks: { spf: { enabled: true, onFail: 'reject' } } },
} as const;

test.each<[object, Partial<{ action: Action; replyCode: number; enhancedCode: string; text: string }>]>([
  [
    { event: 'connect', then: [{ reject: { code: 554, enhanced: '5.7.9', text: 'no' } }] },
    { action: Action.REJECT, replyCode: 554, enhancedCode: '5.7.9', text: 'no' },
  ],
  [
    { event: 'ehlo', when: 'helo == "client.test"', then: ['tempfail'] },
    { action: Action.TEMPFAIL, replyCode: 451 },
  ],
  [
    { event: 'mail', then: [{ close: { text: 'bye' } }] },
    { action: Action.CLOSE, replyCode: 421, text: 'bye' },
  ],
  [{ event: 'mail', then: ['discard'] }, { action: Action.DISCARD }],
  [{ event: 'mail', then: ['quarantine'] }, { action: Action.QUARANTINE }],
  [{ event: 'mail', then: ['hold'] }, { action: Action.HOLD }],
  [{ event: 'mail', when: 'sender.domain == "else.test"', then: ['discard'] }, { action: Action.ACCEPT }],
])('%j of the operator', async (rule, expected) => {
  const verdict = await askEnvelope(ground({ rules: [rule] }));
  expect(verdict.decision).toMatchObject(expected);
  if (expected.action === Action.ACCEPT) return;
  expect(verdict.decision?.decidedBy).toBe('server-1@3');
  expect(verdict.findings.find(({ check }) => check === 'rule')).toMatchObject({
    outcome: 'matched',
    rule: 'server-1@3',
  });
});

test('rules speak about what checks found', async () => {
  const rules = [{ event: 'mail', when: 'spf.result == "fail"', then: [{ reject: { code: 551, text: 'own words' } }] }];
  const verdict = await askEnvelope(ground({ ...spfFails, rules }));
  expect(verdict.decision).toMatchObject({ replyCode: 551, text: 'own words', decidedBy: 'server-1@3' });
});

test.each([
  [['accept'], 'accepted'],
  [[{ skip: { check: 'spf' } }], 'skipped'],
])('a check has no say after %j at its event', async (then, action) => {
  const verdict = await askEnvelope(ground({ ...spfFails, rules: [{ event: 'mail', then }] }));
  expect(verdict.decision?.action).toBe(Action.ACCEPT);
  expect(verdict.findings.find(({ check }) => check === 'spf')).toMatchObject({ outcome: 'fail', action });
});

const contentRefused = {
  zone: { '_dmarc.sender.test': { TXT: ['v=DMARC1; p=reject'] } },
  snapshot: settings({ dmarc: { onFail: 'reject' }, lists: { block: ['a@sender.test'] } }),
} as const;
const two = { from: 'b@else.test', to: ['user@here.test', 'other@here.test'] };

test.each([
  [['headers', 'body'], undefined, [Action.ACCEPT, 'accepted', 'accepted']],
  [['headers'], undefined, [Action.REJECT, 'accepted', 'reject']],
  [['body'], undefined, [Action.REJECT, 'reject', undefined]],
  [['headers', 'body'], 'recipient.user == "else"', [Action.REJECT, 'reject', undefined]],
])('a check of the content has no say after accept at %j when %s', async (events, when, expected) => {
  const rules = events.map((event) => ({ event, ...(when === undefined ? {} : { when }), then: ['accept'] }));
  const { decision, findings } = await askContent(ground({ ...contentRefused, rules }), message, two);
  const done = (name: string) => findings.find(({ check }) => check === name)?.action;
  expect([decision?.action, done('lists_from'), done('dmarc')]).toEqual(expected);
});

test('accepted for one recipient, the check has its say for the others', async () => {
  const rules = ['headers', 'body'].map((event) => ({ event, when: 'recipient.user == "user"', then: ['accept'] }));
  const { decision, groups } = await askContent(ground({ ...contentRefused, rules }), message, two);
  expect(decision?.action).toBe(Action.ACCEPT);
  expect(groups.map(({ recipients, decision: one }) => [recipients.join(), one?.action])).toEqual([
    ['user@here.test', Action.ACCEPT],
    ['other@here.test', Action.REJECT],
  ]);
});

test('a check skipped earlier is not asked', async () => {
  const here = ground({ ...spfFails, rules: [{ event: 'connect', then: [{ skip: { check: 'spf' } }] }] });
  const verdict = await askEnvelope(here);
  expect(verdict.findings.find(({ check }) => check === 'spf')).toMatchObject({ outcome: 'skipped' });
  expect(here.observed).toEqual(['recipients exists']);
});

test('what a rule may skip are the checks there are', () => {
  expect([...skippableChecks].sort()).toEqual(checks.map(({ name }) => name as string).sort());
});

test('tenants judge their own recipients only', async () => {
  const to = ['user@here.test', { address: 'x@two.test', tenant: 't2' }];
  const here = ground({
    snapshot: {
      domains: [
        { name: 'here.test', tenant: 't1' },
        { name: 'two.test', tenant: 't2' },
      ],
    },
    tenantRules: { t2: [{ event: 'rcpt', then: [{ reject: { text: 'not to t2' } }] }] },
  });
  const verdict = await askEnvelope(here, { to });
  expect(verdict.recipients.map(({ decision }) => decision?.action)).toEqual([Action.ACCEPT, Action.REJECT]);
  expect(verdict.recipients[1]?.decision?.decidedBy).toBe('tenant-1@3');
  expect(verdict.findings.find(({ check }) => check === 'rule')).toMatchObject({
    recipient: 'x@two.test',
    evidence: { tenant: 't2', text: 'not to t2' },
  });
});

test('redirect, addRecipient, dropRecipient', async () => {
  const rules = [
    { event: 'rcpt', when: 'recipient.user == "old"', then: [{ redirect: { address: 'new@far.test' } }] },
    { event: 'rcpt', when: 'recipient.user == "user"', then: [{ addRecipient: { address: 'archive@far.test' } }] },
    { event: 'rcpt', when: 'recipient.user == "trap"', then: ['dropRecipient'] },
  ];
  const to = ['old@here.test', 'user@here.test', 'trap@here.test'];
  const entries = { 'user@here.test': 'user', 'trap@here.test': 'user' } as const;
  const { recipients } = await askEnvelope(ground({ rules, entries }), { to });
  expect(recipients.map(({ decision, expandsTo }) => [decision?.action, expandsTo])).toEqual([
    [Action.ACCEPT, ['new@far.test']],
    [Action.ACCEPT, ['user@here.test', 'archive@far.test']],
    [Action.DISCARD, []],
  ]);
});

test('limits: the tighter one', async () => {
  const rules = [
    { event: 'mail', then: [{ setLimit: { size: 5_000, recipients: 7 } }] },
    { event: 'connect', then: [{ setLimit: { size: 9_000 } }] },
  ];
  expect((await askEnvelope(ground({ rules }))).limits).toEqual({ messageSize: 5_000, recipients: 7 });
});

test('a value that is not ASCII is written in encoded words, in an address field the name alone', async () => {
  const then = [
    { addHeader: { name: 'X-Note', value: 'Grüße' } },
    { changeHeader: { name: 'Reply-To', value: 'Büro <b@here.test>' } },
  ];
  const here = ground({ rules: [{ event: 'body', then }], entries: { 'one@here.test': 'user' } });
  const before = await askEnvelope(here, { to: ['one@here.test'] });
  const { groups } = await askContent(here, message, { to: ['one@here.test'] }, before);
  expect(groups[0]?.rendering?.edits.map(({ name, value }) => [name, value])).toEqual([
    ['X-Note', '=?utf-8?B?R3LDvMOfZQ==?='],
    ['Reply-To', '=?utf-8?B?QsO8cm8=?= <b@here.test>'],
  ]);
});

test('edits and tags of RCPT are carried by findings to the end of data and make groups', async () => {
  const rules = [
    { event: 'mail', then: [{ tag: { name: 'all' } }] },
    {
      event: 'rcpt',
      when: 'recipient.user == "one"',
      then: [{ addHeader: { name: 'X-One', value: '1' } }, { tag: { name: 'one' } }],
    },
    { event: 'headers', when: 'headers.has("X-Old")', then: [{ removeHeader: { name: 'X-Old' } }] },
    {
      event: 'body',
      when: 'recipient.user == "two"',
      then: [{ changeHeader: { name: 'Subject', value: 's' } }, 'quarantine'],
    },
  ];
  const entries = { 'one@here.test': 'user', 'two@here.test': 'user', 'three@here.test': 'user' } as const;
  const here = ground({ rules, entries });
  const to = ['one@here.test', 'two@here.test', 'three@here.test'];
  const described = { to, user: 'u@here.test', role: 'submission', tenant: 't1' };
  const before = await askEnvelope(here, described);
  expect(before.contentPlan).toBe(ContentPlan.BODY);
  const { groups } = await askContent(here, message, described, before);
  const remove = { kind: HeaderEditKind.REMOVE, name: 'X-Old', value: '', index: 0, behind: '' };
  expect(groups.map(({ recipients, decision, rendering }) => [recipients, decision?.action, rendering])).toEqual([
    [
      ['one@here.test'],
      Action.ACCEPT,
      {
        edits: [{ kind: HeaderEditKind.APPEND, name: 'X-One', value: '1', index: 0, behind: '' }, remove],
        replacedBodyId: '',
        tags: ['all', 'one'],
      },
    ],
    [
      ['two@here.test'],
      Action.QUARANTINE,
      {
        edits: [remove, { kind: HeaderEditKind.CHANGE, name: 'Subject', value: 's', index: 0, behind: '' }],
        replacedBodyId: '',
        tags: ['all'],
      },
    ],
    [['three@here.test'], Action.ACCEPT, { edits: [remove], replacedBodyId: '', tags: ['all'] }],
  ]);
});

test('the header section of a logged-in client is asked for too: it may hold a forged Authentication-Results', async () => {
  const described = { user: 'u@here.test', role: 'submission' };
  expect((await askEnvelope(ground(), described)).contentPlan).toBe(ContentPlan.HEADERS);
});

test('a disposition of MAIL is told again by later answers', async () => {
  const here = ground({ rules: [{ event: 'mail', then: [{ quarantine: { reason: 'odd' } }] }] });
  const { findings } = await askEnvelope(here);
  const later = await askEnvelope(here, { findings }, [5]);
  expect(later.decision).toMatchObject({ action: Action.QUARANTINE, decidedBy: 'server-1@3', text: 'odd' });
});

test('every recipient refused at the end of data is a refusal; some are a group', async () => {
  const refuse = (user: string) => ({
    event: 'body',
    when: `recipient.user == "${user}"`,
    then: [{ reject: { text: user } }],
  });
  const entries = { 'one@here.test': 'user', 'two@here.test': 'user' } as const;
  const to = ['one@here.test', 'two@here.test'];
  const all = await askContent(ground({ rules: [refuse('one'), refuse('two')], entries }), message, { to });
  expect(all.decision).toMatchObject({ action: Action.REJECT, text: 'one' });
  expect(all.groups).toEqual([]);
  const some = await askContent(ground({ rules: [refuse('two')], entries }), message, { to });
  expect(some.decision?.action).toBe(Action.ACCEPT);
  expect(some.groups.map(({ recipients, decision }) => [recipients, decision?.action])).toEqual([
    [['one@here.test'], Action.ACCEPT],
    [['two@here.test'], Action.REJECT],
  ]);
});

test('content facts: size, parts, attachments, received', async () => {
  const when =
    'message.size > 100 && message.parts == 3 && "a.exe" in message.attachments && received.count == 1 && "text/plain" in message.types';
  const rules = [{ event: 'body', when, then: ['discard'] }];
  const mime =
    'Received: by x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\n' +
    'Content-Type: application/octet-stream; name=a.exe\nContent-Disposition: attachment\n\nMZ\n--b--\n';
  const verdict = await askContent(ground({ rules }), mime, {});
  expect(verdict.groups[0]?.decision?.action).toBe(Action.DISCARD);
});

test('a rule of a tenant that cannot be used is left out; one of the operator refuses the snapshot', async () => {
  const bad = { event: 'rcpt', then: [{ route: { host: 'relay.test' } }] };
  const good = { event: 'rcpt', then: [{ reject: { text: 'good' } }] };
  const here = ground({ tenantRules: { t1: [bad, good] } });
  expect(here.faults).toHaveLength(1);
  expect(here.faults[0]).toContain('t1 tenant-1@3');
  expect((await askEnvelope(here)).recipients[0]?.decision?.text).toBe('good');
  expect(() => ground({ rules: [{ event: 'body', then: [{ changeSender: { address: '' } }] }] })).toThrow(
    /not carried out at body by this release/,
  );
});

test.each<[object, string, string]>([
  [{ event: 'ehlo', then: [{ requireTls: { text: 'TLS first' } }] }, '530 TLS first', ''],
  [
    { event: 'rcpt', when: 'recipient.domain == "here.test"', then: [{ requireTls: { text: 'TLS for us' } }] },
    '',
    '530 TLS for us',
  ],
  [{ event: 'connect', then: [{ allowLocal: { for: 'none' } }] }, '', '550 access denied'],
  [{ event: 'rcpt', then: [{ allowLocal: { for: 'authenticated' } }] }, '', '530 authentication required'],
  [{ event: 'rcpt', then: [{ allowRelay: { for: 'none' } }] }, '', ''],
])('what a session decides by itself is said again: %j', async (rule, whole, recipient) => {
  const { decision, recipients } = await askEnvelope(ground({ rules: [rule] }));
  const said = (one: typeof decision): string => (one?.action === Action.REJECT ? `${one.replyCode} ${one.text}` : '');
  expect([said(decision), said(recipients[0]?.decision)]).toEqual([whole, recipient]);
});

test('a header section too large to be edited is refused', async () => {
  const verdict = await askContent(ground(), `X: ${'a'.repeat(300_000)}\n\nbody`, {}).catch((error: unknown) => error);
  expect(verdict).toMatchObject({ id: 'invalid-argument' });
  const many = await askContent(ground(), `${'a:\n'.repeat(10_001)}\nbody`, {});
  expect(many.decision).toMatchObject({ action: Action.REJECT, enhancedCode: '5.3.4' });
});

test('a sender is changed at MAIL, the later rule has the last word', async () => {
  const to = (address: string): object => ({ event: 'mail', then: [{ changeSender: { address } }] });
  const verdict = await askEnvelope(ground({ rules: [to('one@here.test'), to('')] }));
  expect(verdict.changedSender).toEqual({ address: '' });
  expect(verdict.findings.map(({ action, evidence }) => [action, evidence.address])).toContainEqual([
    'changeSender',
    'one@here.test',
  ]);
  expect((await askEnvelope(ground())).changedSender).toBeUndefined();
});

test('what a rule says that asks nothing about the recipient is found once for all of them', async () => {
  const rules = [
    { event: 'rcpt', when: 'int(helo) > 1', then: [{ tag: { name: 'never' } }] },
    { event: 'rcpt', when: 'helo != ""', then: [{ addHeader: { name: 'X-For', value: 'all' } }] },
    { event: 'rcpt', when: 'recipient.user == "two"', then: [{ reject: { text: 'not two' } }] },
  ];
  const to = ['one@here.test', 'two@here.test', 'three@here.test'];
  const here = ground({ rules, entries: Object.fromEntries(to.map((address) => [address, 'user' as const])) });
  const { recipients, findings } = await askEnvelope(here, { to });
  expect(recipients.map(({ decision }) => decision?.action)).toEqual([Action.ACCEPT, Action.REJECT, Action.ACCEPT]);
  expect(findings.filter(({ rule }) => rule === 'server-2@3').map(({ recipient }) => recipient)).toEqual(to);
  expect(here.faults).toEqual([expect.stringContaining('server-1@3')]);
});
