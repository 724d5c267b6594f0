/**
 * Invariant 10 on the wire: the same session said to the edge of a running cluster and described to `posternctl simulate` hears the same codes, enhanced
 * codes and words at each command, and message trace names what simulation says has decided.
 */
// biome-ignore-all lint/suspicious/noThenProperty: a rule keeps its actions under then; it is a list, never a promise
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildMessage, type SmtpReply, SmtpSender, stuff } from '@postern/testkit/smtp';
import { expect, test } from 'vitest';
import { explained, sessionIdOf } from './explanation.js';
import { type Listener, password, withMailWorld } from './mail-world.js';

const reject = (text: string) => ({ reject: { text } });
const world = withMailWorld({
  zone: {
    'strict.test': { TXT: ['v=spf1 -all'], MX: [[10, 'mx.good.test']] },
    '_dmarc.strict.test': { TXT: ['v=DMARC1; p=reject'] },
  },
  config: {
    limits: { messageSize: '1MiB' },
    checks: {
      spf: { onFail: 'reject' },
      dkim: {},
      dmarc: { onFail: 'reject' },
      sender: { enabled: true, onFail: 'reject' },
    },
    access: [{ level: 'global', priority: 1, network: '127.0.0.40/32', action: 'deny' }],
    relayNetworks: [{ network: '127.0.0.30', tenant: 'acme' }],
    rules: [
      { id: 'no-client', event: 'connect', when: 'client.address == "127.0.0.20"', then: [reject('not you')] },
      { id: 'wait', event: 'connect', when: 'client.address == "127.0.0.21"', then: ['tempfail'] },
      { id: 'no-robots', event: 'ehlo', when: 'helo == "robot.test"', then: [reject('no robots')] },
      { id: 'no-carol', event: 'auth', when: 'auth.user == "carol@acme.test"', then: [reject('not today')] },
      {
        id: 'no-spoof',
        event: 'mail',
        when: 'sender.user == "spoof"',
        then: [{ reject: { enhanced: '5.7.27', text: 'not yours' } }],
      },
      {
        id: 'late',
        event: 'mail',
        answer: 'at-rcpt',
        when: 'sender.user == "late"',
        then: [{ reject: { code: 553, text: 'told late' } }],
      },
      { id: 'closed', event: 'mail', when: 'sender.user == "closed"', then: [{ close: { text: 'go away' } }] },
      {
        id: 'secret',
        event: 'mail',
        when: 'sender.user == "secret"',
        then: [{ requireTls: { text: 'secrets on TLS' } }],
      },
      { id: 'small', event: 'mail', when: 'sender.user == "small"', then: [{ setLimit: { size: 2_000 } }] },
      { id: 'few', event: 'mail', when: 'sender.user == "few"', then: [{ setLimit: { recipients: 1 } }] },
      { id: 'no-relay', event: 'mail', when: 'sender.user == "norelay"', then: [{ allowRelay: { for: 'none' } }] },
      { id: 'tls-dave', event: 'rcpt', when: 'recipient.user == "dave"', then: [{ requireTls: {} }] },
      {
        id: 'inside',
        event: 'rcpt',
        when: 'sender.user == "inside"',
        then: [{ allowLocal: { for: 'authenticated' } }],
      },
      { id: 'shut', event: 'rcpt', when: 'recipient.user == "carol" && sender.user == "shut"', then: [reject('shut')] },
      { id: 'bad', event: 'body', when: 'headers.first("Subject") == "bad"', then: [reject('bad words')] },
      {
        id: 'partly',
        event: 'headers',
        when: 'headers.first("Subject") == "partly" && recipient.user == "carol"',
        then: [reject('not for carol')],
      },
      {
        id: 'later',
        event: 'headers',
        when: 'headers.first("Subject") == "later" && recipient.user == "carol"',
        then: ['tempfail'],
      },
      {
        id: 'kept',
        event: 'headers',
        when: 'headers.first("Subject") == "kept"',
        then: [{ quarantine: { reason: 'odd' } }],
      },
    ],
  },
});

interface Case {
  readonly name: string;
  readonly listener?: Listener;
  readonly client?: string;
  readonly helo?: string;
  readonly tls?: boolean;
  readonly user?: string;
  readonly mechanism?: string;
  readonly from?: string;
  readonly to?: readonly string[];
  /** SIZE= of MAIL; with a message its own size. */
  readonly size?: number;
  readonly subject?: string;
  readonly octets?: number;
  readonly headerFrom?: string;
  readonly received?: number;
  /** Code of the last reply: what this case is about. */
  readonly ends: number;
}

