/** Two edges over one Redis, clients of any address by a PROXY header, loopback being no client that could be banned. */
import { FakeClock, systemClock } from '@postern/clock';
import { BanBook, BanList, ErrorCounts, LoginAttempts, RedisLimitStore } from '@postern/flow-control';
import { Action, Decision } from '@postern/proto/policy/v1/policy_service';
import { withRedis } from '@postern/testkit';
import { RawClient } from '@postern/testkit/smtp';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { createAdmission } from '../admission.js';
import type { Listener } from '../listener.js';
import { openSession, type Session } from '../session.js';
import { acceptAll, Doubles } from '../testing/doubles.js';
import { createAbuseControl } from './abuse-control.js';
import { KnownClients } from './known-clients.js';
import { withLoginGuard } from './login-guard.js';

const redis = withRedis();
let store: RedisLimitStore;
const opened: Listener[] = [];

beforeAll(async () => {
  store = new RedisLimitStore({ url: redis.url, commandTimeoutMs: 5_000 });
  await store.ready(5_000);
});
afterEach(async () => {
  for (const listener of opened.splice(0)) {
    listener.destroy();
    await listener.drain();
  }
});
afterAll(() => store.close());

const control = {
  badCommands: 3,
  unknownRecipients: 2,
  failedLogins: 2,
  intervalMs: 60_000,
  banMs: 60_000,
  longestBanMs: 60_000,
};

async function edge(snapshot: object = {}) {
  const doubles = new Doubles();
  doubles.setSnapshot({ trustedProxies: ['127.0.0.1'], errorControl: control, ...snapshot });
  const bans = new BanList({ book: new BanBook(store), clock: systemClock });
  const counts = new ErrorCounts({ store, clock: systemClock, bans, onBanned: () => undefined });
  const abuse = createAbuseControl({
    snapshot: () => doubles.snapshot,
    bans,
    counts,
    known: new KnownClients(store),
    clock: systemClock,
  });
  doubles.abuse = abuse;
  const admit = createAdmission({
    limiter: { admit: async () => ({ kind: 'admitted', decidedBy: 'memory', lease: { release: () => undefined } }) },
    snapshot: () => doubles.snapshot,
    overload: () => undefined,
    isDraining: () => false,
    abuse,
    onDecided: () => undefined,
  });
  doubles.admit = admit;
  const listener = await doubles.listen();
  opened.push(listener);
  return { doubles, bans, counts, abuse, port: listener.port };
}

async function from(port: number, address: string, lines: readonly string[] = []): Promise<(string | undefined)[]> {
  const client = await RawClient.open(port);
  if (address !== '') client.send(`PROXY TCP4 ${address} 198.51.100.1 4711 25\r\n`);
  const replies = [await client.reply()];
  for (const line of lines) replies.push(await client.command(line));
  client.destroy();
  return replies;
}

const bad = ['FOO', 'BAR', 'BAZ'];
const unknown = ['EHLO c', 'MAIL FROM:<a@b.test>', 'RCPT TO:<x@example.test>', 'RCPT TO:<y@example.test>'];

test('an address that makes too many errors is refused by every pod, its neighbour is not', async () => {
  const [one, other] = [await edge(), await edge()];
  await from(one.port, '203.0.113.5', bad.slice(0, 2));
  await from(other.port, '203.0.113.5', bad.slice(0, 1));
  await one.counts.flush();
  await other.counts.flush();
  await one.bans.refresh();
  for (const { port } of [one, other]) {
    expect(await from(port, '203.0.113.5')).toEqual([
      expect.stringMatching(/^421 4\.7\.0 your address is refused for a time/),
    ]);
    expect(await from(port, '203.0.113.6')).toEqual([expect.stringMatching(/^220/)]);
  }
  expect(one.doubles.events.some(({ facts }) => facts?.detail?.reason === 'banned: 3 times bad command')).toBe(true);
});

test.each<[string, string, boolean]>([
  ['a trusted client', '', true],
  ['a stranger', '203.0.113.5', false],
])('a login of %s is told as such', async (_name, address, isTrusted) => {
  const { port, doubles } = await edge({ listeners: [{ name: 'mx', role: 'mx', authMechanismsPlain: ['PLAIN'] }] });
  await from(port, address, ['EHLO c', `AUTH PLAIN ${Buffer.from('\0user@example.test\0wrong').toString('base64')}`]);
  expect(doubles.logins.map((question) => question.isTrusted)).toEqual([isTrusted]);
});

