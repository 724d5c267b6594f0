import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { FakeClock } from '@postern/clock';
import { afterEach, describe, expect, it } from 'vitest';
import { readProxyHeader } from './proxy-reader.js';

const header = 'PROXY TCP4 192.0.2.9 198.51.100.1 4711 25\r\n';
const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0)) step();
});

async function pair(): Promise<{ readonly client: Socket; readonly socket: Socket }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const accepted = once(server, 'connection');
  const client = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
  const [socket]: Socket[] = await accepted;
  if (socket === undefined) throw new Error('no connection');
  undo.push(
    () => client.destroy(),
    () => socket.destroy(),
    () => server.close(),
  );
  return { client, socket };
}

async function begun(expectation: 'optional' | 'required', first: string) {
  const { client, socket } = await pair();
  const clock = new FakeClock();
  const arrived = once(socket, 'readable');
  const reading = readProxyHeader(socket, expectation, clock);
  client.write(first);
  await arrived;
  return { client, clock, reading, socket };
}

describe('a peer that need not send a PROXY header', () => {
  it('is waited for half a second when it is silent', async () => {
    const { socket } = await pair();
    const clock = new FakeClock();
    const reading = readProxyHeader(socket, 'optional', clock);
    await clock.advance(499);
    expect(clock.pendingTimers).toBe(2);
    await clock.advance(1);
    expect(await reading).toEqual({ kind: 'direct' });
    expect(clock.pendingTimers).toBe(0);
  });

  it('is not waited for when it says something else', async () => {
    const { reading, socket } = await begun('optional', 'EHLO c.test\r\n');
    expect(await reading).toEqual({ kind: 'direct' });
    expect(String(socket.read())).toBe('EHLO c.test\r\n');
  });

  it('has the time of a header once it has begun one', async () => {
    const { client, clock, reading, socket } = await begun('optional', header.slice(0, 20));
    await clock.advance(4_000);
    const arrived = once(socket, 'readable');
    client.write(header.slice(20));
    await arrived;
    expect(await reading).toMatchObject({ kind: 'proxied', header: { source: { address: '192.0.2.9' } } });
    expect(clock.pendingTimers).toBe(0);
  });
});

it.each(['optional', 'required'] as const)(
  'half a header ends a connection after five seconds: %s',
  async (expectation) => {
    const { clock, reading } = await begun(expectation, header.slice(0, 20));
    await clock.advance(4_999);
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(1);
    expect(await reading).toMatchObject({ kind: 'failed', reason: 'half a PROXY header', reply: { code: 421 } });
  },
);
