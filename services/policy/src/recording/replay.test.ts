/**
 * Invariant 10 over recorded sessions: judged again where DNS is empty, the directory knows nobody, greylisting has another opinion and the year is
 * another one, each has the verdict of then. Rules tried beside it change what they should.
 */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is filled in is written so
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { FakeClock } from '@postern/clock';
import {
  Action,
  EvaluateRequest,
  type EvaluateResponse,
  RecordedStep,
  type SessionFacts,
  SimulateRequest,
  type SimulateResponse,
  Stage,
} from '@postern/proto/policy/v1/policy_service';
import { expect, test } from 'vitest';
import { simulate } from '../simulation/simulate.js';
import { type Described, factsOf, type Ground, type GroundOptions, ground, settings } from '../testing/ground.js';
import { memoryRecordings } from '../testing/memory-recordings.js';
import { isRefusal } from '../verdict/decision.js';
import { shownStep } from './own-part.js';
import { createRecorder } from './recorder.js';

const zone = {
  'good.test': { TXT: ['v=spf1 ip4:192.0.2.10 include:more.test -all'], MX: [[10, 'mx.good.test']] },
  'more.test': { TXT: ['v=spf1 ip4:198.51.100.0/24 -all'] },
  'mx.good.test': { A: ['192.0.2.10'] },
  'bad.test': { TXT: ['v=spf1 -all'] },
  '_dmarc.bad.test': { TXT: ['v=DMARC1; p=reject'] },
  'slow.test': 'timeout',
  '66.2.0.192.bl.test': { A: ['127.0.0.2'], TXT: ['listed for a reason'] },
  '10.2.0.192.in-addr.arpa': { PTR: ['mx.good.test'] },
} as const;

const rules = [
  { event: 'connect', when: 'ptr == ""', then: [{ tag: { name: 'no-ptr' } }] },
  {
    event: 'mail',
    when: 'spf.result == "softfail" || sender.domain == "news.test"',
    then: [{ quarantine: { reason: 'news' } }],
  },
  { event: 'rcpt', when: 'recipient.user == "closed"', then: [{ reject: { text: 'closed' } }] },
  { event: 'rcpt', when: 'recipient.user == "both"', then: [{ addHeader: { name: 'X-Both', value: 'yes' } }] },
  { event: 'body', when: 'headers.first("Subject").rx("free")', then: [{ reject: { text: 'nothing is free' } }] },
  { event: 'body', when: 'time.now < timestamp("2030-01-01T00:00:00Z")', then: [{ tag: { name: 'early' } }] },
];

const configuration = (recorded: readonly string[]): GroundOptions => ({
  rules,
  snapshot: {
    ...settings({
      spf: { onFail: 'reject' },
      dmarc: { onFail: 'reject' },
      dkim: {},
      ptr: {},
      sender: { onFail: 'reject' },
      dnsbl: { zones: ['bl.test'], selfTest: false, onFail: 'reject' },
      greylist: { onFail: 'reject' },
    }),
    tenants: ['t1', 't2'].map((name) => ({ name, recordsSessions: recorded.includes(name) })),
    domains: [
      { name: 'here.test', tenant: 't1', validateRecipients: true },
      { name: 'two.test', tenant: 't2', validateRecipients: true },
    ],
  },
});

const entries = {
  'user@here.test': 'user',
  'both@here.test': ['user@here.test', 'x@far.test'],
  'u@two.test': 'user',
} as const;

function production(
  recorded: readonly string[] = ['t1', 't2'],
  tenantRules: NonNullable<GroundOptions['tenantRules']> = {},
) {
  const recordings = memoryRecordings();
  const clock = new FakeClock();
  const recorder = createRecorder(clock, recordings, { recorded: () => undefined });
  const passed = (client: string) => (client.endsWith('.99') ? ('new' as const) : ('known' as const));
  const greylist = { ask: async ({ origin }: { origin: string }) => ({ outcome: passed(origin), waitMs: 9 }) };
  const here = ground({ ...configuration(recorded), tenantRules, zone, entries, clock, recorder, tools: { greylist } });
  return { here, recordings };
}

