/** What one session can make log and trace say is bounded, whatever the code of its refusals; everything is counted. */
import { systemClock } from '@postern/clock';
import type { TraceEvent } from '@postern/proto/mail/v1/trace';
import { captureTelemetry } from '@postern/telemetry/testing';
import type { RawClient } from '@postern/testkit/smtp';
import { expect, test } from 'vitest';
import { edgeMetrics } from './metrics.js';
import { createTelemetryJournal } from './telemetry-journal.js';
import { Doubles } from './testing/doubles.js';
import { greeted, withFront } from './testing/front.js';

const front = withFront();

class Told extends Doubles {
  readonly traced: TraceEvent[] = [];
  readonly telemetry = captureTelemetry('edge', 'info');
  override readonly journal = createTelemetryJournal({
    clock: systemClock,
    log: this.telemetry.log,
    metrics: edgeMetrics(this.telemetry.metrics),
    trace: { add: (event) => void this.traced.push(event), flush: () => undefined },
  });

  of(name: string): TraceEvent[] {
    return this.traced.filter(({ event }) => event === name);
  }
}

async function answers(client: RawClient, lines: readonly string[]): Promise<(string | undefined)[]> {
  client.send(lines.map((line) => `${line}\r\n`).join(''));
  const heard: (string | undefined)[] = [];
  for (;;) {
    const reply = await client.reply();
    heard.push(reply);
    if (reply === undefined || heard.length === lines.length) return heard;
  }
}

const recipients = (count: number): string[] =>
  Array.from({ length: count }, (_, at) => `RCPT TO:<r${at}@example.test>`);

test('a large group of recipients is put off in part, and its message taken', async () => {
  const doubles = new Told();
  doubles.setSnapshot({ limits: { recipients: 1_000 } });
  const listener = await front.start(doubles);
  const client = await greeted(listener.port, ['EHLO c.test', 'MAIL FROM:<a@sender.test>']);
  const heard = await answers(client, recipients(2_000));
  expect(heard.filter((reply) => reply?.startsWith('250'))).toHaveLength(1_000);
  expect(heard.filter((reply) => reply?.startsWith('452'))).toHaveLength(1_000);
  await client.command('DATA');
  expect(await client.command('Subject: x\r\n\r\nx\r\n.')).toMatch(/^250 /);
  client.destroy();
  await expect.poll(() => doubles.of('edge.refusals.untold')).toMatchObject([{ detail: { recipient: '900' } }]);
  expect(doubles.of('edge.recipient.rejected')).toHaveLength(100);
  const metrics = await doubles.telemetry.metrics.text();
  expect(metrics).toContain('postern_edge_recipients_total{reply_class="2xx"} 1000');
  expect(metrics).toContain('postern_edge_recipients_total{reply_class="4xx"} 1000');
  expect(doubles.of('edge.recipient.accepted')).toEqual([]);
});

test.each<[string, string, readonly string[], number]>([
  ['recipients', 'edge.recipient.rejected', ['MAIL FROM:<a@sender.test>', ...recipients(20_000)], 10_001],
  ['senders', 'edge.sender.rejected', new Array<string>(2_000).fill('MAIL FROM:<a@sender.test>'), 999],
])('a session that is put off for ever is ended: %s', async (name, event, lines, most) => {
  const doubles = new Told();
  doubles.setSnapshot({ limits: { recipients: 1 } });
  if (name === 'senders') doubles.overloaded = 'test';
  const listener = await front.start(doubles);
  const client = await greeted(listener.port, ['EHLO c.test']);
  const heard = (await answers(client, lines)).filter((reply) => reply?.startsWith('250') !== true);
  expect(heard.slice(-2)).toEqual([expect.stringMatching(/^421 4\.7\.0 /), undefined]);
  expect(heard.length).toBeLessThanOrEqual(most + 3);
  expect(heard.length).toBeGreaterThan(most - 3);
  expect(doubles.of(event)).toHaveLength(100);
  expect(doubles.traced.length).toBeLessThan(110);
  expect(doubles.of('edge.session.aborted')).toHaveLength(1);
  const limit = 'deferrals_per_session';
  expect(await doubles.telemetry.metrics.text()).toContain(`postern_edge_sessions_aborted_total{reason="${limit}"} 1`);
});

test('refusals alike are numbered in the trace, so that none of them is taken for another one told twice', async () => {
  const doubles = new Told();
  const listener = await front.start(doubles);
  const client = await greeted(listener.port, ['EHLO c.test']);
  await answers(client, ['FOO', 'FOO', 'MAIL FROM:<', 'MAIL FROM:<', 'FOO']);
  client.destroy();
  const nth = (event: string) => doubles.of(event).map(({ detail }) => detail.nth);
  expect(nth('edge.command.rejected')).toEqual(['1', '2', '3']);
  expect(nth('edge.sender.rejected')).toEqual(['1', '2']);
});

