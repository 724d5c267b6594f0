/** The first thing a user tries: a mail through each listener arrives at the next hop with its bytes unchanged. */
import { readFile } from 'node:fs/promises';
import { buildMessage } from '@postern/testkit/smtp';
import { expect, test, vi } from 'vitest';
import { explained, queueIdOf } from './explanation.js';
import { type Listener, type SpeakOptions, withMailWorld } from './mail-world.js';
import { expectOnlyTraceAdded } from './received-message.js';

const world = withMailWorld();

async function arrived(id: string) {
  await vi.waitFor(() => expect(world.nextHop.having(id)).toHaveLength(1), { timeout: 60_000 });
  const [message] = world.nextHop.having(id);
  if (message === undefined) throw new Error('unreachable');
  return message;
}

interface Mail {
  readonly id: string;
  readonly body: Buffer;
  readonly from?: string;
  readonly to?: string;
  readonly parameters?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends over `listener` and compares what came out. */
async function passes(listener: Listener, options: SpeakOptions, mail: Mail): Promise<string> {
  const from = mail.from ?? (options.login === undefined ? 'someone@good.test' : `${options.login}@acme.test`);
  const to = mail.to ?? 'bob@acme.test';
  const head = buildMessage({
    from,
    to,
    id: mail.id,
    ...(mail.headers === undefined ? {} : { headers: mail.headers }),
  });
  const data = Buffer.concat([head.subarray(0, head.indexOf('\r\n\r\n') + 4), mail.body]);
  const sender = await world.speak(listener, options);
  const reply = await sender.send({
    from,
    to: [to],
    data,
    ...(mail.parameters === undefined ? {} : { mailParameters: mail.parameters }),
  });
  expect(`${reply.code} ${reply.text}`).toMatch(/^250 2\.6\.0 /);
  await sender.quit();
  const message = await arrived(mail.id);
  expect(message.recipients).toEqual([to]);
  expect(message.reversePath).toBe(from);
  expectOnlyTraceAdded(message.data, data);
  return queueIdOf(reply);
}

const hello = Buffer.from('Hello.\r\n');

test('mx takes a mail for a local user, and trace tells its story', async () => {
  const queueId = await passes('mx', {}, { id: 'mx-plain', body: hello });
  await explained(world.cluster, queueId, 'edge.message.accepted', 'bob@acme.test', /delivered/);
});

test.each([
  ['submission', 'PLAIN'],
  ['submission', 'LOGIN'],
  ['submissions', 'PLAIN'],
  ['submissions', 'LOGIN'],
] as const)('%s with AUTH %s relays to a foreign domain', async (listener, mechanism) => {
  const id = `${listener}-${mechanism}`;
  await passes(listener, { login: 'bob', mechanism }, { id, body: hello, to: 'friend@elsewhere.test' });
});

test.each<[string, Buffer]>([
  ['lines of dots', Buffer.from('.\r\n..\r\n...\r\n.x\r\n\r\n.\r\nend\r\n')],
  ['no body at all', Buffer.alloc(0)],
  ['8-bit text', Buffer.from('Zażółć gęślą jaźń ☃ 漢字\r\n')],
  ['8-bit bytes that are no text', Buffer.from([0xff, 0xfe, 0x80, 0x81, 0xc0, 0x0d, 0x0a])],
  ['the longest allowed line', Buffer.from(`${'a'.repeat(998)}\r\nend\r\n`)],
  ['just over what is stored inline', Buffer.from(`${'b'.repeat(70)}\r\n`.repeat(2_000))],
])('bytes are unchanged: %s', async (name, body) => {
  await passes('mx', {}, { id: name.replaceAll(' ', '-'), body, parameters: 'BODY=8BITMIME' });
});

test('SMTPUTF8: addresses and header fields in UTF-8', async () => {
  await passes(
    'mx',
    {},
    {
      id: 'utf8',
      body: Buffer.from('Grüße\r\n'),
      from: 'jürgen@good.test',
      to: 'bjørn@acme.test',
      parameters: 'SMTPUTF8 BODY=8BITMIME',
      headers: { 'X-Name': 'Ærøskøbing' },
    },
  );
});

async function peakMemory(pid: number): Promise<number> {
  const line = /VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (line === undefined) throw new Error('no VmHWM');
  return Number(line) / 1024;
}

test('a 30 MB attachment passes, and the edge does not grow with it', async () => {
  const block = Buffer.from(`${Buffer.alloc(57, 'attachment').toString('base64')}\r\n`);
  const attachment = (bytes: number) => Buffer.alloc(Math.floor(bytes / block.length) * block.length, block);
  // As many octets in small ones first: a young heap grows with whatever comes.
  for (let n = 0; n < 10; n++) await passes('mx', {}, { id: `three-megabytes-${n}`, body: attachment(3_000_000) });
  const [pid] = await world.cluster.pids('edge');
  if (pid === undefined) throw new Error('no edge');
  const before = await peakMemory(pid);
  await passes('mx', {}, { id: 'thirty-megabytes', body: attachment(30_000_000) });
  const after = await peakMemory(pid);
  expect(after).toBeLessThan(350);
  expect(after - before).toBeLessThan(64);
});

test('CHUNKING is offered if and only if BDAT is understood', async () => {
  const sender = await world.speak('mx');
  const offered = (await sender.command('EHLO client.test')).lines;
  const bdat = await sender.command('BDAT 0 LAST');
  expect(offered.includes('CHUNKING')).toBe(bdat.code !== 500 && bdat.code !== 502);
  await sender.quit();
});