/** Nothing outside the recording says what it said then. */
function later(): Ground {
  const greylist = { ask: async () => ({ outcome: 'new' as const, waitMs: 1 }) };
  return ground({
    ...configuration([]),
    ...{ zone: {}, entries: {}, clock: new FakeClock(Date.UTC(2040, 0, 1)), tools: { greylist } },
  });
}

const letter = (subject = 'hi', from = 'a@good.test'): string => `From: ${from}\nSubject: ${subject}\n\nbody\n`;

interface Transaction {
  readonly described: Described;
  readonly message?: string;
  readonly large?: boolean;
}

const refusedIn = ({ recipients }: EvaluateResponse): Set<string> =>
  new Set(
    recipients
      .filter(({ decision }) => decision !== undefined && isRefusal(decision.action))
      .map(({ address }) => address),
  );

/** As an edge would ask: what was found is told again, refused recipients are not. */
async function hold({ judge }: Ground, transactions: readonly Transaction[]): Promise<void> {
  let sequence = 0;
  let session: SessionFacts['findings'] = [];
  for (const { described, message, large } of transactions) {
    const opening = sequence === 0 ? [Stage.CONNECT, Stage.EHLO] : [];
    const ask = (stages: Stage[], facts: SessionFacts, content = Buffer.alloc(0)) =>
      EvaluateRequest.fromPartial({
        ...{ sessionId: 'S1', sequence: ++sequence, stages, facts },
        content,
        contentSize: content.length,
      });
    const verdict = await judge.evaluate(
      ask([...opening, Stage.MAIL, Stage.RCPT], factsOf({ ...described, findings: session })),
      5_000,
    );
    if (opening.length > 0)
      session = verdict.findings.filter(({ stage }) => stage === Stage.CONNECT || stage === Stage.EHLO);
    if (message === undefined || (verdict.decision !== undefined && isRefusal(verdict.decision.action))) continue;
    const refused = refusedIn(verdict);
    const facts = factsOf({ ...described, asked: false, findings: [...session, ...verdict.findings] });
    const left = facts.recipients.filter(({ address }) => !refused.has(address));
    if (left.length === 0) continue;
    const content = Buffer.from(message.replaceAll('\n', '\r\n'));
    const request = ask([Stage.HEADERS, Stage.BODY], { ...facts, recipients: left }, content);
    if (large === true) {
      const upload = judge.open({ ...request, content: Buffer.alloc(0) });
      for (let at = 0; at < content.length; at += 65_536) await upload.write(content.subarray(at, at + 65_536));
      await upload.finish(content.length, 5_000);
    } else await judge.evaluate(request, 5_000);
  }
}

const replay = (
  { judge, snapshot }: Ground,
  recordings: ReturnType<typeof memoryRecordings>,
  more: object = {},
): Promise<SimulateResponse> =>
  simulate(
    { judge, recordings, clock: new FakeClock(), maxHops: 30, maxLineLength: 65_536, deadlineMs: 15_000 },
    SimulateRequest.fromPartial({ tenant: 't1', recorded: 'S1', ...more }),
    snapshot,
  );

const decisions = (verdicts: readonly EvaluateResponse[]): unknown =>
  verdicts.map(({ decision, recipients, groups, findings, limits, contentPlan, senderAuthenticated }) => ({
    ...{ decision, recipients, groups, limits, contentPlan, senderAuthenticated },
    findings: findings.map(({ durationUs: _durationUs, ...finding }) => finding),
  }));

const relayed = {
  to: [{ address: 'x@far.test', tenant: 't1', relay: true }],
  user: 'user@here.test',
  tenant: 't1',
  role: 'submission',
};

