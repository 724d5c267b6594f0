/**
 * A rule of the operator that spares one recipient a check of content, and two tenants: the recipients come apart, the one is refused and the other has its
 * mail, simulation says what the wire says, and what each tenant has recorded is judged again the same.
 */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type SmtpReply, stuff } from '@postern/testkit/smtp';
import { beforeAll, expect, test, vi } from 'vitest';
import { password, withMailWorld } from './mail-world.js';

const bob = 'bob@acme.test';
const spared = 'anyone@open.test';
const world = withMailWorld({
  zone: { '_dmarc.bank.test': { TXT: ['v=DMARC1; p=reject'] }, 'bank.test': { MX: [[10, 'mx.good.test']] } },
  config: {
    checks: { dmarc: { onFail: 'reject' } },
    tenants: [
      { name: 'acme', domains: [{ name: 'acme.test', nextHop: 'hop' }], users: [{ address: bob, password }] },
      { name: 'open', domains: [{ name: 'open.test', nextHop: 'hop', validateRecipients: false }] },
    ],
    rules: [
      {
        id: 'spares-open',
        event: 'rcpt',
        when: 'recipient.domain == "open.test"',
        then: [{ skip: { check: 'dmarc' } }],
      },
    ],
  },
});
const patience = { timeout: 30_000, interval: 300 };
const data = Buffer.from('From: boss@bank.test\r\nTo: you\r\nSubject: pay\r\n\r\nnow\r\n');

const taken = '250 2.1.5 recipient OK';
const apart = '452 4.5.3 send this recipient in a separate transaction';
const refused = expect.stringMatching(/^550 5\.7\.1 /);
const queued = expect.stringMatching(/^250 2\.6\.0 queued as/);

const line = ({ code, text }: SmtpReply): string => `${code} ${text.replace(/ \([0-9A-Z]{26}\)$/, '')}`;
let sessionId = '';

/** Answers to each RCPT and, where one was taken, to the message. */
async function said(to: readonly string[]): Promise<string[]> {
  const sender = await world.speak('mx');
  try {
    expect((await sender.command('MAIL FROM:<a@good.test>')).code).toBe(250);
    const replies: SmtpReply[] = [];
    for (const address of to) replies.push(await sender.command(`RCPT TO:<${address}>`));
    expect((await sender.command('DATA')).code).toBe(354);
    sender.write(stuff(data));
    replies.push(await sender.command('.'));
    sessionId = replies.map(({ text }) => /\(([0-9A-Z]{26})\)$/.exec(text)?.[1] ?? '').find((id) => id !== '') ?? '';
    return replies.map(line);
  } finally {
    sender.destroy();
  }
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;

async function simulated(to: readonly string[]): Promise<string[]> {
  const file = join(world.cluster.dataDir, 'described.eml');
  await writeFile(file, data);
  const replies = fieldOf(
    await world.cluster.ctlJson(
      ...['simulate', '--client', '127.0.0.1', '--helo', 'client.test', '--from', 'a@good.test', '--no-tls'],
      ...to.flatMap((address) => ['--to', address]),
      ...['--message', file],
    ),
    'replies',
  );
  if (!Array.isArray(replies)) throw new Error('no replies');
  return replies
    .filter((reply) => Number(fieldOf(reply, 'stage')) >= 5)
    .map((reply) => ['replyCode', 'enhancedCode', 'text'].map((name) => String(fieldOf(reply, name) ?? '')).join(' '));
}

beforeAll(async () => {
  for (const tenant of ['acme', 'open'])
    expect((await world.cluster.ctl('session', 'record', 'on', '--tenant', tenant)).code).toBe(0);
});

test.each<[to: readonly string[], answers: readonly unknown[]]>([
  [[bob], [taken, refused]],
  [[spared], [taken, queued]],
  [
    [bob, spared],
    [taken, apart, refused],
  ],
  [
    [spared, bob],
    [taken, apart, queued],
  ],
  [
    [spared, 'other@open.test'],
    [taken, taken, queued],
  ],
])('%j: on the wire and simulated', async (to, answers) => {
  expect(await said(to)).toEqual(answers);
  expect(await simulated(to)).toEqual(answers);
});

test.each([[[bob, spared]], [[spared, bob]]])(
  '%j: recorded for both tenants, and judged again the same',
  async (to) => {
    await vi.waitFor(async () => {
      await said(to);
      for (const tenant of ['acme', 'open']) {
        const again = await world.cluster.ctlJson('simulate', '--tenant', tenant, '--recorded', sessionId);
        expect({ tenant, same: fieldOf(again, 'same') }).toEqual({ tenant, same: true });
      }
    }, patience);
  },
);
