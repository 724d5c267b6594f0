/** Every limit an edge refuses by is named in the event of its refusal, and counted by that name. Those over all pods against Redis: message-limits.test.ts. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { once } from 'node:events';
import { connect } from 'node:net';
import { FakeClock, systemClock } from '@postern/clock';
import { ConnectionLimiter } from '@postern/flow-control';
import { type LimitName, limitNames, type RefusingLimit } from '@postern/flow-control/session';
import { Action, ContentPlan, EvaluateResponse, Stage } from '@postern/proto/policy/v1/policy_service';
import { captureTelemetry } from '@postern/telemetry/testing';
import { RawClient } from '@postern/testkit/smtp';
import { afterEach, expect, test } from 'vitest';
import { withLoginGuard } from './abuse/login-guard.js';
import { createAdmission } from './admission.js';
import type { Listener } from './listener.js';
import { edgeMetrics } from './metrics.js';
import { openSession, type Session } from './session.js';
import { createTelemetryJournal } from './telemetry-journal.js';
import { acceptAll, Doubles } from './testing/doubles.js';

let open: Listener | undefined;

afterEach(async () => {
  open?.destroy();
  await open?.drain();
  open = undefined;
});

const named = ({ events }: Doubles): RefusingLimit[] => events.flatMap(({ facts }) => facts?.limit ?? []);

const away = {
  run: () => Promise.reject(new Error('away')),
  ask: () => Promise.reject(new Error('away')),
  close: () => Promise.resolve(),
};

interface Talk {
  readonly snapshot?: object;
  readonly settings?: Parameters<Doubles['listen']>[1];
  readonly before?: (doubles: Doubles) => void;
  readonly listener?: Parameters<Doubles['listen']>[0];
  /** Seconds that pass when all is said. */
  readonly wait?: number;
  readonly lines: readonly string[];
}

async function refusedBy({ snapshot = {}, settings, before, listener, wait, lines }: Talk): Promise<RefusingLimit[]> {
  const doubles = new Doubles();
  doubles.setSnapshot(snapshot);
  before?.(doubles);
  open = await doubles.listen(listener, settings);
  const client = await RawClient.open(open.port);
  await client.reply();
  for (const line of lines) await client.command(line);
  if (wait !== undefined && doubles.clock instanceof FakeClock) {
    await doubles.clock.advance(wait * 1_000);
    await client.closed();
  }
  client.destroy();
  return named(doubles);
}

const hello = 'EHLO c.test';
const mail = 'MAIL FROM:<a@s.test>';
const rcpt = (name: string): string => `RCPT TO:<${name}@example.test>`;
const letter = (size = 20): string[] => [mail, rcpt('bob'), 'DATA', `${'x'.repeat(size)}\r\n.`];
const stands = (doubles: Doubles): void => {
  doubles.clock = new FakeClock();
};
const relay = { relayNetworks: [{ network: '127.0.0.0/8', tenant: 'acme' }] };
const perInterval = (scope: 'perAddress' | 'perTenant' | 'perUser', rate: object) => ({
  ...relay,
  messageLimits: { [scope]: { ...rate, intervalMs: 60_000 } },
});
const submission = { name: 'submission-optional', role: 'submission' } as const;
const login = `AUTH PLAIN ${Buffer.from('\0user@example.test\0Correct-horse-7-battery').toString('base64')}`;
const wrong = `AUTH PLAIN ${Buffer.from('\0user@example.test\0wrong').toString('base64')}`;
const ofUser = (rate: object, lines: readonly string[]): Talk => ({
  snapshot: perInterval('perUser', rate),
  listener: submission,
  lines: [hello, login, ...lines],
});
const ruled = (event: string, setLimit: object) => ({
  rules: [{ id: 'r', version: 1, scope: 'server', document: JSON.stringify({ event, then: [{ setLimit }] }) }],
});

/** Policy narrows them at the first RCPT, by a rule it asked for. */
const narrowed =
  (name: 'size' | 'recipients', value: number) =>
  (doubles: Doubles): void => {
    doubles.evaluate = (request) => {
      const answer = acceptAll(request);
      if (answer.kind !== 'verdict') return answer;
      const finding = { check: 'rule', rule: 'r@1', action: 'setLimit', evidence: { [name]: String(value) } };
      const limits = name === 'size' ? { messageSize: value } : { recipients: value };
      const verdict = EvaluateResponse.fromPartial({ ...answer.verdict, limits, findings: [finding] });
      return { kind: 'verdict', verdict };
    };
  };