test('a recipient named again and again is put off in the end, and so is the session', async () => {
  const listener = await front.start(new Told());
  const client = await greeted(listener.port, ['EHLO c.test', 'MAIL FROM:<a@sender.test>']);
  const heard = await answers(client, new Array<string>(30_000).fill('RCPT TO:<r@example.test>'));
  expect(heard.filter((reply) => reply?.startsWith('250'))).toHaveLength(10_001);
  expect(heard.length).toBeLessThan(20_100);
  expect(heard.slice(-2)).toEqual([expect.stringMatching(/^421 4\.7\.0 /), undefined]);
});

test.each<[string, (doubles: Told) => void, string]>([
  ['drain', (doubles) => (doubles.draining = true), 'NOOP'],
  ['noise', () => undefined, '\x16\x03\x01'],
  ['refused', () => undefined, `BDAT ${'9'.repeat(12)}`],
  ['idle_commands_per_session', () => undefined, 'NOOP\r\n'.repeat(101)],
])('why a session was ended is counted: %s', async (reason, before, line) => {
  const doubles = new Told();
  const listener = await front.start(doubles);
  const client = await greeted(listener.port, [
    'EHLO c.test',
    'MAIL FROM:<a@sender.test>',
    'RCPT TO:<b@example.test>',
    'RSET',
  ]);
  before(doubles);
  client.send(`${line}\r\n`);
  await client.closed();
  expect(await doubles.telemetry.metrics.text()).toContain(`postern_edge_sessions_aborted_total{reason="${reason}"} 1`);
});

const letter = ['MAIL FROM:<a@s.test>', 'RCPT TO:<b@example.test>', 'DATA', 'Subject: x\r\n\r\nx\r\n.'];
const badLogin = `AUTH PLAIN ${Buffer.from('\0user@example.test\0wrong').toString('base64')}`;

test.each<[metric: string, snapshot: object, lines: readonly string[], detail: object]>([
  [
    'errors_per_session',
    { limits: { errorsPerSession: 2 } },
    ['NONSENSE', 'NONSENSE'],
    { reason: 'limits.errorsPerSession: 2 wrong or failed commands a session', command: 'unknown command NONSENSE' },
  ],
  [
    'failed_logins_per_session',
    {},
    [badLogin, badLogin, badLogin],
    { reason: 'edge.maxAuthFailures: 3 failed logins a session', command: 'AUTH' },
  ],
  [
    'failed_logins_per_session',
    { errorControl: { failedLoginsPerSession: 1 } },
    [badLogin],
    { reason: 'errorControl.failedLoginsPerSession: 1 failed logins a session', command: 'AUTH' },
  ],
  [
    'messages_per_session',
    { limits: { messagesPerSession: 1 } },
    [...letter, 'MAIL FROM:<a@s.test>'],
    { reason: 'limits.messagesPerSession: 1 messages a session', command: 'MAIL' },
  ],
  [
    'bytes_per_session',
    { limits: { bytesPerSession: 10 } },
    [...letter.slice(0, 3), 'x\r\n.', 'MAIL FROM:<a@s.test> SIZE=9'],
    { reason: 'limits.bytesPerSession: 10 bytes a session', command: 'MAIL' },
  ],
  [
    'idle_commands_per_session',
    {},
    new Array<string>(101).fill('NOOP'),
    { reason: '100 commands that move no mail', command: 'idle commands' },
  ],
])('the end of a session names the limit and its value: %s with %j', async (metric, snapshot, lines, detail) => {
  const doubles = new Told();
  doubles.setSnapshot(snapshot);
  const submission = { name: 'submission-optional', role: 'submission' } as const;
  const listener = await front.start(doubles, lines.includes(badLogin) ? submission : undefined);
  const client = await greeted(listener.port, ['EHLO c.test']);
  for (const line of lines) await client.command(line);
  await client.closed();
  await expect.poll(() => doubles.of('edge.session.aborted')).toMatchObject([{ detail }]);
  const text = await doubles.telemetry.metrics.text();
  expect(text).toContain(`postern_edge_sessions_aborted_total{reason="${metric}"} 1`);
  expect(text.match(/limit_refusals_total\{limit="(\w+)",set_by="settings"\} [1-9]/g)).toEqual([
    `limit_refusals_total{limit="${metric}",set_by="settings"} 1`,
  ]);
});

test('how late answers to errors come is measured', async () => {
  const doubles = new Told();
  doubles.abuse = { ...doubles.abuse, tarpitMs: () => 20 };
  const listener = await front.start(doubles);
  const client = await greeted(listener.port, ['NONSENSE', 'NONSENSE']);
  client.destroy();
  const text = await doubles.telemetry.metrics.text();
  expect(text).toContain('postern_edge_answer_delay_seconds_count{kind="tarpit"} 2');
});
