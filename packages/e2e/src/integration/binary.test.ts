/**
 * Mail with octets that are no lines (RFC 3030): it comes by BDAT and leaves by BDAT, every octet as it came, or not at all; then its sender hears
 * why. A message that was only declared binary goes wherever any mail goes.
 */
import { buildMessage, RawClient } from '@postern/testkit/smtp';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, startCluster } from '../cluster/index.js';
import { type NextHopServer, reserveNextHop } from './next-hop-server.js';

let cluster: Cluster;
let modern: NextHopServer;
let plain: NextHopServer;

beforeAll(async () => {
  modern = await reserveNextHop(['PIPELINING', '8BITMIME', 'CHUNKING', 'BINARYMIME', 'SIZE']);
  plain = await reserveNextHop();
  await Promise.all([modern.open(), plain.open()]);
  const hop = (port: number) => ({ hosts: [{ host: '127.0.0.1', port, tls: 'none' }] });
  const domain = (name: string, nextHop: string) => ({ name, nextHop, validateRecipients: false });
  cluster = await startCluster({
    config: {
      listeners: { submissions: { extensions: { binaryMime: true } } },
      defaultNextHop: 'plain',
      nextHops: { modern: hop(modern.port), plain: hop(plain.port) },
      checks: Object.fromEntries(['spf', 'dkim', 'dmarc'].map((check) => [check, { enabled: false }])),
      tenants: [
        {
          name: 'acme',
          domains: [domain('modern.test', 'modern'), domain('plain.test', 'plain')],
          users: [{ address: 'bob@plain.test', password: 'Correct-horse-7-battery' }],
        },
      ],
    },
  });
}, 300_000);

afterAll(async () => {
  await cluster?.stop();
  await Promise.all([modern?.close(), plain?.close()]);
}, 120_000);

const noise = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7919) % 256));

async function send(to: string, subject: string, body: Buffer): Promise<string> {
  const head = buildMessage({ from: 'bob@plain.test', to, subject });
  const data = Buffer.concat([head, body]);
  const client = await RawClient.open(await cluster.port('submissions'), true);
  await client.reply();
  await client.command('EHLO client.test');
  const login = Buffer.from('\0bob@plain.test\0Correct-horse-7-battery').toString('base64');
  expect(await client.command(`AUTH PLAIN ${login}`)).toMatch(/^235/);
  expect(await client.command('MAIL FROM:<bob@plain.test> BODY=BINARYMIME RET=FULL')).toMatch(/^250/);
  expect(await client.command(`RCPT TO:<${to}>`)).toMatch(/^250/);
  client.send(Buffer.concat([Buffer.from(`BDAT ${data.length} LAST\r\n`), data]));
  const reply = (await client.reply()) ?? 'closed';
  client.destroy();
  return reply;
}

test.each([
  ['small', noise.subarray(0, 1_000)],
  ['large', noise],
])('a %s binary message arrives octet for octet where the next hop takes binary ones', async (subject, body) => {
  expect(await send('x@modern.test', subject, body)).toMatch(/^250 2\.6\.0 /);
  await vi.waitFor(() => expect(modern.having(`Subject: ${subject}`)).toHaveLength(1), { timeout: 20_000 });
  expect(modern.having(`Subject: ${subject}`)[0]?.data.subarray(-body.length).equals(body)).toBe(true);
});

test('it never leaves by DATA: the sender is told', async () => {
  expect(await send('x@plain.test', 'stays', noise.subarray(0, 1_000))).toMatch(/^250 2\.6\.0 /);
  await vi.waitFor(() => expect(plain.having('Diagnostic-Code: smtp; 550 5.6.1')).toHaveLength(1), { timeout: 20_000 });
  expect(plain.messages.filter(({ recipients }) => recipients.includes('x@plain.test'))).toEqual([]);
});

test('what is only declared binary goes by DATA too', async () => {
  expect(await send('x@plain.test', 'text-after-all', Buffer.from('ol\u00e9\r\n'))).toMatch(/^250 2\.6\.0 /);
  await vi.waitFor(() => expect(plain.having('Subject: text-after-all')).toHaveLength(1), { timeout: 20_000 });
});