/** Refused by policy, by a rule about single recipients. */
const ofOne =
  (decision: { replyCode: number; enhancedCode: string }, action = 'setLimit') =>
  (doubles: Doubles): void => {
    doubles.evaluate = (request) => {
      const answer = acceptAll(request, ContentPlan.HEADERS);
      if (answer.kind !== 'verdict') return answer;
      const refusal = { action: Action.REJECT, decidedBy: 'r@1', ...decision };
      const recipients = request.facts?.recipients.map(({ address }) => ({ address, decision: refusal })) ?? [];
      const isLast = request.stages.includes(Stage.HEADERS);
      const over = decision.replyCode === 452 ? { recipients } : isLast ? { decision: refusal } : {};
      const finding = { check: 'rule', rule: 'r@1', action, recipient: 'b@example.test', evidence: { tenant: 'x' } };
      const verdict = EvaluateResponse.fromPartial({ ...answer.verdict, ...over, findings: [finding] });
      return { kind: 'verdict', verdict };
    };
  };
const tooMany = { replyCode: 452, enhancedCode: '4.5.3' };
const tooLarge = { replyCode: 552, enhancedCode: '5.3.4' };

const cases: readonly [name: LimitName, Talk, RefusingLimit['setBy']?][] = [
  ['overload', { before: (doubles) => (doubles.overloaded = 'test'), lines: [hello, mail] }],
  ['session_time', { before: stands, snapshot: { deadlines: { sessionMs: 9_000 } }, wait: 12, lines: [hello] }],
  ['command_time', { before: stands, snapshot: { deadlines: { commandMs: 9_000 } }, wait: 12, lines: [hello] }],
  [
    'message_time',
    {
      before: stands,
      snapshot: { deadlines: { messageMs: 9_000 } },
      wait: 12,
      lines: [hello, mail, rcpt('b'), 'DATA'],
    },
  ],
  ['messages_per_session', { snapshot: { limits: { messagesPerSession: 1 } }, lines: [hello, ...letter(), mail] }],
  ['bytes_per_session', { snapshot: { limits: { bytesPerSession: 20 } }, lines: [hello, ...letter(), mail] }],
  ['bytes_per_session', { snapshot: { limits: { bytesPerSession: 90 } }, lines: [hello, `${mail} SIZE=91`] }],
  ['bytes_per_session', { snapshot: { limits: { bytesPerSession: 90 } }, lines: [hello, ...letter(100)] }],
  ['errors_per_session', { snapshot: { limits: { errorsPerSession: 1 } }, lines: ['NONSENSE'] }],
  ['errors_per_session', { snapshot: ruled('connect', { errors: 1 }), lines: ['NONSENSE'] }, 'rule'],
  [
    'deferrals_per_session',
    {
      settings: { maxDeferrals: 2 },
      before: (doubles) => (doubles.evaluate = () => ({ kind: 'unavailable', reason: 'test' })),
      lines: [hello, mail, rcpt('b'), rcpt('c')],
    },
  ],
  ['idle_commands_per_session', { settings: { maxIdleCommands: 1 }, lines: ['NOOP', 'NOOP'] }],
  [
    'failed_logins_per_session',
    { snapshot: { errorControl: { failedLoginsPerSession: 1 } }, listener: submission, lines: [hello, wrong] },
  ],
  ['message_size', { snapshot: { limits: { messageSize: 90 } }, lines: [hello, `${mail} SIZE=91`] }],
  ['message_size', { snapshot: { limits: { messageSize: 90 } }, lines: [hello, ...letter(100)] }],
  ['message_size', { snapshot: ruled('mail', { size: 90 }), lines: [hello, `${mail} SIZE=91`] }, 'rule'],
  ['message_size', { snapshot: ruled('mail', { size: 90 }), lines: [hello, ...letter(100)] }, 'rule'],
  ['message_size', { before: narrowed('size', 90), lines: [hello, ...letter(100)] }, 'rule'],
  ['recipients_per_message', { before: narrowed('recipients', 1), lines: [hello, mail, rcpt('b'), rcpt('c')] }, 'rule'],
  ['message_size', { before: ofOne(tooLarge), lines: [hello, ...letter(100)] }, 'rule'],
  ['recipients_per_message', { before: ofOne(tooMany), lines: [hello, mail, rcpt('b')] }, 'rule'],
  ['message_line', { settings: { maxLineLength: 90 }, lines: [hello, ...letter(100)] }],
  [
    'message_hops',
    { settings: { maxHops: 1 }, lines: [hello, ...letter(0).slice(0, 3), 'Received: x\r\nReceived: y\r\n\r\n.'] },
  ],
  ['recipients_per_message', { snapshot: { limits: { recipients: 1 } }, lines: [hello, mail, rcpt('b'), rcpt('c')] }],
  [
    'recipients_per_message',
    { snapshot: ruled('mail', { recipients: 1 }), lines: [hello, mail, rcpt('b'), rcpt('c')] },
    'rule',
  ],
  [
    'messages_per_address',
    { snapshot: perInterval('perAddress', { messages: 1 }), lines: [hello, ...letter(), ...letter()] },
  ],
  [
    'messages_per_tenant',
    { snapshot: perInterval('perTenant', { messages: 1 }), lines: [hello, ...letter(), ...letter()] },
  ],
  ['messages_per_user', ofUser({ messages: 1 }, [...letter(), ...letter()])],
  [
    'recipients_per_address',
    { snapshot: perInterval('perAddress', { recipients: 1 }), lines: [hello, ...letter(), ...letter()] },
  ],
  [
    'recipients_per_address',
    { snapshot: perInterval('perAddress', { recipients: 1 }), lines: [hello, mail, rcpt('b'), rcpt('c')] },
  ],
  [
    'recipients_per_tenant',
    { snapshot: perInterval('perTenant', { recipients: 1 }), lines: [hello, ...letter(), ...letter()] },
  ],
  ['recipients_per_user', ofUser({ recipients: 1 }, [...letter(), ...letter()])],
  [
    'bytes_per_address',
    { snapshot: perInterval('perAddress', { bytes: 99 }), lines: [hello, ...letter(60), ...letter(60)] },
  ],
  ['bytes_per_address', { snapshot: perInterval('perAddress', { bytes: 99 }), lines: [hello, ...letter(120)] }],
  [
    'bytes_per_tenant',
    { snapshot: perInterval('perTenant', { bytes: 99 }), lines: [hello, ...letter(60), ...letter(60)] },
  ],
  ['bytes_per_tenant', { snapshot: perInterval('perTenant', { bytes: 99 }), lines: [hello, `${mail} SIZE=120`] }],
  ['bytes_per_user', ofUser({ bytes: 99 }, [...letter(60), ...letter(60)])],
];