const sessions: Readonly<Record<string, readonly Transaction[]>> = {
  'SPF passes, all is well': [{ described: { from: 'a@good.test' }, message: letter() }],
  'SPF passes by an include': [{ described: { from: 'a@good.test', client: '198.51.100.7' }, message: letter() }],
  'SPF fails': [{ described: { from: 'a@bad.test' } }],
  'DNS is silent': [{ described: { from: 'a@slow.test' }, message: letter() }],
  'DMARC fails': [{ described: { from: 'a@good.test' }, message: letter('hi', 'a@bad.test') }],
  'the client is listed': [{ described: { from: 'a@good.test', client: '192.0.2.66' } }],
  'greylisting asks to come again': [{ described: { from: 'a@more.test', client: '198.51.100.99' } }],
  'nobody of that name': [{ described: { from: 'a@good.test', to: ['nobody@here.test'] } }],
  'an alias with a header edit': [{ described: { from: 'a@good.test', to: ['both@here.test'] }, message: letter() }],
  'one of two recipients is closed': [
    { described: { from: 'a@good.test', to: ['user@here.test', 'closed@here.test'] }, message: letter() },
  ],
  'a rule of MAIL quarantines': [{ described: { from: 'a@news.test' }, message: letter() }],
  'a rule of the content refuses': [{ described: { from: 'a@good.test' }, message: letter('all free') }],
  'a login relays': [{ described: relayed, message: letter() }],
  'two transactions': [
    { described: { from: 'a@good.test' }, message: letter() },
    { described: { from: 'a@bad.test' } },
    { described: { from: '' }, message: letter('third') },
  ],
};

test.each(Object.entries(sessions))('%s: the verdict of then', async (_name, transactions) => {
  const { here, recordings } = production();
  await hold(here, transactions);
  expect(here.faults).toEqual([]);
  const steps = await recordings.read('t1', 'S1');
  expect(steps.length).toBeGreaterThan(0);
  const { stages, recorded } = await replay(later(), recordings);
  expect(decisions(stages)).toEqual(decisions(recorded));
  expect(decisions(recorded)).toEqual(
    decisions(steps.flatMap(({ verdict }) => (verdict === undefined ? [] : [verdict]))),
  );
});

test('a rule that is tried decides about the recorded session, and what follows knows it', async () => {
  const { here, recordings } = production();
  await hold(here, [
    { described: { from: 'a@good.test', to: ['user@here.test', 'both@here.test'] }, message: letter() },
  ]);
  const candidate = {
    ...{ id: 'tried', version: 1, scope: 'tenant', tenant: 't1' },
    document: JSON.stringify({
      event: 'rcpt',
      when: 'recipient.user == "both"',
      then: [{ reject: { text: 'no copies' } }],
    }),
  };
  const { stages } = await replay(later(), recordings, { candidates: [candidate] });
  expect(stages[0]?.recipients.map(({ decision }) => decision?.action)).toEqual([Action.ACCEPT, Action.REJECT]);
  expect(stages[1]?.groups.flatMap(({ recipients }) => recipients)).toEqual(['user@here.test']);
});

test('settings that are tried decide about the recorded session', async () => {
  const { here, recordings } = production();
  await hold(here, [{ described: { from: 'a@good.test', to: ['user@here.test'] }, message: letter() }]);
  const checks = { scope: '', document: JSON.stringify({ lists: { block: ['good.test'], onFail: 'reject' } }) };
  const { stages } = await replay(later(), recordings, { checks });
  expect(stages[0]?.recipients.map(({ decision }) => decision?.action)).toEqual([Action.REJECT]);
});

/** As an upload gives them: pieces of 64 KiB. */
const large = (subject: string, size: number): string => `${letter(subject)}${'some words\n'.repeat(size / 12)}`;

