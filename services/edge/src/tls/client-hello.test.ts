/** The name in a ClientHello, of real ones and of octets that are none; however they are cut. */
import { connect, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readServerName, serverNameOf } from './client-hello.js';

/** What Node's client sends first. */
async function helloOf(servername: string | undefined): Promise<Buffer> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const first = new Promise<Buffer>((resolve) => {
    server.once('connection', (socket: Socket) =>
      socket.once('data', (data: Buffer) => {
        socket.destroy();
        resolve(data);
      }),
    );
  });
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  connectTls({ port, host: '127.0.0.1', ...(servername === undefined ? {} : { servername }) }).on(
    'error',
    () => undefined,
  );
  const hello = await first;
  server.close();
  return hello;
}

/** The same handshake in records of so many octets. */
function inRecords(hello: Buffer, length: number): Buffer {
  const handshake = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < handshake.length; at += length) {
    const fragment = handshake.subarray(at, at + length);
    records.push(Buffer.from([0x16, 3, 1, fragment.length >> 8, fragment.length & 255]), fragment);
  }
  return Buffer.concat(records);
}

test.each([['mx.two.test'], [undefined]])('a client that asks for %s', async (servername) => {
  const hello = await helloOf(servername);
  const expected = { kind: 'read', ...(servername === undefined ? {} : { serverName: servername }) };
  expect(serverNameOf(hello)).toEqual(expected);
  expect(serverNameOf(inRecords(hello, 100))).toEqual(expected);
  for (let at = 0; at < hello.length; at++) expect(serverNameOf(hello.subarray(0, at))).toEqual({ kind: 'incomplete' });
});

test.each([
  ['a command', Buffer.from('EHLO client.test\r\n')],
  ['an alert', Buffer.from([0x15, 3, 1, 0, 2, 1, 0])],
  ['a record that is empty', Buffer.from([0x16, 3, 1, 0, 0])],
  ['a record that is too long', Buffer.from([0x16, 3, 1, 0xff, 0xff])],
  ['another handshake message', Buffer.from([0x16, 3, 1, 0, 4, 2, 0, 0, 0])],
  ['a hello that is too long', Buffer.from([0x16, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff])],
  ['a hello that ends early', Buffer.from([0x16, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3])],
])('%s has no name, and is not waited for', (_name, bytes) => {
  expect(serverNameOf(bytes)).toEqual({ kind: 'read' });
});

test('no octets are too much for it', async () => {
  const hello = await helloOf('mx.two.test');
  fc.assert(
    fc.property(fc.nat(hello.length - 1), fc.uint8Array({ maxLength: 40 }), (at, noise) => {
      serverNameOf(Buffer.concat([hello.subarray(0, at), noise, hello.subarray(at)]));
      const changed = Buffer.from(hello);
      changed.set(noise.subarray(0, hello.length - at), at);
      serverNameOf(changed);
    }),
  );
});

test('every octet is given back, however they came', async () => {
  const hello = await helloOf('mx.two.test');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const read = new Promise<{ name: string | undefined; bytes: Buffer }>((resolve) => {
    server.once('connection', (socket: Socket) => {
      readServerName(socket, {
        onRead: (name) => {
          resolve({ name, bytes: socket.read() ?? Buffer.alloc(0) });
          socket.destroy();
        },
        onGone: () => undefined,
      });
    });
  });
  const client = connect({ port: typeof address === 'object' ? (address?.port ?? 0) : 0, noDelay: true });
  for (const octet of hello) {
    client.write(Buffer.from([octet]));
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  expect(await read).toEqual({ name: 'mx.two.test', bytes: hello });
  client.destroy();
  server.close();
});
