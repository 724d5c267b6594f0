import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { Doubles } from './testing/doubles.js';

test('a port that is taken is said with the listener and its field, and is no failed handshake', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const bound = other.address();
  const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
  const doubles = new Doubles();
  await expect(doubles.listen({ name: 'mx', role: 'mx', host: '127.0.0.1', port })).rejects.toThrow(
    `address of listener mx in edge.listeners: cannot listen on 127.0.0.1:${port}: another program has it (EADDRINUSE)`,
  );
  expect(doubles.tlsFailures).toEqual([]);
  await new Promise((resolve) => other.close(resolve));
});
