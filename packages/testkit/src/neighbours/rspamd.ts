/**
 * A real Rspamd, fetched and unpacked, never installed, with one scanning process and only the modules spf, dkim, dmarc and rbl. Its first start
 * compiles the public suffix list, which takes some seconds. Offline: it asks nobody but the DNS server it is given.
 */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '@postern/local';
import { ensureUnpacked, libraryPath } from './unpacked.js';

export interface Rspamd {
  readonly port: number;
  /** Root of its process tree. */
  readonly pid: number;
  stop(): Promise<void>;
}

export interface RspamdOptions {
  /** `127.0.0.1:port`. */
  readonly dnsServer: string;
  readonly blocklists: readonly string[];
}

const patienceMs = 60_000;
/** DKIM is part of the program. */
const plugins = ['spf.lua', 'dmarc.lua', 'rbl.lua'];

function configuration(folder: string, tree: string, port: number, { dnsServer, blocklists }: RspamdOptions): string {
  const lists = blocklists.map((zone, at) => `list${at} { symbol = "LIST${at}"; rbl = "${zone}"; checks = ["from"]; }`);
  return `
options {
  pidfile = "${folder}/pid"; cache_file = "${folder}/cache"; hs_cache_dir = "${folder}/"; tempdir = "${folder}";
  control_socket = "${folder}/control mode=0600";
  filters = "dkim"; local_addrs = [];
  url_tld = "${tree}/usr/share/rspamd/effective_tld_names.dat";
  dns { nameserver = ["${dnsServer}"]; timeout = 1s; sockets = 16; retransmits = 5; }
}
logging { type = "file"; filename = "${folder}/log"; level = "warning"; }
worker "normal" { bind_socket = "127.0.0.1:${port}"; count = 1; mime = true; }
metric { name = "default"; actions { reject = 1000; } }
modules { path = "${folder}/plugins"; }
spf { spf_cache_size = 2k; spf_cache_expire = 1d; }
dkim { dkim_cache_size = 2k; dkim_cache_expire = 1d; trusted_only = false; skip_multi = false; }
dmarc { enabled = true; }
rbl { default_unknown = true; rbls { ${lists.join('\n')} } }
`;
}

async function answers(port: number): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(1_000);
    return (await fetch(`http://127.0.0.1:${port}/ping`, { signal })).ok;
  } catch {
    return false;
  }
}

export async function startRspamd(options: RspamdOptions): Promise<Rspamd> {
  const tree = await ensureUnpacked({ name: 'rspamd', packages: ['rspamd'], witness: 'usr/bin/rspamd' });
  const folder = await mkdtemp(join(tmpdir(), 'postern-rspamd-'));
  const port = await freePort();
  const file = join(folder, 'rspamd.conf');
  await writeFile(file, configuration(folder, tree, port, options));
  const share = `${tree}/usr/share/rspamd`;
  await mkdir(join(folder, 'plugins'));
  for (const name of plugins) await symlink(join(share, 'plugins', name), join(folder, 'plugins', name));
  const places = { SHAREDIR: share, PLUGINSDIR: `${share}/plugins`, RULESDIR: `${share}/rules` };
  const variables = Object.entries({ ...places, LUALIBDIR: `${share}/lualib` }).map(
    ([key, at]) => `--var=${key}=${at}`,
  );
  // -f: stays in the foreground; -i: may be root.
  const child = spawn(join(tree, 'usr/bin/rspamd'), [...variables, '-f', '-i', '-c', file], {
    stdio: 'ignore',
    env: { LD_LIBRARY_PATH: await libraryPath(tree), PATH: process.env.PATH },
  });
  let ended = false;
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      ended = true;
      resolve();
    });
  });
  const stop = async (): Promise<void> => {
    if (!ended) child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await exited;
    clearTimeout(timer);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  for (const end = Date.now() + patienceMs; !ended && Date.now() < end; await sleep(100))
    if (await answers(port)) return { port, pid: child.pid ?? 0, stop };
  const log = await readFile(join(folder, 'log'), 'utf8').catch(() => '');
  await stop();
  throw new Error(`rspamd did not start: ${log.slice(-800)}`);
}
