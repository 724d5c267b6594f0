/**
 * The kinds of sessions and how often each comes. A kind knows what must never happen to it; what must never happen to any (a malformed reply,
 * silence, a process that dies) is judged elsewhere. Attack classes: anchors.md §6.
 */

import { chunkedTransaction } from './chunks.js';
import { anyCommand, hello, mail, mutate, rcpt } from './grammar.js';
import type { Chance } from './random.js';
import {
  illegalTransaction,
  legalTransaction,
  looseTransaction,
  type SessionContext,
  smugglingTransaction,
} from './transactions.js';

export type ListenerName = 'mx' | 'submission' | 'submissions';

export interface SessionKind {
  readonly name: string;
  readonly weight: number;
  readonly listeners: readonly [ListenerName, ...ListenerName[]];
  /** Plain octets on the listener that expects TLS. */
  readonly withoutTls?: boolean;
  run(context: SessionContext): Promise<void>;
}

const mx: readonly [ListenerName] = ['mx'];
const any: readonly [ListenerName, ...ListenerName[]] = ['mx', 'mx', 'mx', 'submission'];

async function valid(context: SessionContext): Promise<void> {
  const { client } = context;
  if (!(await client.greet())) return;
  if (client.chance.yes(0.06)) {
    if ((await client.command('STARTTLS'))?.code !== 220 || !(await client.startTls())) return;
    await client.command('EHLO again.test');
  }
  for (let number = client.chance.between(1, 2); number > 0; number--) await legalTransaction(context, number);
  await client.quit();
}