const bob = 'bob@acme.test';
const carol = 'carol@acme.test';
const login = { listener: 'submission', tls: true, user: bob, from: bob } as const;
const cases: readonly Case[] = [
  { name: 'a stranger to a known recipient', subject: 'fine', ends: 250 },
  { name: 'a stranger to an unknown recipient', to: ['nobody@acme.test'], ends: 550 },
  { name: 'a stranger to a foreign domain', to: ['x@far.test'], ends: 550 },
  { name: 'a stranger to three recipients', to: ['nobody@acme.test', 'x@far.test', bob], subject: 'mixed', ends: 250 },
  { name: 'the same recipient twice', to: [bob, bob], subject: 'twice', ends: 250 },
  { name: 'the null sender', from: '', subject: 'null', ends: 250 },
  {
    name: 'a relay client to a foreign domain',
    client: '127.0.0.30',
    to: ['x@far.test'],
    subject: 'relayed',
    ends: 250,
  },
  { name: 'relaying closed by a rule', client: '127.0.0.30', from: 'norelay@good.test', to: ['x@far.test'], ends: 550 },
  { name: 'submission without a login', listener: 'submission', tls: true, ends: 530 },
  { name: 'submission in plain', listener: 'submission', ends: 530 },
  {
    name: 'submission with a login',
    listener: 'submission',
    tls: true,
    user: bob,
    from: bob,
    to: ['x@far.test'],
    subject: 's',
    ends: 250,
  },
  {
    name: 'submissions with a login',
    listener: 'submissions',
    tls: true,
    user: bob,
    from: bob,
    to: [carol],
    subject: 's',
    ends: 250,
  },
  { name: 'a login where none is offered', user: bob, ends: 502 },
  { name: 'a login in plain', listener: 'submission', user: bob, ends: 538 },
  {
    name: 'a mechanism that is not offered',
    listener: 'submission',
    tls: true,
    user: bob,
    mechanism: 'CRAM-MD5',
    ends: 504,
  },
  { name: 'a login refused by a rule', listener: 'submission', tls: true, user: carol, ends: 550 },
  { name: 'a denied address', client: '127.0.0.40', ends: 554 },
  { name: 'an address refused by a rule', client: '127.0.0.20', ends: 554 },
  { name: 'an address put off by a rule', client: '127.0.0.21', ends: 421 },
  { name: 'a greeting refused by a rule', helo: 'robot.test', ends: 550 },
  { name: 'a sender refused by a rule', from: 'spoof@good.test', ends: 550 },
  {
    name: 'a sender refused by a rule that is told at RCPT',
    from: 'late@good.test',
    to: ['x@far.test', bob],
    ends: 553,
  },
  { name: 'a session closed by a rule', from: 'closed@good.test', ends: 421 },
  { name: 'TLS demanded for a sender', from: 'secret@good.test', ends: 530 },
  { name: 'TLS demanded for a sender, on TLS', from: 'secret@good.test', tls: true, subject: 'tls', ends: 250 },
  { name: 'TLS demanded for a recipient', to: ['dave@acme.test'], ends: 530 },
  { name: 'local delivery for logins only', from: 'inside@good.test', ends: 530 },
  { name: 'a recipient refused by a rule', from: 'shut@good.test', to: [carol], ends: 550 },
  { name: 'a size no listener takes', size: 2_000_000, ends: 552 },
  { name: 'a size beyond what a rule says', from: 'small@good.test', size: 3_000, ends: 552 },
  { name: 'more recipients than a rule says', from: 'few@good.test', to: [bob, carol], ends: 452 },
  { name: 'SPF fails', from: 'x@bad.test', to: [bob, 'x@far.test'], ends: 550 },
  { name: 'a domain that takes no mail', from: 'x@missing.test', ends: 550 },
  { name: 'DMARC fails', headerFrom: 'boss@strict.test', subject: 'dmarc', ends: 550 },
  { name: 'a loop', subject: 'loop', received: 31, ends: 554 },
  { name: 'not yet a loop', subject: 'far', received: 30, ends: 250 },
  { name: 'a message refused by a rule', to: [bob, carol], subject: 'bad', ends: 550 },
  { name: 'a message refused for one of two', to: [bob, carol], subject: 'partly', ends: 250 },
  { name: 'a message refused for its only recipient', to: [carol], subject: 'partly', ends: 550 },
  { name: 'a message put off for one of two, who comes apart', to: [bob, carol], subject: 'later', ends: 250 },
  { name: 'a login, a message refused for one of two', ...login, to: [carol, bob], subject: 'partly', ends: 250 },
  { name: 'a login, a message put off for one of two', ...login, to: [bob, carol], subject: 'later', ends: 451 },
  { name: 'a message kept apart', subject: 'kept', ends: 250 },
];

interface Told {
  readonly command: string;
  readonly said: string;
}

const sessionId = / \([0-9A-HJKMNP-TV-Z]{26}\)$/;

/** The first line counts; of a message that was taken everything but its queue id. */
function saidBy(command: string, { code, lines }: SmtpReply): Told {
  const text = (lines[0] ?? '').replace(sessionId, '').replace(/^(2\.6\.0 queued as) .*$/, '$1');
  return { command, said: `${code} ${text}` };
}