test.each([
  ['accepted', 'hi'],
  ['refused by its content', 'all free'],
])('a message that came in chunks and was %s: the verdict of then, by its whole content', async (_what, subject) => {
  const { here, recordings } = production();
  const message = large(subject, 600_000);
  await hold(here, [{ described: { from: 'a@good.test' }, message, large: true }]);
  const steps = await recordings.read('t1', 'S1');
  expect(steps[1]?.request?.content.toString()).toBe(message.replaceAll('\n', '\r\n'));
  const { stages, asked, recorded } = await replay(later(), recordings);
  expect(asked.map(({ bodyMissing }) => bodyMissing)).toEqual([false, false]);
  expect(decisions(stages)).toEqual(decisions(recorded));
  const document = JSON.stringify({
    event: 'body',
    when: 'message.size > 500000',
    then: [{ reject: { text: 'too long' } }],
  });
  const candidate = { ...{ id: 'tried', version: 1, scope: 'tenant', tenant: 't1' }, document };
  const tried = await replay(later(), recordings, { candidates: [candidate] });
  expect(tried.stages[1]?.decision?.action).toBe(Action.REJECT);
});

test('a message larger than is kept: its verdict is that of then and says so', async () => {
  const { here, recordings } = production();
  await hold(here, [{ described: { from: 'a@good.test' }, message: large('all free', 1_500_000), large: true }]);
  expect((await recordings.read('t1', 'S1'))[1]).toMatchObject({ contentMissing: true });
  const { stages, asked, recorded } = await replay(later(), recordings);
  expect(asked.map(({ bodyMissing }) => bodyMissing)).toEqual([false, true]);
  expect(stages[1]?.decision).toEqual(recorded[1]?.decision);
});

test('what uploads hold for recordings is bounded in a pod, and given back', async () => {
  const { here, recordings } = production();
  const content = Buffer.from(large('hi', 1_000_000).replaceAll('\n', '\r\n')).subarray(0, 1_000_000);
  const uploads = Array.from({ length: 40 }, (_, index) => {
    const request = EvaluateRequest.fromPartial({
      ...{ sessionId: `S${index}`, sequence: 1, stages: [Stage.HEADERS, Stage.BODY] },
      facts: factsOf({ from: 'a@good.test', asked: false }),
    });
    const upload = here.judge.open(request);
    upload.write(content);
    return upload;
  });
  for (const upload of uploads.slice(0, 35)) upload.drop();
  for (const upload of uploads.slice(35)) await upload.finish(content.length, 5_000);
  expect((await recordings.read('t1', 'S39'))[0]?.contentMissing).toBe(true);
  await hold(here, [{ described: { from: 'a@good.test' }, message: large('hi', 600_000), large: true }]);
  expect((await recordings.read('t1', 'S1')).map(({ contentMissing }) => contentMissing)).toEqual([false, false]);
});

test('only tenants that want it are recorded, and each sees its own recipients', async () => {
  const { here, recordings } = production(['t2']);
  const to = ['user@here.test', { address: 'u@two.test', tenant: 't2' }];
  await hold(here, [{ described: { from: 'a@good.test', to }, message: letter() }]);
  expect([...recordings.sessions.keys()]).toEqual(['t2 S1']);
  const text = JSON.stringify(
    (await recordings.read('t2', 'S1')).map((step) =>
      RecordedStep.toJSON({
        ...step,
        request: { ...EvaluateRequest.fromPartial({}), ...step.request, content: Buffer.alloc(0) },
      }),
    ),
  );
  expect(text).toContain('u@two.test');
  expect(text).not.toContain('user@here.test');
});