test('unknown recipients count by themselves', async () => {
  const { port, doubles, counts, bans } = await edge();
  doubles.evaluate = (request) => {
    const answer = acceptAll(request);
    if (answer.kind !== 'verdict') return answer;
    const decision = { ...Decision.fromPartial({ action: Action.REJECT }) };
    const recipients = answer.verdict.recipients.map((recipient) => ({ ...recipient, decision }));
    return { kind: 'verdict', verdict: { ...answer.verdict, recipients } };
  };
  await from(port, '203.0.113.20', unknown);
  await counts.flush();
  expect(bans.find('203.0.113.20')?.reason).toBe('2 times unknown recipient');
});

test.each<[string, string, object, Partial<Session>]>([
  ['a trusted proxy that speaks for itself', '127.0.0.1', {}, {}],
  ['a trusted proxy elsewhere', '198.51.100.99', { trustedProxies: ['198.51.100.99'] }, {}],
  ['loopback', '127.0.0.9', { trustedProxies: [] }, {}],
  ['an address that stands for many', '10.0.0.1', {}, { addressSuspected: true }],
  [
    'a member of a trusted set',
    '192.0.2.3',
    { ipSets: [{ name: 'p', networks: ['192.0.2.3'], trusted: true }] },
    { ipSet: 'p' },
  ],
  [
    'a filter that may say XCLIENT',
    '192.0.2.4',
    { listeners: [{ name: 'mx', role: 'mx', xclientNetworks: ['192.0.2.4'] }] },
    {},
  ],
])('%s is never counted nor slowed down', async (_name, clientAddress, snapshot, facts) => {
  const { abuse, counts, bans } = await edge({
    errorControl: {
      ...control,
      badCommands: 1,
      tarpitErrors: 1,
      tarpitDelayMs: 50,
      longestTarpitMs: 50,
      pregreetMs: 9,
    },
    ...snapshot,
  });
  const session = { ...sessionOf(clientAddress), ...facts, errors: 9 };
  abuse.failed(session, 'bad_command');
  await counts.flush();
  expect(bans.find(clientAddress)).toBeUndefined();
  expect(abuse.tarpitMs(session)).toBe(0);
  expect(abuse.beforeBanner(session)).toBeUndefined();
  // Whoever stands behind an address of many may guess passwords.
  expect(abuse.isTrusted(session)).toBe(!session.addressSuspected);
  const stranger = { ...sessionOf('203.0.113.77'), errors: 9 };
  expect(abuse.tarpitMs(stranger)).toBe(50);
  expect(abuse.isTrusted(stranger)).toBe(false);
});

test('a ban put there by hand never hits a trusted proxy', async () => {
  const { abuse, bans } = await edge();
  await new BanBook(store).add('127.0.0.1', 60_000, 'k', 'x');
  await new BanBook(store).add('203.0.113.40', 60_000, 'k', 'x');
  await bans.refresh();
  expect(abuse.banned(sessionOf('127.0.0.1'))).toBeUndefined();
  expect(abuse.banned(sessionOf('203.0.113.40'))).toBe('x');
});

function sessionOf(clientAddress: string): Session {
  return openSession({
    id: 'S',
    listener: { name: 'mx', role: 'mx' },
    clientAddress,
    clientPort: 1,
    localAddress: '127.0.0.1',
    localPort: 25,
    startedAtMs: 0,
    tls: undefined,
    traceparent: '',
  });
}

test('answers to errors come later and later', async () => {
  const { abuse } = await edge({
    errorControl: { tarpitErrors: 3, tarpitDelayMs: 100, longestTarpitMs: 250 },
  });
  const delays = [0, 2, 3, 4, 5, 50].map((errors) => abuse.tarpitMs({ ...sessionOf('203.0.113.1'), errors }));
  expect(delays).toEqual([0, 0, 100, 200, 250, 250]);
});

