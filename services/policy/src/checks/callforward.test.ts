/** The next hop is a real SMTP conversation; its answer is asked for once. */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { createServer } from 'node:net';
import { systemClock } from '@postern/clock';
import { createZone } from '@postern/dns/testing';
import { Action } from '@postern/proto/policy/v1/policy_service';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCallForward } from '../call-forward/call-forward.js';
import { askEnvelope, ground, settings } from '../testing/ground.js';

const commands: string[] = [];
const hop = createServer((socket) => {
  socket.on('error', () => undefined);
  socket.write('220 hop.test\r\n');
  socket.on('data', (octets) => {
    for (const line of octets.toString().split('\r\n').filter(Boolean)) {
      commands.push(line);
      if (line.includes('<unknown@')) socket.write('550 5.1.1 no such user\r\n');
      else if (line.includes('<busy@')) socket.write('450 4.2.1 try later\r\n');
      else if (line === 'QUIT') socket.end('221 bye\r\n');
      else socket.write('250 ok\r\n');
    }
  });
});
let port = 0;
beforeAll(async () => {
  await new Promise<void>((resolve) => hop.listen(0, '127.0.0.1', resolve));
  const bound = hop.address();
  port = typeof bound === 'object' && bound !== null ? bound.port : 0;
});
afterAll(() => {
  hop.close();
});

function here(to: number, validateRecipients = false, entries = {}) {
  const callForward = createCallForward({
    clock: systemClock,
    resolver: createZone({ 'hop.test': { A: ['127.0.0.1'] } }),
    redis: undefined,
    localName: 'mx.postern.test',
  });
  return ground({
    tools: { callForward },
    entries,
    snapshot: {
      ...settings({ callforward: {} }),
      domains: [{ name: 'here.test', tenant: 't1', validateRecipients, nextHop: 'hop', catchAll: '' }],
      nextHops: [{ name: 'hop', hosts: [{ host: 'hop.test', port: to }] }],
    },
  });
}

test('known passes, unknown is 550, what cannot be asked is 451; each is asked once', async () => {
  const at = here(port);
  const to = ['known@here.test', 'unknown@here.test', 'busy@here.test'];
  for (const _time of [1, 2]) {
    const { recipients } = await askEnvelope(at, { to });
    expect(recipients.map(({ decision }) => decision?.action)).toEqual([Action.ACCEPT, Action.REJECT, Action.TEMPFAIL]);
  }
  const asked = (name: string): number => commands.filter((line) => line === `RCPT TO:<${name}@here.test>`).length;
  expect([asked('known'), asked('unknown'), asked('busy')]).toEqual([1, 1, 2]);
  expect(commands).toContain('MAIL FROM:<>');
  expect(commands.some((line) => line.startsWith('DATA'))).toBe(false);
});

test('a next hop that is not there is 451, never unknown', async () => {
  const { recipients } = await askEnvelope(here(1));
  expect(recipients[0]?.decision?.action).toBe(Action.TEMPFAIL);
});

test.each([true, false])(
  'the next hop is asked for what the directory does not have (validateRecipients %s)',
  async (listed) => {
    const entries = { 'unknown@here.test': 'user', 'busy@here.test': ['far@far.test'] };
    commands.length = 0;
    const to = ['unknown@here.test', 'busy@here.test', 'known@here.test', 'unknown+tag@here.test'];
    const { recipients, findings } = await askEnvelope(here(port, listed, entries), { to });
    expect(recipients.map(({ decision }) => decision?.action)).toEqual(to.map(() => Action.ACCEPT));
    expect(commands.filter((line) => line.startsWith('RCPT'))).toEqual(['RCPT TO:<known@here.test>']);
    const told = (name: string) => findings.filter(({ check }) => check === name).map(({ outcome }) => outcome);
    expect(told('callforward')).toEqual(['listed', 'listed', 'known', 'listed']);
    expect(told('recipients')).toEqual(listed ? ['exists', 'expanded', 'forwarded', 'tagged'] : []);
  },
);

test.each<[string, boolean, number, Action, number]>([
  ['unknown@here.test', true, 0, Action.REJECT, 550],
  ['unknown@here.test', false, 0, Action.REJECT, 550],
  ['busy@here.test', true, 0, Action.TEMPFAIL, 451],
  ['who@here.test', true, 1, Action.TEMPFAIL, 451],
])('%s, nowhere in the directory (validateRecipients %s, port %i)', async (to, listed, at, action, code) => {
  const { recipients } = await askEnvelope(here(at || port, listed), { to: [to] });
  expect(recipients[0]?.decision).toMatchObject({ action, replyCode: code });
});

test.each([true, false])(
  'postmaster and abuse resolve whatever the next hop says (validateRecipients %s)',
  async (listed) => {
    const entries = { 'postmaster@here.test': 'user', 'abuse@here.test': 'user' };
    for (const at of [port, 1]) {
      const to = ['Postmaster@here.test', 'abuse@here.test'];
      const { recipients } = await askEnvelope(here(at, listed, entries), { to });
      expect(recipients.map(({ decision }) => decision?.action)).toEqual([Action.ACCEPT, Action.ACCEPT]);
    }
  },
);

test('a next hop that is late says nothing about those the directory has', async () => {
  const at = ground({
    tools: { callForward: { ask: () => new Promise(() => undefined) } },
    clock: systemClock,
    snapshot: settings({ callforward: { timeout: '100ms' } }),
  });
  const { recipients } = await askEnvelope(at, { to: ['user@here.test', 'who@here.test'] });
  expect(recipients.map(({ decision }) => decision?.replyCode)).toEqual([0, 451]);
});

test('a rule that skips it leaves the word to the directory', async () => {
  const rules = [{ event: 'mail', then: [{ skip: { check: 'callforward' } }] }];
  const tools = { callForward: { ask: async () => 'known' as const } };
  const snapshot = settings({ callforward: {} });
  const { recipients } = await askEnvelope(ground({ tools, rules, snapshot }), { to: ['who@here.test'] });
  expect(recipients[0]?.decision?.replyCode).toBe(550);
});

test('a next hop with a login is not asked, and the finding says why', async () => {
  const at = ground({
    tools: { callForward: { ask: () => Promise.reject(new Error('asked')) } },
    snapshot: {
      ...settings({ callforward: {} }),
      domains: [{ name: 'here.test', tenant: 't1', validateRecipients: true, nextHop: 'hop' }],
      nextHops: [{ name: 'hop', hosts: [{ host: 'hop.test', port: 587, username: 'postern' }] }],
    },
  });
  const { recipients, findings } = await askEnvelope(at, { to: ['who@here.test'] });
  expect(recipients[0]?.decision?.replyCode).toBe(451);
  expect(findings.find(({ check }) => check === 'callforward')?.evidence).toEqual({ reason: 'login' });
});