test('a tenant reads nothing of the rules and logins of another that submits, also when it is judged again', async () => {
  const { here, recordings } = production(['t1', 't2'], {
    t2: [
      { event: 'mail', then: [{ tag: { name: 'inner-tag' } }, { quarantine: { reason: 'inner-reason' } }] },
      { event: 'auth', when: 'auth.user == "boss@two.test"', then: [{ skip: { check: 'dnsbl' } }] },
    ],
    t1: [{ event: 'rcpt', then: [{ tag: { name: 'own-tag' } }] }],
  });
  const described = { from: 'boss@two.test', user: 'boss@two.test', tenant: 't2', role: 'submission' };
  await hold(here, [{ described, message: letter() }]);
  const shown = async (tenant: string): Promise<string> => {
    const steps = (await recordings.read(tenant, 'S1')).map((step) => shownStep(step, tenant));
    expect(steps).toHaveLength(2);
    const judged = tenant === 't1' ? await replay(here, recordings) : undefined;
    const told = [...steps.map((step) => RecordedStep.toJSON({ ...step, answers: [] })), judged];
    return JSON.stringify(told, (name, value: unknown) => (name === 'content' || name === 'reversePath' ? '' : value));
  };
  const recipients = await shown('t1');
  for (const inner of ['inner-tag', 'inner-reason', 'tenant-1@3","tenant"', 'boss@two.test', '"t2"'])
    expect(recipients).not.toContain(inner);
  expect(recipients).toContain('own-tag');
  expect(recipients).toContain('"decidedBy":"verdict"');
});

test('who had to come apart from a recipient of another tenant, which is not in the recording, still has to', async () => {
  const { here, recordings } = production(['t1', 't2'], {
    t1: [{ event: 'body', when: 'message.size > 1', then: [{ reject: { text: 'nothing here' } }] }],
  });
  const two = { address: 'u@two.test', tenant: 't2' };
  await hold(here, [
    { described: { from: 'a@good.test', to: [two, 'user@here.test', 'both@here.test'] }, message: letter() },
    { described: { from: 'a@good.test', to: ['user@here.test', 'both@here.test'] }, message: letter() },
  ]);
  const { stages, recorded } = await replay(here, recordings);
  expect(decisions(stages)).toEqual(decisions(recorded));
  const codes = stages.map(({ decision, recipients }) =>
    [decision?.replyCode ?? 0, ...recipients.map((one) => one.decision?.replyCode ?? 0)].join(' '),
  );
  expect(codes).toEqual(['0 452 452', '0 0 0', '550']);
  expect(JSON.stringify(stages)).not.toContain('two.test');
});

const two = { address: 'u@two.test', tenant: 't2' };
const closed = { event: 'rcpt', then: [{ reject: { text: 'closed to all' } }] };
const inspects = { event: 'body', when: 'message.size > 1', then: [{ reject: { text: 'nothing here' } }] };
const marks = { event: 'rcpt', then: [{ tag: { name: 'marked' } }, { addHeader: { name: 'X-Mark', value: 'yes' } }] };
const quarantines = { event: 'body', then: [{ quarantine: { reason: 'own' } }] };
const small = { event: 'rcpt', then: [{ setLimit: { messageSize: 1_000 } }] };
type TenantRules = NonNullable<GroundOptions['tenantRules']>;

const shared: Readonly<Record<string, TenantRules>> = {
  'with no rules': {},
  'one of which refuses at RCPT': { t1: [closed] },
  'the other of which refuses at RCPT': { t2: [closed] },
  'both of which refuse at RCPT': { t1: [closed], t2: [closed] },
  'one of which looks at content': { t1: [inspects] },
  'the other of which looks at content': { t2: [inspects] },
  'both of which look at content': { t1: [inspects], t2: [inspects] },
  'one of which marks': { t1: [marks] },
  'the other of which marks': { t2: [marks] },
  'one of which quarantines': { t1: [quarantines] },
  'the other of which quarantines': { t2: [quarantines] },
  'one of which has a small size': { t1: [small] },
  'the other of which has a small size': { t2: [small] },
};

test.each(
  Object.entries(shared).flatMap(([name, rules]) =>
    [
      ['user@here.test', two],
      [two, 'user@here.test'],
      [two, 'user@here.test', 'both@here.test'],
      ['user@here.test', two, 'nobody@here.test'],
      ['nobody@here.test', two],
    ].map((to) => [name, to.map((one) => (typeof one === 'string' ? one : one.address)).join(), rules, to] as const),
  ),
)('a session with two tenants %s, %s: for each the verdict of then', async (_name, _to, rules, to) => {
  const { here, recordings } = production(['t1', 't2'], rules);
  await hold(here, [{ described: { from: 'a@good.test', to }, message: letter() }]);
  for (const tenant of ['t1', 't2']) {
    const { stages, recorded } = await replay(here, recordings, { tenant });
    expect({ tenant, told: decisions(stages) }).toEqual({ tenant, told: decisions(recorded) });
  }
});