test('a session with errors is answered late, one without at once', async () => {
  const { port } = await edge({ errorControl: { tarpitErrors: 1, tarpitDelayMs: 120, longestTarpitMs: 120 } });
  const begun = performance.now();
  await from(port, '203.0.113.50', ['FOO']);
  const quick = performance.now() - begun;
  await from(port, '203.0.113.50', ['FOO', 'BAR']);
  expect(performance.now() - begun - quick).toBeGreaterThan(115);
  expect(quick).toBeLessThan(115);
});

test('only a client that is not known waits for its banner; one that speaks meanwhile is sent away', async () => {
  const [one, other] = [
    await edge({ errorControl: { pregreetMs: 1_000 } }),
    await edge({ errorControl: { pregreetMs: 1_000 } }),
  ];
  const timed = async (port: number) => {
    const begun = performance.now();
    expect(await from(port, '203.0.113.60')).toEqual([expect.stringMatching(/^220/)]);
    return performance.now() - begun;
  };
  expect(await timed(one.port)).toBeGreaterThan(990);
  const hasty = await RawClient.open(one.port);
  hasty.send('PROXY TCP4 203.0.113.61 198.51.100.1 4711 25\r\nEHLO spam\r\n');
  expect(await hasty.reply()).toMatch(/^421 4\.7\.0 client spoke before its turn/);
  one.abuse.delivered(sessionOf('203.0.113.60'));
  expect(await timed(one.port)).toBeLessThan(900);
  // The other pod asks the store while it waits; what `one` learned is there a moment later.
  await vi.waitFor(async () => expect(await timed(other.port)).toBeLessThan(900), { timeout: 10_000 });
});

test('failed logins are answered later and later over all pods; beyond the limit only known addresses are heard', async () => {
  const slept: number[] = [];
  const clock = Object.assign(new FakeClock(), { sleep: async (ms: number) => void slept.push(ms) });
  const doubles = new Doubles();
  doubles.setSnapshot({
    errorControl: { failedLoginsPerAccount: 3, intervalMs: 60_000, loginDelayMs: 100, longestLoginDelayMs: 250 },
  });
  let barred = 0;
  const delays: number[] = [];
  const guard = () =>
    withLoginGuard(
      {
        material: async () => doubles.material,
        standing: () => Promise.reject(new Error('unused')),
        verify: async (question) => doubles.verify(question),
      },
      {
        attempts: new LoginAttempts(store, clock),
        snapshot: () => doubles.snapshot,
        clock,
        onBarred: () => void barred++,
        onDelayed: (seconds) => void delays.push(seconds),
      },
    );
  const [one, other] = [guard(), guard()];
  const attempt = (port: ReturnType<typeof guard>, clientAddress: string, password: string, isTrusted = false) =>
    port.verify({
      isTrusted,
      mechanism: 'PLAIN',
      username: 'User@example.test'.toLowerCase(),
      parameters: { password: Buffer.from(password) },
      channelBinding: Buffer.alloc(0),
      sessionId: 's',
      clientAddress,
    });
  const right = 'Correct-horse-7-battery';
  const trusted = '198.51.100.80';
  // Guesses through a trusted client are bounded, but neither slowed down nor felt by anybody else.
  for (let guess = 0; guess < 3; guess++)
    expect(await attempt(one, trusted, 'guess', true)).toMatchObject({ kind: 'denied' });
  expect(await attempt(other, trusted, right, true)).toMatchObject({ kind: 'unavailable' });
  expect([slept, delays, barred]).toEqual([[], [], 1]);
  expect(await attempt(one, '192.0.2.1', right)).toMatchObject({ kind: 'verified' });
  for (const port of [one, other, one])
    expect(await attempt(port, '203.0.113.9', 'guess')).toMatchObject({ kind: 'denied' });
  expect(slept).toEqual([100, 200, 250]);
  expect(delays).toEqual([0.1, 0.2, 0.25]);
  expect(await attempt(other, '203.0.113.10', right)).toMatchObject({ kind: 'unavailable' });
  expect(barred).toBe(2);
  expect(await attempt(other, '192.0.2.1', right)).toMatchObject({ kind: 'verified' });
  expect(await attempt(other, '203.0.113.10', right)).toMatchObject({ kind: 'verified' });
  expect(await attempt(other, trusted, right, true)).toMatchObject({ kind: 'unavailable' });
});