test('a rule that refuses by itself is no limit', async () => {
  expect(await refusedBy({ before: ofOne(tooMany, 'tempfail'), lines: [hello, mail, rcpt('b')] })).toEqual([]);
});

test.each(cases)('%s is named: %j', async (name, talk, setBy = 'settings') => {
  expect(await refusedBy(talk)).toEqual([{ name, setBy }]);
});

const session = (): Session =>
  openSession({
    id: 'S',
    listener: { name: 'mx', role: 'mx' },
    clientAddress: '192.0.2.1',
    clientPort: 1,
    localAddress: '::1',
    localPort: 25,
    startedAtMs: 0,
    tls: undefined,
    traceparent: '',
  });

const rate = { connectionRate: 1, intervalMs: 60_000 };
const perIpRate = { connectionRatePerIp: 1, intervalMs: 60_000 };

const beforeTheBanner: readonly [LimitName, object, RegExp][] = [
  ['connections', { connections: 1 }, /^too many connections now, try again later$/],
  [
    'connections_per_address',
    { connectionsPerIp: 1 },
    /^no more than 1 connection from your address, try again later$/,
  ],
  ['new_connections', rate, /^too many new connections now, try again in \d+ s$/],
  [
    'new_connections_per_address',
    perIpRate,
    /^no more than 1 new connection in 1m from your address, try again in \d+ s$/,
  ],
];