/** As a client that waits for each answer: a recipient a request, refused ones forgotten. */
async function holdOneByOne(
  { judge }: Ground,
  transactions: readonly (readonly Exclude<Described['to'], undefined>[number][])[],
): Promise<void> {
  let sequence = 0;
  let session: SessionFacts['findings'] = [];
  for (const [index, to] of transactions.entries()) {
    let findings = session;
    const taken: SessionFacts['recipients'] = [];
    const ask = (stages: Stage[], recipients: SessionFacts['recipients'], content = Buffer.alloc(0)) => {
      const facts = { ...factsOf({ from: 'a@good.test' }), queueId: `Q${index}`, findings, recipients };
      const request = { sessionId: 'S1', sequence: ++sequence, stages, facts, content, contentSize: content.length };
      return judge.evaluate(EvaluateRequest.fromPartial(request), 5_000);
    };
    for (const [place, one] of to.entries()) {
      const stages = [...(sequence === 0 ? [Stage.CONNECT, Stage.EHLO] : []), ...(place === 0 ? [Stage.MAIL] : [])];
      const asked = factsOf({ to: [one] }).recipients;
      const verdict = await ask([...stages, Stage.RCPT], [...taken, ...asked]);
      findings = [...findings, ...verdict.findings];
      if (refusedIn(verdict).size === 0) taken.push(...asked.map((each) => ({ ...each, asked: false })));
    }
    session = findings.filter(({ stage }) => stage === Stage.CONNECT || stage === Stage.EHLO);
    if (taken.length > 0) await ask([Stage.HEADERS, Stage.BODY], taken, Buffer.from(letter().replaceAll('\n', '\r\n')));
  }
}

test.each(
  Object.entries({
    ...shared,
    'that tell by what was found before': {
      t1: [{ event: 'rcpt', when: 'spf.result != "pass" || ptr == ""', then: [{ reject: { text: 'who are you' } }] }],
      t2: [{ event: 'body', when: 'spf.result == "pass"', then: [{ tag: { name: 'known' } }] }],
    },
  }).flatMap(([name, rules]) =>
    [
      [['user@here.test', two]],
      [[two, 'user@here.test', 'both@here.test'], [two]],
      [['nobody@here.test', two], [two, 'user@here.test'], ['user@here.test']],
    ].map((each) => [name, rules, each] as const),
  ),
)('a session with two tenants %s, one by one (%#): for each the verdict of then', async (_name, rules, each) => {
  const { here, recordings } = production(['t1', 't2'], rules);
  await holdOneByOne(here, each);
  for (const tenant of ['t1', 't2']) {
    const { stages, recorded } = await replay(here, recordings, { tenant });
    expect({ tenant, told: decisions(stages) }).toEqual({ tenant, told: decisions(recorded) });
  }
});

test('nobody records: no resolver is put between', async () => {
  const { here, recordings } = production([]);
  await hold(here, [{ described: { from: 'a@good.test' }, message: letter() }]);
  expect(recordings.sessions.size).toBe(0);
});

test('a tenant cannot have the recording of another judged', async () => {
  const { here, recordings } = production(['t2']);
  await hold(here, [{ described: { from: 'a@good.test', to: [{ address: 'u@two.test', tenant: 't2' }] } }]);
  await expect(replay(later(), recordings)).rejects.toMatchObject({ id: 'not-found' });
});