async function outOfOrder({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  await client.reply();
  for (let left = chance.between(2, 20); left > 0 && !client.closed; left--) {
    const line = chance.pick([
      anyCommand,
      () => 'DATA',
      () => 'RSET',
      () => 'EHLO again.test',
      () => 'MAIL FROM:<a@sender.test>',
      () => 'RCPT TO:<b@fuzz.test>',
      () => '.',
    ])(chance);
    const reply = await client.command(line);
    if (reply?.code === 354) {
      await client.say('no header here\r\n.\r\n');
      await client.reply();
    }
  }
  await client.hangUp();
}

async function brokenParameters({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  if (!(await client.greet())) return client.hangUp();
  for (let left = chance.between(1, 8); left > 0; left--) {
    await client.command(mail(chance));
    for (let more = chance.between(0, 3); more > 0; more--) await client.command(rcpt(chance));
    if (chance.yes(0.3)) await client.command('RSET');
  }
  await client.hangUp();
}

async function longLines({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  if (!(await client.greet())) return client.hangUp();
  const length = chance.pick([510, 512, 513, 998, 1_000, 2_047, 2_048, 2_049, 12_287, 12_289, 20_000, 70_000]);
  const start = chance.pick(['NOOP ', 'MAIL FROM:<', 'RCPT TO:<', 'EHLO ', 'AUTH PLAIN ', 'X', '']);
  const line = start + chance.pick(['x', '<', '@', '.', 'é', '"', ' ']).repeat(length);
  await client.say(chance.yes(0.8) ? `${line}\r\n` : line, chance.pick([0, 3]));
  if (chance.yes(0.5)) await client.say('\r\nNOOP\r\n');
  await client.hangUp();
}

async function controlBytes({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  if (!(await client.greet())) return client.hangUp();
  for (let left = chance.between(1, 6); left > 0; left--) {
    const line = Buffer.from(anyCommand(chance));
    const at = chance.between(0, line.length);
    const intruder = chance.pick(['\0', '\r', '\n', '\x1b[31m', '\x08', '\x7f', '\x80\xff', '\u2028', '\r\r', '\n\r']);
    const end = chance.pick(['\r\n', '\r\n', '\n', '\r', '\r\r\n', '\0\r\n']);
    await client.say(
      Buffer.concat([line.subarray(0, at), Buffer.from(intruder, 'latin1'), line.subarray(at), Buffer.from(end)]),
      3,
    );
  }
  await client.hangUp();
}

/** RFC 2920 §3.1: DATA ends a group. What follows a refused DATA must never be read as commands. */
async function behindData({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  if (!(await client.greet())) return client.hangUp();
  const begin = chance.pick([
    '',
    'MAIL FROM:<a@sender.test>\r\n',
    'MAIL FROM:<a@sender.test>\r\nRCPT TO:<nobody@strict.test>\r\n',
  ]);
  await client.say(
    `${begin}DATA\r\nX-Fuzz: none\r\n\r\nRSET\r\nMAIL FROM:<smuggled@data.test>\r\nRCPT TO:<smuggled@fuzz.test>\r\nDATA\r\nowned\r\n.\r\n`,
    chance.yes(0.5) ? 0 : 1,
  );
  await client.hangUp();
}

/** CVE-2011-0411 and after: plain text behind STARTTLS must not be answered, neither before nor after the handshake. */
async function behindStartTls(context: SessionContext): Promise<void> {
  const { client } = context;
  const { chance } = client;
  if (!(await client.greet())) return client.hangUp();
  const injected = chance.pick([
    'NOOP\r\n',
    'EHLO evil.test\r\n',
    'MAIL FROM:<smuggled@starttls.test>\r\nRCPT TO:<smuggled@fuzz.test>\r\nDATA\r\nowned\r\n.\r\n',
    'QUIT\r\n',
    'STARTTLS\r\n',
  ]);
  await client.say(`STARTTLS\r\n${injected}`, chance.pick([0, 0, 1, 8]));
  if ((await client.reply())?.code !== 220) return client.hangUp();
  if (!(await client.startTls())) return;
  const reply = await client.command('RCPT TO:<b@fuzz.test>');
  if (reply !== undefined && reply.code < 400) client.problem(`RCPT right after STARTTLS was answered ${reply.code}`);
  await client.hangUp();
}

async function halfOpen(context: SessionContext): Promise<void> {
  const { client } = context;
  const stage = client.chance.between(0, 4);
  if (stage > 0 && !(await client.greet())) return client.hangUp();
  if (stage === 1) await client.say('MAIL FROM:<a@sender.te');
  if (stage === 2) await client.say('MAIL FROM:<a@sender.test>\r\nRCPT TO:<b@fuzz.test>\r\nDATA\r\n');
  if (stage === 3) await looseTransaction(context, Buffer.from('Subject: half\r\n\r\nnothing more'));
  if (stage === 4) await looseTransaction(context, Buffer.from('Subject: half\r\n\r\nnothing more\r\n.'));
  await client.hangUp();
}

async function abrupt(context: SessionContext): Promise<void> {
  const { client } = context;
  const stage = client.chance.between(0, 5);
  if (stage > 0 && !(await client.greet())) return client.abort();
  if (stage === 1) await client.say('MAIL FROM:<a@sender.test>\r\n');
  if (stage === 2) await client.say('MAIL FROM:<a@sender.test>\r\nRCPT TO:<b@fuzz.test>\r\nDATA\r\n');
  if (stage === 3) await looseTransaction(context, client.chance.bytes(client.chance.between(1, 4_000)));
  if (stage === 4) await client.say('STARTTLS\r\n');
  if (stage === 5) await client.say(client.chance.bytes(5_000));
  client.abort();
}

async function proxyPreface({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
  const preface = chance.pick([
    Buffer.from('PROXY TCP4 10.0.0.1 10.0.0.2 1 25\r\n'),
    Buffer.from('PROXY TCP6 ::1 ::1 1 25\r\n'),
    Buffer.from('PROXY UNKNOWN\r\n'),
    Buffer.from(`PROXY TCP4 ${'1'.repeat(300)}\r\n`),
    Buffer.concat([signature, Buffer.from('2111000c0a0000010a00000200010019', 'hex')]),
    Buffer.concat([signature, Buffer.from('2100ffff', 'hex'), chance.bytes(200)]),
    signature,
  ]);
  if (chance.yes(0.5)) await client.reply();
  await client.say(preface, chance.pick([0, 4]));
  await client.say('EHLO client.test\r\nNOOP\r\n');
  await client.hangUp();
}

/** A ClientHello by its first bytes, then noise of the length it announces. */
async function tlsHello({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  if (chance.yes(0.5)) await client.reply();
  const length = chance.between(40, 500);
  await client.say(
    Buffer.concat([Buffer.from([0x16, 0x03, 0x01, length >> 8, length & 255, 0x01, 0x00]), chance.bytes(length)]),
    3,
  );
  await client.hangUp();
}

async function http({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  if (chance.yes(0.5)) await client.reply();
  const verb = chance.pick(['GET / ', 'POST /x ', 'CONNECT mail:25 ', 'PRI * ', 'OPTIONS * ']);
  await client.say(
    `${verb}HTTP/${chance.pick(['1.1', '1.0', '2.0'])}\r\nHost: mail\r\nContent-Length: 99\r\n\r\nMAIL FROM:<smuggled@evil.test>\r\n`,
  );
  await client.hangUp();
}

function authAttempt(chance: Chance, login: SessionContext['login']): string {
  const encode = (text: string): string => Buffer.from(text, 'latin1').toString('base64');
  return chance.pick([
    'AUTH',
    'AUTH PLAIN',
    'AUTH LOGIN',
    'AUTH PLAIN =',
    'AUTH PLAIN !!!!',
    'AUTH PLAIN YQ',
    `AUTH PLAIN ${encode('a'.repeat(9_000))}`,
    `AUTH PLAIN ${encode('\0\0\0\0\0\0')}`,
    `AUTH PLAIN ${encode(`\0${login.user}\0wrong`)}`,
    `AUTH PLAIN ${encode(`\0\r\nX: y\0z`)}`,
    `AUTH PLAIN ${encode('\xff\xfe\0\xff\0\xff')}`,
    `AUTH LOGIN ${encode(login.user)}`,
    'AUTH LOGIN =',
    'AUTH CRAM-MD5',
    'AUTH DIGEST-MD5',
    'AUTH SCRAM-SHA-256 biwsbj0scj0=',
    'AUTH EXTERNAL =',
    'AUTH __proto__ =',
    'AUTH PLAIN = = =',
    'auth plain *',
  ]);
}

async function authGarbage({ client, login }: SessionContext): Promise<void> {
  const { chance } = client;
  if (!(await client.greet())) return client.hangUp();
  if (chance.yes(0.5) && (await client.command('STARTTLS'))?.code === 220) {
    if (!(await client.startTls())) return;
    await client.command('EHLO again.test');
  }
  for (let left = chance.between(1, 6); left > 0 && !client.closed; left--) {
    let reply = await client.command(authAttempt(chance, login));
    for (let more = 0; reply?.code === 334 && more < 4; more++) {
      reply = await client.command(
        chance.pick(['*', '', '=', '!!!!', 'YWxpY2U=', '\0', 'A'.repeat(13_000), chance.word(40)]),
      );
    }
    if (reply?.code === 235) client.problem('garbage was taken for a login');
  }
  const relay = await client.command('MAIL FROM:<a@sender.test>');
  if (relay?.code === 250) client.problem('MAIL without login on a submission port');
  await client.hangUp();
}

async function hugeRcptList(context: SessionContext): Promise<void> {
  const { client } = context;
  const { chance } = client;
  if (!(await client.greet())) return client.hangUp();
  const count = chance.pick([101, 150, 300, 1_050]);
  const domain = chance.pick(['fuzz.test', 'fuzz.test', 'strict.test', 'elsewhere.test']);
  const lines = Array.from({ length: count }, (_, index) => `RCPT TO:<r${index}@${domain}>\r\n`);
  await client.say(`MAIL FROM:<a@sender.test>\r\n${lines.join('')}`, 12);
  let accepted = 0;
  for (let left = count + 1; left > 0 && !client.closed; left--) {
    const reply = await client.reply();
    if (reply !== undefined && reply.code === 250) accepted++;
  }
  if (accepted > 1_001) client.problem(`${accepted - 1} recipients were taken in one transaction`);
  if (domain !== 'fuzz.test' && accepted > 1) client.problem(`${accepted - 1} recipients at ${domain} were taken`);
  await client.hangUp();
}

async function rawBytes({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  if (chance.yes(0.5)) await client.reply();
  await client.say(chance.bytes(chance.pick([1, 10, 100, 2_000, 20_000])), 5);
  await client.hangUp();
}

/** A legal dialogue with a few octets changed, in random segments. */
async function mutant({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  await client.reply();
  const dialogue = Buffer.from(
    `EHLO m.test\r\nMAIL FROM:<mutant@sender.test> SIZE=100 BODY=8BITMIME\r\nRCPT TO:<m@fuzz.test> NOTIFY=NEVER\r\nDATA\r\n` +
      'Subject: mutant\r\nReceived: by x\r\n\r\nbody\r\n..\r\n.\r\nRSET\r\nMAIL FROM:<>\r\nRCPT TO:<m2@fuzz.test>\r\nVRFY x\r\nQUIT\r\n',
  );
  await client.say(mutate(chance, dialogue, chance.between(1, 12)), 12);
  await client.hangUp();
}

/** Speaks before the banner; RFC 5321 §4.3.1. */
async function earlyTalker({ client }: SessionContext): Promise<void> {
  await client.say(client.chance.pick(['EHLO early.test\r\n', 'QUIT\r\n', 'DATA\r\n.\r\n', '\r\n', '\0']));
  await client.hangUp();
}

/** Pipelines everything without reading a reply. */
async function pipelined({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  await client.reply();
  const lines = Array.from({ length: chance.between(5, 150) }, () => anyCommand(chance));
  await client.say(`${hello(chance)}\r\n${lines.join('\r\n')}\r\n`, 6);
  await client.hangUp();
}

async function repeated(
  context: SessionContext,
  one: (context: SessionContext, number: number) => Promise<void>,
): Promise<void> {
  const { client } = context;
  if (!(await client.greet())) return client.hangUp();
  for (let number = client.chance.between(1, 3); number > 0 && !client.closed; number--) await one(context, number);
  await client.quit();
}

export const sessionKinds: readonly [SessionKind, ...SessionKind[]] = [
  { name: 'valid', weight: 10, listeners: mx, run: valid },
  { name: 'out of order', weight: 10, listeners: any, run: outOfOrder },
  { name: 'broken parameters', weight: 10, listeners: mx, run: brokenParameters },
  { name: 'long lines', weight: 5, listeners: any, run: longLines },
  { name: 'control bytes', weight: 8, listeners: any, run: controlBytes },
  { name: 'half line ends', weight: 8, listeners: mx, run: (context) => repeated(context, illegalTransaction) },
  { name: 'smuggling', weight: 12, listeners: mx, run: (context) => repeated(context, smugglingTransaction) },
  { name: 'chunks', weight: 8, listeners: mx, run: (context) => repeated(context, chunkedTransaction) },
  { name: 'behind DATA', weight: 5, listeners: mx, run: behindData },
  { name: 'behind STARTTLS', weight: 2, listeners: any, run: behindStartTls },
  { name: 'half open', weight: 5, listeners: any, run: halfOpen },
  { name: 'abrupt', weight: 5, listeners: any, run: abrupt },
  { name: 'PROXY preface', weight: 3, listeners: any, run: proxyPreface },
  { name: 'TLS hello on plain', weight: 2, listeners: any, run: tlsHello },
  { name: 'HTTP', weight: 2, listeners: any, run: http },
  { name: 'AUTH garbage', weight: 1, listeners: ['submission', 'submissions'], run: authGarbage },
  { name: 'huge RCPT list', weight: 0.5, listeners: mx, run: hugeRcptList },
  { name: 'raw bytes', weight: 4, listeners: any, run: rawBytes },
  { name: 'raw bytes for TLS', weight: 2, listeners: ['submissions'], withoutTls: true, run: rawBytesForTls },
  { name: 'mutant', weight: 10, listeners: any, run: mutant },
  { name: 'early talker', weight: 3, listeners: any, run: earlyTalker },
  { name: 'pipelined', weight: 5, listeners: any, run: pipelined },
];

/** Replies here are TLS alerts: their form is not SMTP's. */
async function rawBytesForTls({ client }: SessionContext): Promise<void> {
  const { chance } = client;
  client.notSmtp();
  await client.say(
    chance.pick([
      chance.bytes(300),
      Buffer.from('EHLO x\r\n'),
      Buffer.from([0x16, 3, 1, 0xff, 0xff]),
      Buffer.from([0x15, 3, 1, 0, 2, 1, 0]),
    ]),
    3,
  );
  await client.hangUp();
}

const totalWeight = sessionKinds.reduce((sum, { weight }) => sum + weight, 0);

export function chooseKind(chance: Chance): SessionKind {
  let left = chance.fraction() * totalWeight;
  for (const kind of sessionKinds) {
    left -= kind.weight;
    if (left < 0) return kind;
  }
  return sessionKinds[0];
}
