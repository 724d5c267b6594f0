/** Tarpit and pregreet in a running cluster (rows C5, F11): who errs waits, who does not never does; who speaks first is sent away, who is known is greeted at once. */
import { freePort } from '@postern/local';
import { buildMessage, SmtpSender } from '@postern/testkit/smtp';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { explained, sessionIdOf } from './explanation.js';
import { withMailWorld } from './mail-world.js';

const waitMs = 2_000;
const lateMs = 1_000;
const port = await freePort();
// Clients come through a proxy: loopback itself is never slowed down.
const world = withMailWorld({
  config: {
    trustedProxies: ['127.0.0.0/8'],
    edge: { moreListeners: [{ name: 'front', role: 'mx', address: `127.0.0.1:${port}`, proxyProtocol: true }] },
    listeners: { front: { role: 'mx' } },
    errorControl: {
      tarpitErrors: 2,
      tarpitDelay: `${lateMs}ms`,
      longestTarpit: `${lateMs}ms`,
      pregreetWait: `${waitMs}ms`,
    },
    checks: Object.fromEntries(['spf', 'dkim', 'dmarc'].map((check) => [check, { enabled: false }])),
  },
});

let opened: SmtpSender[] = [];
afterEach(() => {
  for (const sender of opened) sender.destroy();
  opened = [];
});

async function from(client: string): Promise<SmtpSender> {
  const sender = await SmtpSender.open({ port });
  opened.push(sender);
  sender.write(`PROXY TCP4 ${client} 192.0.2.25 40000 25\r\n`);
  return sender;
}

async function timed<T>(act: () => Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const start = performance.now();
  const value = await act();
  return { value, ms: performance.now() - start };
}

const greeted = (client: string) => timed(async () => (await from(client)).greet());

beforeAll(async () => {
  // The way is open.
  await greeted('198.51.100.1');
});

test('pregreet: a stranger waits for its banner; after a message it is greeted at once, its neighbour is not', async () => {
  const first = await greeted('198.51.100.20');
  expect(first.value.code).toBe(250);
  expect(first.ms).toBeGreaterThan(waitMs - 50);
  const sender = opened.at(-1);
  const letter = { from: 'x@good.test', to: ['bob@acme.test'] };
  const data = buildMessage({ from: letter.from, to: 'bob@acme.test', id: 'known' });
  expect((await sender?.send({ ...letter, data }))?.code).toBe(250);
  expect((await greeted('198.51.100.20')).ms).toBeLessThan(waitMs / 2);
  expect((await greeted('198.51.100.21')).ms).toBeGreaterThan(waitMs - 50);
});

test('pregreet: who speaks before the banner is sent away before it, and that is explained', async () => {
  const talker = await from('198.51.100.30');
  talker.write('EHLO hasty.test\r\n');
  const { value: reply, ms } = await timed(() => talker.reply());
  expect(`${reply.code} ${reply.text}`).toMatch(/^421 /);
  expect(ms).toBeLessThan(waitMs);
  await explained(world.cluster, sessionIdOf(reply), 'edge.session.aborted', 'early talker');
});

test('tarpit: answers to errors come late from the mark on; commands that are right do not, nor others', async () => {
  const wrong = await from('198.51.100.40');
  await wrong.greet();
  const delays: number[] = [];
  for (let errors = 0; errors < 4; errors++) {
    const { value, ms } = await timed(() => wrong.command('NONSENSE'));
    expect(value.code).toBe(500);
    delays.push(ms);
  }
  expect(delays[0]).toBeLessThan(lateMs / 2);
  for (const ms of delays.slice(2)) expect(ms).toBeGreaterThan(lateMs - 50);
  expect((await timed(() => wrong.command('NOOP'))).ms).toBeLessThan(lateMs / 2);

  const other = await from('198.51.100.41');
  await other.greet();
  const slow = wrong.command('NONSENSE');
  expect((await timed(() => other.command('NONSENSE'))).ms).toBeLessThan(lateMs / 2);
  expect((await slow).code).toBe(500);
});

test('tarpit: a pipelined group of recipients waits for each refused one as if it had come alone', async () => {
  const sender = await from('198.51.100.50');
  await sender.greet();
  const unknown = [0, 1, 2, 3].map((index) => `RCPT TO:<nobody${index}@acme.test>\r\n`);
  const start = performance.now();
  sender.write(`MAIL FROM:<x@good.test>\r\n${unknown.join('')}RCPT TO:<bob@acme.test>\r\n`);
  const told: [code: number, lates: number][] = [];
  for (let replies = 0; replies < 6; replies++) {
    const { code } = await sender.reply();
    told.push([code, Math.floor((performance.now() - start + 50) / lateMs)]);
  }
  expect(told).toEqual([
    [250, 0],
    [550, 0],
    [550, 0],
    [550, 1],
    [550, 2],
    [250, 2],
  ]);
});
