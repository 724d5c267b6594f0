/** Peer `node-null`: bare smtp-server, accepts and throws away. The floor of what a Node receiver can cost. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Peer, PeerFactory } from '../peer.js';

export const bareWith = (...options: readonly string[]): PeerFactory => ({
  name: 'node-null',
  async start(): Promise<Peer> {
    const child = spawn(process.execPath, [fileURLToPath(new URL('../bare-server.js', import.meta.url)), ...options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const port = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString())));
    });
    const pid = child.pid ?? 0;
    return {
      name: 'node-null',
      port,
      pids: () => Promise.resolve([pid]),
      drained: () => Promise.resolve(),
      stop: async () => {
        child.kill('SIGTERM');
        await new Promise((resolve) => child.once('exit', resolve));
      },
    };
  },
});

export const bare = bareWith();
