import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createUlidSource, systemClock, systemRandom } from '@postern/clock';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHttpFront } from './http-front.js';
import { folderName, MessageStore, type StoredMessage } from './message-store.js';
import { createSmtpFront } from './smtp-front.js';

let dir = '';
let smtpPort = 0;
let base = '';
const closing: (() => void)[] = [];

const portOf = (address: AddressInfo | string | null) =>
  typeof address === 'object' && address !== null ? address.port : 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'postern-sink-'));
  const store = new MessageStore(dir, createUlidSource(systemClock, systemRandom), () => systemClock.now());
  await store.open();
  const smtp = createSmtpFront(store, () => {});
  smtp.listen(0, '127.0.0.1');
  await once(smtp.server, 'listening');
  smtpPort = portOf(smtp.server.address());
  const http = createHttpFront(store);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  base = `http://127.0.0.1:${portOf(http.address())}`;
  closing.push(
    () => smtp.close(),
    () => http.close(),
  );
});
afterAll(async () => {
  for (const close of closing) close();
  await rm(dir, { recursive: true, force: true });
});

/** Speak one transaction and return the last reply line of each step. */
async function send(recipients: readonly string[], body: Buffer): Promise<string> {
  const socket = connect(smtpPort, '127.0.0.1');
  const replies = socket.setEncoding('latin1')[Symbol.asyncIterator]();
  const step = async (line: string | Buffer) => {
    socket.write(line);
    return String((await replies.next()).value);
  };
  await replies.next();
  await step('EHLO client.test\r\n');
  await step('MAIL FROM:<sender@other.test> BODY=8BITMIME\r\n');
  for (const recipient of recipients) await step(`RCPT TO:<${recipient}>\r\n`);
  await step('DATA\r\n');
  const stuffed = body.toString('latin1').replaceAll(/^\./gm, '..');
  const reply = await step(Buffer.from(`${stuffed}.\r\n`, 'latin1'));
  socket.end('QUIT\r\n');
  return reply;
}

async function listed(recipient: string): Promise<StoredMessage[]> {
  const answer: unknown = await (await fetch(`${base}/messages?recipient=${recipient}`)).json();
  if (typeof answer !== 'object' || answer === null || !('messages' in answer) || !Array.isArray(answer.messages))
    return [];
  return answer.messages;
}

const difficult = Buffer.concat([
  Buffer.from('Subject: dots and bytes\r\nFrom: a@b.test\r\n\r\n.\r\n..two\r\nlong '),
  Buffer.from(
    randomBytes(30_000)
      .toString('latin1')
      .replaceAll(/[\r\n\0]/g, 'x')
      .replaceAll(/.{900}/gs, '$&\r\n'),
    'latin1',
  ),
  Buffer.from('\r\nlast line with 8 bit \u00e9\r\n', 'latin1'),
]);

test('every recipient gets the bytes as sent, and 250 comes after they are in the file', async () => {
  const reply = await send(['alice@demo.test', 'Bob@demo.test'], difficult);
  expect(reply).toMatch(/^250 .*stored as [0-9A-Z]{26} [0-9A-Z]{26}/);
  for (const user of ['alice', 'bob']) {
    const files = await readdir(join(dir, 'demo.test', user));
    expect(files.map((name) => name.slice(26)).sort()).toEqual(['.eml', '.json']);
    const eml = files.find((name) => name.endsWith('.eml')) ?? '';
    expect((await readFile(join(dir, 'demo.test', user, eml))).equals(difficult)).toBe(true);
  }
});

test('the HTTP side lists newest first, by recipient, and gives envelope and raw bytes', async () => {
  await send(['carol@demo.test'], Buffer.from('Subject: one\r\n\r\n1\r\n'));
  await send(['carol@demo.test'], Buffer.from('Subject: two\r\n\r\n2\r\n'));
  const messages = await listed('carol@demo.test');
  expect(messages).toHaveLength(2);
  expect(messages[0]).toMatchObject({
    recipient: 'carol@demo.test',
    reversePath: 'sender@other.test',
    helo: 'client.test',
    bytes: 19,
  });
  const newest: unknown = await (await fetch(`${base}/messages/${messages[0]?.id}`)).json();
  expect(newest).toMatchObject({ text: 'Subject: two\r\n\r\n2\r\n' });
  expect(await (await fetch(`${base}/messages/${messages[1]?.id}/raw`)).text()).toBe('Subject: one\r\n\r\n1\r\n');
  expect(await (await fetch(`${base}/count?recipient=carol@demo.test`)).json()).toEqual({ count: 2 });
  expect((await fetch(`${base}/messages/01ARZ3NDEKTSV4RRFFQ69G5FAV`)).status).toBe(404);
  expect((await fetch(`${base}/messages/..%2f..%2fetc`)).status).toBe(404);
});

test.each([
  ['alice', 'alice'],
  ['..', '%2E.'],
  ['a/b\\c', 'a%2Fb%5Cc'],
  ['Ünder', '%C3%BCnder'],
])('the folder of %s is %s', (part, folder) => {
  expect(folderName(part)).toBe(folder);
});

test('a name too long for a file becomes its digest', () => {
  expect(folderName('x'.repeat(300))).toMatch(/^sha256-[0-9a-f]{64}$/);
});
