/** Two redis-servers as one Redis Cluster for a test file: each has half of the slots, none has a replica. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { freePort } from '@postern/local';
import { beforeAll, expect, vi } from 'vitest';
import { type TestServer, withRedis } from './servers.js';

/** One inline command; its whole answer. */
async function command(port: number, line: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port });
  await once(socket, 'connect');
  socket.end(`${line}\r\nQUIT\r\n`);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  if (answer.startsWith('-')) throw new Error(`${line}: ${answer.trim()}`);
  return answer;
}

/** Its servers; the URL of any is that of the cluster. */
export async function withRedisCluster(): Promise<readonly [TestServer, TestServer]> {
  // The bus of a server would be its port plus 10,000, which may not exist.
  const [bus, otherBus] = [await freePort(), await freePort()];
  const server = (port: number): TestServer =>
    withRedis({ extra: ['cluster-enabled yes', 'cluster-config-file nodes.conf', `cluster-port ${port}`] });
  const servers = [server(bus), server(otherBus)] as const;
  beforeAll(async () => {
    const [{ port }, { port: other }] = servers;
    await command(port, 'CLUSTER ADDSLOTSRANGE 0 8191');
    await command(other, 'CLUSTER ADDSLOTSRANGE 8192 16383');
    await command(port, 'CLUSTER SET-CONFIG-EPOCH 1');
    await command(other, 'CLUSTER SET-CONFIG-EPOCH 2');
    await command(port, `CLUSTER MEET 127.0.0.1 ${other} ${otherBus}`);
    for (const one of [port, other])
      await vi.waitFor(async () => expect(await command(one, 'CLUSTER INFO')).toContain('cluster_state:ok'), 15_000);
  }, 60_000);
  return servers;
}