function messageOf({ from = 'a@good.test', subject, octets, headerFrom, received = 0, to = [bob] }: Case): Buffer {
  if (subject === undefined) return Buffer.alloc(0);
  const hops = Array.from({ length: received }, (_, hop) => `Received: from h${hop}.test by h${hop + 1}.test\r\n`);
  const size = octets === undefined ? {} : { size: octets };
  const head = { from: headerFrom ?? (from || 'a@good.test'), to: to[0] ?? bob, subject, ...size };
  return Buffer.concat([Buffer.from(hops.join('')), buildMessage(head)]);
}

/** Says the case to the edge up to the command that is refused. */
async function speak(one: Case): Promise<{ told: Told[]; refusal: SmtpReply | undefined }> {
  const { listener = 'mx', client = '127.0.0.1', helo = 'client.test', tls, user, mechanism = 'PLAIN' } = one;
  const { from = 'a@good.test', to = [bob] } = one;
  const sender = await SmtpSender.open({
    port: await world.cluster.port(listener),
    tls: listener === 'submissions',
    localAddress: client,
  });
  const told: Told[] = [];
  let refusal: SmtpReply | undefined;
  const hear = (command: string, reply: SmtpReply): boolean => {
    told.push(saidBy(command, reply));
    if (reply.code >= 400) refusal ??= reply;
    return reply.code < 400;
  };
  const talk = async (): Promise<void> => {
    if (!hear('connect', await sender.reply())) return;
    let greeted = await sender.command(`EHLO ${helo}`);
    if (tls === true && listener !== 'submissions' && greeted.code === 250) {
      await sender.command('STARTTLS');
      await sender.startTls();
      greeted = await sender.command(`EHLO ${helo}`);
    }
    if (!hear('ehlo', greeted)) return;
    const secret = Buffer.from(`\0${user}\0${password}`).toString('base64');
    if (user !== undefined && !hear('auth', await sender.command(`AUTH ${mechanism} ${secret}`))) return;
    const message = messageOf(one);
    const size = one.size ?? message.length;
    if (!hear('mail', await sender.command(`MAIL FROM:<${from}>${size === 0 ? '' : ` SIZE=${size}`}`))) return;
    sender.write(to.map((address) => `RCPT TO:<${address}>\r\n`).join(''));
    let taken = 0;
    for (const address of to) taken += hear(`rcpt ${address}`, await sender.reply()) ? 1 : 0;
    if (taken === 0 || message.length === 0) return;
    expect((await sender.command('DATA')).code).toBe(354);
    sender.write(stuff(message));
    hear('headers', await sender.command('.'));
  };
  await talk();
  await sender.quit();
  return { told, refusal };
}

interface Simulated {
  readonly told: Told[];
  readonly decidedBy: string[];
}

const field = (value: object, name: string): unknown => new Map(Object.entries(value)).get(name);
const stageNames = ['', 'connect', 'ehlo', 'auth', 'mail', 'rcpt', 'headers'];

function simulatedOf(result: unknown): Simulated {
  const replies = typeof result === 'object' && result !== null ? field(result, 'replies') : undefined;
  if (!Array.isArray(replies)) throw new Error(JSON.stringify(result));
  const told: Told[] = [];
  const decidedBy: string[] = [];
  for (const reply of replies) {
    const text = (name: string): string => String(field(reply, name) ?? '');
    const stage = stageNames[Number(text('stage'))] ?? '';
    const words = [text('replyCode'), text('enhancedCode'), text('text')].filter((part) => part !== '').join(' ');
    const command = `${stage} ${text('recipient')}`.trim();
    told.push({ command, said: words.replace(/^(250 2\.6\.0 queued as) .*$/, '$1') });
    if (text('decidedBy') !== '') decidedBy.push(text('decidedBy'));
  }
  return { told, decidedBy };
}

async function simulate(one: Case): Promise<Simulated> {
  const { listener = 'mx', client = '127.0.0.1', helo = 'client.test', tls, user, mechanism } = one;
  const { from = 'a@good.test', to = [bob], size } = one;
  const message = messageOf(one);
  const file = join(world.cluster.dataDir, 'described.eml');
  await writeFile(file, message);
  const result = await world.cluster.ctlJson(
    ...['simulate', '--client', client, '--helo', helo, '--listener', listener, '--from', from],
    ...to.flatMap((address) => ['--to', address]),
    ...(tls === true ? ['--tls'] : ['--no-tls']),
    ...(user === undefined ? [] : ['--user', user]),
    ...(mechanism === undefined ? [] : ['--mechanism', mechanism]),
    ...(size === undefined ? [] : ['--size', String(size)]),
    ...(message.length === 0 ? [] : ['--message', file]),
  );
  return simulatedOf(result);
}

test.each(cases)('$name: simulation says what the client hears', async (one) => {
  const { told, refusal } = await speak(one);
  expect(told.at(-1)?.said).toMatch(new RegExp(`^${one.ends} `));
  const simulated = await simulate(one);
  expect(simulated.told).toEqual(told);
  if (refusal === undefined) return expect(simulated.decidedBy).toEqual([]);
  await explained(world.cluster, sessionIdOf(refusal), ...simulated.decidedBy);
});