test('texts and counts of a message for two tenants: each reads its own, and nothing has changed since', async () => {
  const filled = {
    ...configuration(['t1', 't2']),
    rules: [
      {
        event: 'rcpt',
        when: 'recipient.address != "no@here.test"',
        then: [{ addHeader: { name: 'X-No', value: '${recipients.count}' } }],
      },
      { event: 'rcpt', when: 'recipient.address == "no@here.test"', then: ['reject'] },
      {
        event: 'body',
        then: [
          { addHeader: { name: 'X-By', value: '${auth.user}' } },
          { reject: { text: '${recipient.address} ${recipients.count}' } },
        ],
      },
    ],
  };
  const recordings = memoryRecordings();
  const clock = new FakeClock();
  const recorder = createRecorder(clock, recordings, { recorded: () => undefined });
  const known = { 'user@here.test': 'user', 'no@here.test': 'user', 'u@two.test': 'user' } as const;
  const here = ground({ ...filled, entries: known, clock, recorder });
  const to = ['user@here.test', 'no@here.test', { address: 'u@two.test', tenant: 't2' }];
  const described = { from: 'boss@here.test', user: 'boss@here.test', tenant: 't1', role: 'submission', to };
  await hold(here, [{ described, message: letter() }]);
  const { stages, recorded } = await replay(here, recordings, { tenant: 't2' });
  expect(decisions(stages)).toEqual(decisions(recorded));
  const steps = (await recordings.read('t2', 'S1')).map((step) => shownStep(step, 't2'));
  const text = JSON.stringify(steps.map((step) => RecordedStep.toJSON({ ...step, answers: [] })));
  expect(text).toContain('u@two.test 2');
  expect(text).not.toMatch(/user@here|no@here|othersBefore/);
  expect(
    steps.flatMap(({ verdict }) => verdict?.findings.filter(({ evidence }) => evidence.about === 'submitter')),
  ).toMatchObject([{ evidence: { name: 'X-By' } }]);
  expect(steps.flatMap(({ verdict }) => verdict?.findings.map(({ evidence }) => evidence.value ?? '')).join('')).toBe(
    '2',
  );
});

test('fields the operator wrote who logged in into: the tenant of a recipient reads that there are some', async () => {
  const add = (name: string, value: string) => ({ addHeader: { name, value } });
  const rules = [
    { event: 'rcpt', then: [add('X-By', 'by ${auth.user}'), add('X-Size', '${message.declaredSize}')] },
    { event: 'body', then: [{ changeHeader: { name: 'Subject', suffix: ' [${auth.user}]' } }] },
  ];
  const tenantRules = { t2: [{ event: 'rcpt', then: [add('X-Own', 'hers: ${auth.user}')] }] };
  const recordings = memoryRecordings();
  const clock = new FakeClock();
  const recorder = createRecorder(clock, recordings, { recorded: () => undefined });
  const here = ground({ ...configuration(['t1', 't2']), rules, tenantRules, entries, clock, recorder });
  const to = ['user@here.test', { address: 'u@two.test', tenant: 't2' }];
  const described = { from: 'boss@here.test', user: 'boss@here.test', tenant: 't1', role: 'submission', to };
  await hold(here, [{ described, message: letter() }]);
  const edits = async (tenant: string): Promise<string[]> => {
    const steps = (await recordings.read(tenant, 'S1')).map((step) => shownStep(step, tenant));
    return steps.flatMap(({ verdict }) =>
      (verdict?.groups ?? []).flatMap(({ rendering }) =>
        (rendering?.edits ?? []).map(({ name, value, behind }) => `${name}: ${value}${behind}`),
      ),
    );
  };
  const own = await edits('t1');
  expect(own).toEqual(expect.arrayContaining(['X-By: by boss@here.test', 'Subject:  [boss@here.test]', 'X-Size: 0']));
  const others = await edits('t2');
  expect(others).toEqual(expect.arrayContaining(['X-By: ', 'Subject: ', 'X-Size: 0', 'X-Own: hers:']));
  expect(others.join()).not.toContain('boss@here.test');
});
