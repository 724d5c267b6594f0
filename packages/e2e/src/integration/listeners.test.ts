/**
 * Listeners as an operator changes them while the cluster runs: opened and shut, TLS of their own, certificates by name and swapped, client
 * certificates in rules and for the relay right, REQUIRETLS kept to the next hop. Nothing is restarted.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { freePort } from '@postern/local';
import { testAuthority } from '@postern/testkit';
import { RawClient } from '@postern/testkit/smtp';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, startCluster } from '../cluster/index.js';
import { type NextHopServer, reserveNextHop } from './next-hop-server.js';

const authority = testAuthority('partners');
const client = authority.issue(['relay.partner.test']);
const fingerprint = new X509Certificate(client.cert).fingerprint256;
let folder: string;
let port: number;
let cluster: Cluster;
let nextHop: NextHopServer;

const file = (name: string): string => join(folder, name);

async function writeCertificate(name: string): Promise<void> {
  const { key, cert } = authority.issue([name]);
  await Promise.all([writeFile(file('two.key'), key), writeFile(file('two.crt'), cert)]);
}

/** The operator's file with these settings of the listener `partners`. */
const config = (partners: object, more: object = {}) => ({
  defaultNextHop: 'hop',
  nextHops: { hop: { hosts: [{ host: '127.0.0.1', port: nextHop.port, tls: 'none' }] } },
  retry: { first: '1s', cap: '2s' },
  checks: Object.fromEntries(['spf', 'dkim', 'dmarc'].map((check) => [check, { enabled: false }])),
  tenants: [{ name: 'acme', domains: [{ name: 'acme.test', nextHop: 'hop', validateRecipients: false }] }],
  listeners: { partners: { role: 'submissions', requireAuth: false, ...partners } },
  edge: {
    moreListeners: [{ name: 'partners', role: 'submissions', address: `127.0.0.1:${port}` }],
    certificates: [{ name: 'two', certFile: file('two.crt'), keyFile: file('two.key') }],
  },
  ...more,
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-listeners-'));
  port = await freePort();
  await writeFile(file('ca.crt'), authority.certificate);
  await writeCertificate('mx.two.test');
  nextHop = await reserveNextHop();
  await nextHop.open();
  cluster = await startCluster({ config: config({}) });
}, 300_000);

afterAll(async () => {
  await cluster?.stop();
  await nextHop?.close();
  await rm(folder, { recursive: true, force: true });
}, 120_000);

/** A handshake and the greeting. */
function shake(options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
    socket.once('data', () => resolve(socket));
  });
}

async function works(options: ConnectionOptions = {}): Promise<boolean> {
  const socket = await shake(options).catch(() => undefined);
  socket?.destroy();
  return socket !== undefined;
}

/** All replies to lines sent at once, as text. */
function say(socket: TLSSocket, lines: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    socket.on('data', (data: Buffer) => {
      said += data.toString();
      if (/^221 /m.test(said)) resolve(said);
    });
    socket.write(`${[...lines, 'QUIT'].join('\r\n')}\r\n`);
  });
}

const soon = { timeout: 5_000, interval: 100 };

test('a listener shuts and opens with the operator file, within seconds', async () => {
  expect(await works()).toBe(true);
  const pid = (await cluster.pids('edge'))[0];
  await cluster.writeConfig(config({ enabled: false }));
  await vi.waitFor(() => expect(RawClient.open(port)).rejects.toThrow(), soon);
  await cluster.writeConfig(config({}));
  await vi.waitFor(async () => expect(await works()).toBe(true), soon);
  expect(await cluster.pids('edge')).toEqual([pid]);
});

test('TLS bounds change with the operator file', async () => {
  expect(await works({ maxVersion: 'TLSv1.2' })).toBe(true);
  await cluster.writeConfig(config({ tls: { minVersion: 'TLSv1.3' } }));
  await vi.waitFor(async () => expect(await works({ maxVersion: 'TLSv1.2' })).toBe(false), soon);
  expect(await works()).toBe(true);
});

