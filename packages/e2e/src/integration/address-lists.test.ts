/**
 * Block and allow lists on the wire: what they spare and refuse, by whatever name and spelling, is the same before and after somebody else sets something, and
 * simulation says it too (invariants 6 and 10).
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildMessage, type SmtpReply, stuff } from '@postern/testkit/smtp';
import { expect, test } from 'vitest';
import { users, withMailWorld } from './mail-world.js';

const account = (user: string, checks?: object) => ({
  address: `${user}@acme.test`,
  password: 'correct-horse-battery',
  ...(checks === undefined ? {} : { checks }),
});
const world = withMailWorld({
  edges: 1,
  zone: {
    'client.test': { A: ['127.0.0.1'] },
    'xn--bcher-kva.test': { MX: [[10, 'mx.good.test']] },
    '9.0.0.127.bl.test': { A: ['127.0.0.2'] },
    '10.0.0.127.bl.test': { A: ['127.0.0.2'] },
    'links.test.uri.test': { A: ['127.0.0.2'] },
  },
  config: {
    checks: {
      dnsbl: { enabled: true, zones: ['bl.test'], selfTest: false, onFail: 'reject' },
      uribl: { enabled: true, zones: ['uri.test'], selfTest: false, onFail: 'reject' },
      helo: { enabled: true, onFail: 'reject' },
      sender: { enabled: true, onFail: 'reject' },
      lists: { allow: ['127.0.0.10', 'friend@plain.test'], block: ['xn--bcher-kva.test'] },
    },
    tenants: [
      {
        name: 'acme',
        domains: [{ name: 'acme.test', nextHop: 'hop' }],
        users: [
          ...users.filter((user) => user !== 'carol' && user !== 'dave').map((user) => account(user)),
          account('carol', { lists: { block: ['good.test'] } }),
          account('dave', { lists: { allow: ['any@plain.test'] } }),
        ],
        aliases: [{ address: 'sales@acme.test', targets: ['carol@acme.test'] }],
      },
      { name: 'other', domains: [{ name: 'other.test', nextHop: 'hop', validateRecipients: false }] },
    ],
  },
});

interface Letter {
  readonly from?: string;
  readonly author?: string;
  readonly to?: string;
  readonly client?: string;
  readonly helo?: string;
  readonly link?: boolean;
}

const listed = '127.0.0.9';
const letters: readonly (readonly [string, Letter, string])[] = [
  ['a listed client', { client: listed }, '554 5.7.1'],
  ['a listed client that is allowed', { client: '127.0.0.10' }, '250 2.6.0'],
  ['a sender that is allowed, from a listed client', { from: 'friend@plain.test', client: listed }, '250 2.6.0'],
  ['a sender that is allowed, with a bare greeting', { from: 'friend@plain.test', helo: 'foo' }, '250 2.6.0'],
  ['a bare greeting', { helo: 'foo' }, '550 5.7.1'],
  ['a sender the user allows', { client: listed, to: 'dave@acme.test' }, '250 2.6.0'],
  ['by a +tag in another case', { client: listed, to: 'Dave+x@acme.test' }, '250 2.6.0'],
  ['another user', { client: listed, to: 'bob@acme.test' }, '554 5.7.1'],
  ['a listed link', { link: true }, '550 5.7.1'],
  ['a listed link to whom allows the sender', { link: true, to: 'dave@acme.test' }, '250 2.6.0'],
  ['a sender the user blocks', { from: 'x@good.test', to: 'carol@acme.test' }, '550 5.7.1'],
  ['by another case', { from: 'x@good.test', to: 'Carol@acme.test' }, '550 5.7.1'],
  ['by a +tag', { from: 'x@good.test', to: 'carol+x@acme.test' }, '550 5.7.1'],
  ['by an alias', { from: 'x@good.test', to: 'sales@acme.test' }, '550 5.7.1'],
  ['an author the user blocks', { author: 'x@good.test', to: 'sales@acme.test' }, '550 5.7.1'],
  ['to another user', { from: 'x@good.test' }, '250 2.6.0'],
  ['a blocked domain in A-labels', { from: 'a@xn--bcher-kva.test' }, '550 5.7.1'],
  ['a blocked domain in U-labels', { from: 'a@bücher.test' }, '550 5.7.1'],
];

function described({ from = 'any@plain.test', author = from, to = 'bob@acme.test', link = false }: Letter): Buffer {
  return Buffer.concat([buildMessage({ from: author, to }), Buffer.from(link ? 'http://links.test/\r\n' : '')]);
}

const codes = ({ code, text }: SmtpReply): string => `${code} ${/^\d\.\d+\.\d+/.exec(text)?.[0] ?? ''}`;

async function said(letter: Letter): Promise<string> {
  const { from = 'any@plain.test', to = 'bob@acme.test', client = '127.0.0.1', helo } = letter;
  const sender = await world.speak('mx', { localAddress: client });
  try {
    if (helo !== undefined) await sender.command(`EHLO ${helo}`);
    const parameters = /[^\0-\x7f]/.test(from) ? ' SMTPUTF8' : '';
    for (const command of [`MAIL FROM:<${from}>${parameters}`, `RCPT TO:<${to}>`, 'DATA']) {
      const reply = await sender.command(command);
      if (reply.code >= 400) return codes(reply);
    }
    sender.write(stuff(described(letter)));
    return codes(await sender.command('.'));
  } finally {
    sender.destroy();
  }
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;

async function simulated(letter: Letter): Promise<string> {
  const { from = 'any@plain.test', to = 'bob@acme.test', client = '127.0.0.1', helo = 'client.test' } = letter;
  const file = join(world.cluster.dataDir, 'letter.eml');
  await writeFile(file, described(letter));
  const told = await world.cluster.ctlJson(
    ...['simulate', '--client', client, '--helo', helo, '--from', from, '--to', to, '--no-tls', '--message', file],
  );
  const replies = fieldOf(told, 'replies');
  if (!Array.isArray(replies)) throw new Error(JSON.stringify(told));
  const lines = replies.map(
    (reply) => `${String(fieldOf(reply, 'replyCode'))} ${String(fieldOf(reply, 'enhancedCode'))}`,
  );
  return lines.find((line) => /^[45]/.test(line)) ?? lines.at(-1) ?? '';
}

const wanted = Object.fromEntries(letters.map(([name, , codesOf]) => [name, codesOf]));

async function all(ask: (letter: Letter) => Promise<string>): Promise<Record<string, string>> {
  const heard: Record<string, string> = {};
  for (const [name, letter] of letters) heard[name] = await ask(letter);
  return heard;
}

test('lists spare and refuse on the wire, and simulation says the same', async () => {
  expect(await all(said)).toEqual(wanted);
  expect(await all(simulated)).toEqual(wanted);
});

test('and whatever another tenant sets', async () => {
  const { cluster } = world;
  expect((await cluster.ctl('tenant', 'set', 'other', 'spf.onSoftfail=tag', 'lists.block=[good.test]')).code).toBe(0);
  await expect
    .poll(() => said({ from: 'x@good.test', to: 'x@other.test' }), { timeout: 10_000, interval: 50 })
    .toBe('550 5.7.1');
  expect(await all(said)).toEqual(wanted);
});
