/** A real rbldnsd, fetched and unpacked, never installed: zones of `ip4set` entries as its own files hold them. */
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@postern/local';
import { ensureUnpacked, libraryPath } from './unpacked.js';

export interface Rbldnsd {
  /** `host:port` for a DNS client. */
  readonly server: string;
  stop(): Promise<void>;
}

const patienceMs = 10_000;

/** `zones`: the text of each zone's data file. */
export async function startRbldnsd(zones: Readonly<Record<string, string>>): Promise<Rbldnsd> {
  const tree = await ensureUnpacked({ name: 'rbldnsd', packages: ['rbldnsd'], witness: 'usr/sbin/rbldnsd' });
  const folder = await mkdtemp(join(tmpdir(), 'postern-rbldnsd-'));
  const port = await freePort();
  const data: string[] = [];
  for (const [zone, text] of Object.entries(zones)) {
    await writeFile(join(folder, zone), text);
    data.push(`${zone}:ip4set:${zone}`);
  }
  // It refuses to be root, and then its user must be able to read the zones.
  const asWhom = userInfo().uid === 0 ? ['-u', 'nobody'] : [];
  await chmod(folder, 0o755);
  const args = ['-n', ...asWhom, '-w', folder, '-b', `127.0.0.1/${port}`, ...data];
  const child = spawn(join(tree, 'usr/sbin/rbldnsd'), args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { LD_LIBRARY_PATH: await libraryPath(tree) },
  });
  let said = '';
  const started = new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), patienceMs);
    const hear = (octets: Buffer): void => {
      said += octets.toString();
      if (!said.includes('started')) return;
      clearTimeout(timer);
      resolve(true);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('exit', () => resolve(false));
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  };
  if (await started) return { server: `127.0.0.1:${port}`, stop };
  await stop();
  throw new Error(`rbldnsd did not start: ${said.slice(-400)}`);
}