test.each(beforeTheBanner)('%s is named before the banner: %j', async (name, limits, text) => {
  const doubles = new Doubles();
  doubles.setSnapshot({ limits });
  const limiter = new ConnectionLimiter({ store: away, clock: new FakeClock(), service: 'smtp', incarnation: 'one' });
  await limiter.start();
  const admit = createAdmission({
    limiter,
    snapshot: () => doubles.snapshot,
    abuse: doubles.abuse,
    isDraining: () => false,
    overload: () => undefined,
    onDecided: () => undefined,
  });
  expect((await admit(session())).kind).toBe('admitted');
  expect(await admit(session())).toMatchObject({
    limit: { name, setBy: 'settings' },
    reply: { code: 421, text: expect.stringMatching(text) },
  });
  await limiter.stop();
});

test('handshakes_per_address is named before TLS', async () => {
  const doubles = new Doubles();
  doubles.setSnapshot({ limits: { connectionsPerIp: 1 } });
  open = await doubles.listen({ name: 'submissions-all', role: 'submissions' });
  const [held, refused] = [connect(open.port, '127.0.0.1'), connect(open.port, '127.0.0.1')];
  await once(refused.resume(), 'close');
  held.destroy();
  expect(named(doubles)).toEqual([{ name: 'handshakes_per_address', setBy: 'settings' }]);
});

test('failed_logins_per_account is named', async () => {
  const doubles = new Doubles();
  doubles.setSnapshot({ errorControl: { failedLoginsPerAccount: 1 } });
  const guard = withLoginGuard(
    {
      material: () => Promise.reject(new Error('unused')),
      standing: () => Promise.reject(new Error('unused')),
      verify: () => Promise.reject(new Error('unused')),
    },
    {
      attempts: { isOpen: async () => false, failed: async () => 1, succeeded: async () => undefined },
      snapshot: () => doubles.snapshot,
      clock: systemClock,
      onBarred: () => undefined,
      onDelayed: () => undefined,
    },
  );
  const question = { mechanism: 'PLAIN', username: 'a', parameters: {}, channelBinding: Buffer.alloc(0) };
  const answer = await guard.verify({ ...question, sessionId: 'S', clientAddress: '192.0.2.1' });
  doubles.verify = () => answer;
  open = await doubles.listen(submission);
  const client = await RawClient.open(open.port);
  await client.reply();
  await client.command(hello);
  expect(await client.command(login)).toMatch(/^454 /);
  client.destroy();
  expect(named(doubles)).toEqual([{ name: 'failed_logins_per_account', setBy: 'settings' }]);
});

test('header section', async () => {
  const doubles = new Doubles();
  doubles.evaluate = (request) => acceptAll(request, ContentPlan.HEADERS);
  open = await doubles.listen();
  const client = await RawClient.open(open.port);
  await client.reply();
  for (const line of [hello, ...letter().slice(0, 3), `${'X: y\r\n'.repeat(1_001)}\r\n.`]) await client.command(line);
  client.destroy();
  expect(named(doubles)).toEqual([{ name: 'message_headers', setBy: 'settings' }]);
});

test('no limit of the list is without a case, and each is counted by its name', async () => {
  const shown = new Set<LimitName>([...cases.map(([name]) => name), ...beforeTheBanner.map(([name]) => name)]);
  const elsewhere = new Set<LimitName>(['handshakes_per_address', 'failed_logins_per_account', 'message_headers']);
  expect(limitNames.filter((name) => !shown.has(name) && !elsewhere.has(name))).toEqual([]);
  const telemetry = captureTelemetry('edge', 'error');
  const journal = createTelemetryJournal({
    clock: systemClock,
    log: telemetry.log,
    metrics: edgeMetrics(telemetry.metrics),
    trace: { add: () => undefined, flush: () => undefined },
  });
  for (const name of limitNames) journal.record('edge.session.refused', session(), { limit: { name, setBy: 'rule' } });
  const text = await telemetry.metrics.text();
  for (const name of limitNames)
    expect(text).toContain(`postern_edge_limit_refusals_total{limit="${name}",set_by="rule"} 1`);
});
