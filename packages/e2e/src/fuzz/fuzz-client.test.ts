import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { FuzzClient } from './fuzz-client.js';
import { Chance } from './random.js';

test('a server that is gone before the handshake is no hang', async () => {
  const server = createServer((socket) => socket.end('220 ready\r\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const client = await FuzzClient.open({ port, implicitTls: false }, new Chance(1));
  await expect.poll(() => client?.closed).toBe(true);
  expect((await client?.reply())?.code).toBe(220);
  expect(await client?.startTls()).toBe(false);
  expect(client?.finish()).toEqual([]);
  server.close();
});
