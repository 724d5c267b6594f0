/**
 * Peer `haraka`: a real Haraka that takes mail for one domain and throws it away, one process, no logs of sessions, and no reverse lookup of the client, which nobody
 * else here makes. Everything else is as it ships, its Received field included.
 */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort, startServer } from '@postern/local';
import { SmtpSender } from '@postern/testkit/smtp';
import { ensureHaraka } from '../haraka-program.js';
import type { Peer, PeerFactory } from '../peer.js';

const domain = 'example.test';

const noReverseLookup = `exports.hook_lookup_rdns = (next) => next(OK, 'client.test');\n`;

async function writeFolder(dir: string, port: number, shipped: string): Promise<void> {
  for (const name of ['config', 'plugins', 'queue']) await mkdir(join(dir, name));
  await copyFile(join(shipped, 'connection.ini'), join(dir, 'config', 'connection.ini'));
  const files = {
    'smtp.ini': `listen=127.0.0.1:${port}\nnodes=0\n`,
    'log.ini': '[main]\nlevel=error\nformat=default\n',
    host_list: `${domain}\n`,
    me: 'haraka.test\n',
    plugins: 'no_reverse_lookup\nrcpt_to.in_host_list\nqueue/discard\n',
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, 'config', name), text);
  await writeFile(join(dir, 'plugins', 'no_reverse_lookup.js'), noReverseLookup);
}

async function greets(port: number): Promise<boolean> {
  try {
    const sender = await SmtpSender.open({ port, timeoutMs: 2_000 });
    const { code } = await sender.greet();
    await sender.quit();
    return code === 250;
  } catch {
    return false;
  }
}

export const haraka: PeerFactory = {
  name: 'haraka',
  async start(): Promise<Peer> {
    const program = await ensureHaraka();
    const dir = await mkdtemp(join(tmpdir(), 'postern-bench-haraka-'));
    const port = await freePort();
    await writeFolder(dir, port, join(dirname(program), 'config'));
    const server = await startServer({
      name: 'haraka',
      address: `smtp://127.0.0.1:${port}`,
      command: process.execPath,
      args: [program],
      cwd: dir,
      env: { HARAKA: dir, YES_REALLY_DO_DISCARD: '1' },
      logFile: join(dir, 'log'),
      ports: [port],
      ready: () => greets(port),
    });
    return {
      name: 'haraka',
      port,
      to: () => `user@${domain}`,
      pids: () => Promise.resolve([server.pid]),
      drained: () => Promise.resolve(),
      async stop() {
        await server.stop();
        await rm(dir, { recursive: true, force: true, maxRetries: 5 });
      },
    };
  },
};
