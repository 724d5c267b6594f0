/**
 * A Docker with compose: the one that answers here, else, as root on Debian, one of our own: packages from the machine's mirror,
 * plugins unpacked into a private folder, daemon on a socket and data folder inside a temporary one, ended by pid.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fetchDebian, SetupError, sharedCache } from '@postern/local';
import { createRun, type Run } from './command.js';

export interface DockerGround {
  readonly run: Run;
  /** Whether images can be expected to be pulled from a registry. */
  readonly pulls: boolean;
  stop(): Promise<void>;
}

const wayOut = 'install Docker with compose and start it, or run this as root on Debian.';

const works = (command: Promise<unknown>): Promise<boolean> =>
  command.then(
    () => true,
    () => false,
  );

/** Compose and buildx of a release whose compose is v2. */
async function plugins(say: (line: string) => void): Promise<string> {
  const target = join(sharedCache().dir, 'docker-plugins');
  if ((await readdir(target).catch(() => [])).length === 0) {
    await fetchDebian(
      {
        what: 'docker compose',
        packages: ['docker-compose', 'docker-buildx'],
        withDependencies: false,
        suite: { debian: 'sid' },
        target,
        insteadOfFetching: 'install Docker with compose',
      },
      say,
    );
  }
  return join(target, 'usr', 'libexec', 'docker', 'cli-plugins');
}

async function ensureDaemon(run: Run, say: (line: string) => void): Promise<void> {
  const missing = [];
  for (const [program, name] of [
    ['dockerd', 'docker.io'],
    ['iptables', 'iptables'],
    ['debootstrap', 'debootstrap'],
  ] as const) {
    if (!(await works(run('sh', ['-c', `command -v ${program}`])))) missing.push(name);
  }
  if (missing.length === 0) return;
  say(`installing ${missing.join(', ')}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update', '-qq'], { env });
  await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { env });
}

/** What dockerd changes in the network of the machine, remembered; the result puts it back. */
async function rememberNetwork(run: Run): Promise<() => Promise<void>> {
  const forwarding = '/proc/sys/net/ipv4/ip_forward';
  const forward = await readFile(forwarding, 'utf8');
  const bridged = await works(run('ip', ['link', 'show', 'docker0']));
  const tables = ['filter', 'nat'];
  const rules = await Promise.all(tables.map((table) => run('iptables-save', ['--table', table])));
  return async () => {
    for (const [index, table] of tables.entries()) {
      // A table nobody has used is saved as nothing.
      const chains =
        table === 'nat' ? ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'] : ['INPUT', 'FORWARD', 'OUTPUT'];
      const empty = [`*${table}`, ...chains.map((chain) => `:${chain} ACCEPT [0:0]`), 'COMMIT', ''].join('\n');
      const saved = rules[index] ?? '';
      await run('iptables-restore', [], { input: saved.includes(`*${table}`) ? saved : empty });
    }
    if (!bridged) await run('ip', ['link', 'delete', 'docker0']);
    await writeFile(forwarding, forward);
  };
}

async function stopDaemon(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const ended = new Promise((resolve) => daemon.once('exit', resolve));
  daemon.kill('SIGTERM');
  const slow = setTimeout(() => daemon.kill('SIGKILL'), 30_000);
  await ended;
  clearTimeout(slow);
}

/** A daemon that was stopped in the middle of something leaves mounts. */
async function unmountBelow(run: Run, folder: string): Promise<void> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((path) => path.startsWith(`${folder}/`)).reverse()) {
    await run('umount', ['--lazy', mount]);
  }
}

async function ownDaemon(folder: string, logFile: string, say: (line: string) => void): Promise<DockerGround> {
  const prepare = createRun(logFile, {});
  await ensureDaemon(prepare, say);
  const configFolder = join(folder, 'config');
  await mkdir(join(configFolder, 'cli-plugins'), { recursive: true });
  await cp(await plugins(say), join(configFolder, 'cli-plugins'), { recursive: true });
  const socket = `unix://${join(folder, 'docker.sock')}`;
  const restoreNetwork = await rememberNetwork(prepare);
  say('starting dockerd');
  const args = ['--host', socket, '--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec')];
  const daemon = spawn('dockerd', [...args, '--pidfile', join(folder, 'docker.pid')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A Ctrl-C of the terminal is ours to handle: containers go first.
    detached: true,
  });
  const log = createWriteStream(join(folder, '..', 'dockerd.log'));
  daemon.stdout.pipe(log, { end: false });
  daemon.stderr.pipe(log, { end: false });
  const run = createRun(logFile, { DOCKER_HOST: socket, DOCKER_CONFIG: configFolder });
  const stop = async () => {
    await stopDaemon(daemon);
    await unmountBelow(prepare, folder);
    await restoreNetwork();
  };
  for (let tries = 0; !(await works(run('docker', ['version']))); tries += 1) {
    if (tries < 60 && daemon.exitCode === null) await sleep(500);
    else {
      await stop();
      throw new SetupError(`dockerd does not start; see ${join(folder, '..', 'dockerd.log')}.`, wayOut);
    }
  }
  return { run, pulls: false, stop };
}

/** `folder` is the daemon's own; its path must be short, since sockets live in it. */
export async function dockerGround(
  folder: string,
  logFile: string,
  say: (line: string) => void,
): Promise<DockerGround> {
  const run = createRun(logFile, {});
  if (await works(run('docker', ['info'], { timeoutMs: 20_000 }))) {
    if (await works(run('docker', ['compose', 'version']))) return { run, pulls: true, stop: async () => {} };
    throw new SetupError('This Docker has no compose plugin.', wayOut);
  }
  if (process.getuid?.() !== 0) throw new SetupError('No Docker answers here.', wayOut);
  return ownDaemon(folder, logFile, say);
}
