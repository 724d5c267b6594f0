/** Who may not connect gets no handshake on a port that begins with TLS, on no edge: access rules of the operator, bans put by hand, bans errors earned elsewhere (B1, C5). */
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { freePort, portIsFree } from '@postern/local';
import { SmtpSender } from '@postern/testkit/smtp';
import { expect, test, vi } from 'vitest';
import { withMailWorld } from './mail-world.js';

const edges = [0, 1] as const;
type Edge = (typeof edges)[number];
/** Another edge adds its number to the ports. */
async function twoPorts(apartFrom = 0): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const port = await freePort();
    if (Math.abs(port - apartFrom) > 1 && (await portIsFree(port + 1, '127.0.0.1'))) return port;
  }
  throw new Error('no two free ports beside each other');
}
const plain = await twoPorts();
const secure = await twoPorts(plain);
const allowAll = [{ network: '0.0.0.0/0', action: 'allow' }];

// Clients come through a proxy: loopback is never banned for errors.
const world = withMailWorld({
  edges: 2,
  config: {
    trustedProxies: ['127.0.0.0/8'],
    access: allowAll,
    edge: {
      moreListeners: [
        { name: 'front', role: 'mx', address: `127.0.0.1:${plain}`, proxyProtocol: true },
        { name: 'fronts', role: 'submissions', address: `127.0.0.1:${secure}`, proxyProtocol: true },
      ],
    },
    listeners: { front: { role: 'mx' }, fronts: { role: 'submissions' } },
    errorControl: { badCommands: 3, tarpitErrors: 0 },
  },
});

/** What a client of this address meets on the port that begins with TLS, and how many octets it was sent before. */
function met(client: string, edge: Edge): Promise<'banner' | 'nothing' | 'broken off'> {
  return new Promise((resolve, reject) => {
    const raw = connect({ port: secure + edge, host: '127.0.0.1' }, () => {
      raw.write(`PROXY TCP4 ${client} 192.0.2.25 40000 465\r\n`);
      const socket = connectTls({ socket: raw, rejectUnauthorized: false });
      socket.once('data', () => {
        resolve('banner');
        raw.destroy();
      });
      socket.once('error', () => resolve(raw.bytesRead === 0 ? 'nothing' : 'broken off'));
    });
    raw.once('error', reject);
  });
}

const expectOnBoth = (client: string, what: 'banner' | 'nothing') =>
  vi.waitFor(
    async () => {
      for (const edge of edges) expect(await met(client, edge)).toBe(what);
    },
    { timeout: 5_000, interval: 200 },
  );

test('an access rule: from its change on, on both edges, until it is taken back', async () => {
  await expectOnBoth('198.51.100.1', 'banner');
  await world.reconfigure({ access: [{ network: '198.51.100.1', action: 'deny', priority: -1 }, ...allowAll] });
  await expectOnBoth('198.51.100.1', 'nothing');
  await expectOnBoth('198.51.100.2', 'banner');
  await world.reconfigure({});
  await expectOnBoth('198.51.100.1', 'banner');
});

test('a ban put by hand: on both edges, until it is lifted; a network is refused as one', async () => {
  await expectOnBoth('198.51.100.10', 'banner');
  expect(await world.cluster.ctl('ban', 'add', '198.51.100.10', '--for', '1h')).toMatchObject({ code: 0 });
  await expectOnBoth('198.51.100.10', 'nothing');
  expect(await world.cluster.ctl('ban', 'lift', '198.51.100.10')).toMatchObject({ code: 0 });
  await expectOnBoth('198.51.100.10', 'banner');
  const network = await world.cluster.ctl('ban', 'add', '198.51.100.0/24', '--for', '1h');
  expect(network.code).not.toBe(0);
  expect(network.stderr).toMatch(/198\.51\.100\.0\/24.*an access rule/s);
});

test('a ban earned on the plain port of one edge', async () => {
  const sender = await SmtpSender.open({ port: plain });
  sender.write('PROXY TCP4 198.51.100.20 192.0.2.25 40000 25\r\n');
  await sender.greet();
  for (let errors = 0; errors < 3; errors++) await sender.command('NONSENSE');
  sender.destroy();
  await expectOnBoth('198.51.100.20', 'nothing');
  await expectOnBoth('198.51.100.21', 'banner');
});
