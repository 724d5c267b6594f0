/** Peer `edge-accept`: the edge's SMTP front alone, with its real limits in a Redis of its own and a spool that throws away. The ratio is of the edge; Redis is a part. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, startRedis } from '@postern/local';
import type { Peer, PeerFactory } from '../peer.js';

const program = fileURLToPath(new URL('../../../../services/edge/dist/testing/accept-only.js', import.meta.url));

export const edgeAccept: PeerFactory = {
  name: 'edge-accept',
  async start(): Promise<Peer> {
    const dir = await mkdtemp(join(tmpdir(), 'postern-bench-edge-'));
    const redis = await startRedis({ dir, port: await freePort() });
    const child = spawn(process.execPath, ['--initial-old-space-size=64', program, redis.address], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const port = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`accept-only ended with ${code}`)));
      child.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString())));
    });
    const pid = child.pid ?? 0;
    return {
      name: 'edge-accept',
      port,
      to: () => 'user@example.test',
      pids: () => Promise.resolve([pid]),
      parts: () => Promise.resolve({ edge: [pid], redis: [redis.pid] }),
      drained: () => Promise.resolve(),
      stop: async () => {
        child.kill('SIGTERM');
        await new Promise((resolve) => child.once('exit', resolve));
        await redis.stop();
        await rm(dir, { recursive: true, force: true });
      },
    };
  },
};