test('a certificate is chosen by name, and swapped when its files change', async () => {
  const nameFor = async (servername: string): Promise<string> => {
    const socket = await shake({ servername });
    const subject = String(socket.getPeerCertificate().subject.CN);
    socket.destroy();
    return subject;
  };
  await cluster.writeConfig(config({}));
  expect(await nameFor('mx.two.test')).toBe('mx.two.test');
  expect(await nameFor('other.test')).not.toBe('mx.two.test');
  const before = await shake({ servername: 'mx.two.test' });
  await writeCertificate('mx.three.test');
  await vi.waitFor(async () => expect(await nameFor('mx.three.test')).toBe('mx.three.test'), {
    timeout: 20_000,
    interval: 500,
  });
  expect(await say(before, ['EHLO c.test'])).toMatch(/^250-/m);
});

test('a client certificate is required, told to rules, and gives the relay right it is named for', async () => {
  const tls = { clientCertificates: 'require', clientCaFile: file('ca.crt') };
  const when = 'client.certificate == "CN=relay.partner.test" && recipient.user == "c"';
  // biome-ignore lint/suspicious/noThenProperty: the rule language calls it so
  const rules = [{ id: 'no-c', event: 'rcpt', when, then: [{ reject: { text: 'not from this partner' } }] }];
  const relayCertificates = [{ fingerprint, tenant: 'acme' }];
  await cluster.writeConfig(config({ tls }, { relayCertificates, rules }));
  await vi.waitFor(async () => expect(await works()).toBe(false), soon);
  expect(await works(testAuthority('stranger').issue(['relay.partner.test']))).toBe(false);
  await vi.waitFor(async () => {
    const said = await say(await shake(client), [
      'EHLO c.test',
      'MAIL FROM:<a@partner.test>',
      'RCPT TO:<x@elsewhere.test>',
      'RCPT TO:<c@acme.test>',
    ]);
    expect(said).toMatch(/^250 2\.1\.5 .*\r\n550 5\.7\.1 not from this partner/m);
  }, soon);
});

test('REQUIRETLS goes with the message: a next hop without it does not get it, and the sender is told', async () => {
  await cluster.writeConfig(config({}, { relayNetworks: [{ network: '127.0.0.1', tenant: 'acme' }] }));
  await vi.waitFor(async () => expect(await works()).toBe(true), soon);
  const subject = createHash('sha256').update(String(port)).digest('hex').slice(0, 12);
  const send = async (parameter: string, name: string): Promise<string> => {
    const text = `Subject: ${subject} ${name}\r\n\r\n`;
    const chunk = [`BDAT ${text.length} LAST`, ...text.split('\r\n').slice(0, -1)];
    const envelope = [`MAIL FROM:<a@acme.test>${parameter}`, 'RCPT TO:<x@acme.test>'];
    return say(await shake(), ['EHLO c.test', ...envelope, ...chunk]);
  };
  expect(await send(' REQUIRETLS', 'kept')).toMatch(/queued as/);
  expect(await send('', 'free')).toMatch(/queued as/);
  await vi.waitFor(() => expect(nextHop.having(`${subject} free`)).toHaveLength(1), { timeout: 20_000 });
  await vi.waitFor(
    async () => {
      const trace = await cluster.ctl('trace', '--recipient', 'x@acme.test');
      expect(trace.stdout).toMatch(/5\.7\.30/);
    },
    { timeout: 20_000, interval: 300 },
  );
  expect(
    nextHop.messages.filter(
      ({ recipients, data }) => recipients.includes('x@acme.test') && data.includes(`${subject} kept`),
    ),
  ).toEqual([]);
});

test('a PROXY header where none is due is suspected, and posternctl status says so', async () => {
  const stray = await RawClient.open(await cluster.port('mx'));
  stray.send('PROXY TCP4 198.51.100.1 192.0.2.25 40000 25\r\n');
  await vi.waitFor(
    async () =>
      expect((await cluster.ctl('status')).stdout).toMatch(/^mx +127\.0\.0\.1 +\S+ +a PROXY header where none/m),
    { timeout: 20_000, interval: 250 },
  );
  stray.destroy();
});
