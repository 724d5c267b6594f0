/**
 * Unpack Debian or Ubuntu packages into a private folder, without root and without touching the system: apt with its
 * own sources list, index and cache folders (its signatures are checked as always), `apt-get download`, `dpkg -x`.
 * Suite and packages are the caller's; the mirror is the machine's own.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { SetupError } from '../setup-error.js';
import { type AptMirror, findMirror, readDistribution } from './apt-sources.js';
import { findOnPath } from './find-binary.js';

const run = promisify(execFile);

export interface DebianFetch {
  /** For messages: which server this is for. */
  readonly what: string;
  readonly packages: readonly string[];
  /** Also unpack the direct dependencies of these packages (shared libraries), except the base system's own. */
  readonly withDependencies: boolean;
  /** Suite to take, or `own` for the one this machine runs. Given per distribution id. */
  readonly suite: Readonly<Record<string, string>>;
  /** Folder that holds the unpacked tree afterwards; appears whole or not at all. */
  readonly target: string;
  readonly insteadOfFetching: string;
}

/** Part of every installation, or of no use without installing. */
const neverFetched = new Set([
  'libc6',
  'libgcc-s1',
  'gcc-12-base',
  'adduser',
  'lsb-base',
  'procps',
  'cpio',
  'debconf',
  'dpkg',
  'e2fsprogs',
  'init-system-helpers',
  'netbase',
  'perl',
  'ssl-cert',
  'sysvinit-utils',
]);

interface AptSession {
  readonly options: readonly string[];
  readonly folder: string;
  readonly suite: string;
}

async function prepareApt(folder: string, mirror: AptMirror, suite: string): Promise<AptSession> {
  const list = join(folder, 'private.list');
  const signedBy = mirror.signedBy?.startsWith('/') ? `[signed-by=${mirror.signedBy}] ` : '';
  await writeFile(list, `deb ${signedBy}${mirror.uri} ${suite} ${mirror.components}\n`);
  await mkdir(join(folder, 'lists', 'partial'), { recursive: true });
  await mkdir(join(folder, 'cache', 'archives', 'partial'), { recursive: true });
  const settings = [
    `Dir::Etc::SourceList=${list}`,
    'Dir::Etc::SourceParts=/dev/null',
    `Dir::State::Lists=${join(folder, 'lists')}`,
    `Dir::Cache=${join(folder, 'cache')}`,
    'APT::Sandbox::User=',
    'Acquire::Languages=none',
    'Acquire::Retries=2',
    // Without this an index that could not be fetched is only a warning.
    'APT::Update::Error-Mode=any',
    'Acquire::http::Timeout=20',
    'Acquire::https::Timeout=20',
  ];
  return { options: settings.flatMap((setting) => ['-o', setting]), folder, suite };
}

async function apt(session: AptSession, fetch: DebianFetch, ...args: string[]): Promise<void> {
  try {
    await run('apt-get', [...session.options, ...args], {
      cwd: session.folder,
      timeout: 300_000,
      maxBuffer: 8_388_608,
    });
  } catch (error) {
    const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    const reason = text.split('\n').find((line) => line.startsWith('E:')) ?? text.split('\n')[0] ?? '';
    throw new SetupError(
      `Could not fetch ${fetch.what} (apt-get ${args[0]}: ${reason.slice(0, 200)}).`,
      `check the network and the apt sources, or ${fetch.insteadOfFetching}.`,
    );
  }
}

async function dependenciesOf(debFiles: readonly string[]): Promise<string[]> {
  const names = new Set<string>();
  for (const file of debFiles) {
    const { stdout } = await run('dpkg-deb', ['-f', file, 'Depends']);
    for (const alternative of stdout.split(',')) {
      const name = /^\s*([a-z0-9][a-z0-9.+-]+)/.exec(alternative)?.[1];
      if (name !== undefined && !neverFetched.has(name)) names.add(name);
    }
  }
  return [...names];
}

async function debFilesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names.filter((name) => name.endsWith('.deb')).map((name) => join(folder, name));
}

/** Fetch and unpack; `progress` gets one line per step. */
export async function fetchDebian(fetch: DebianFetch, progress: (line: string) => void): Promise<void> {
  const distribution = await readDistribution();
  const hasApt = (await findOnPath('apt-get')) !== undefined && (await findOnPath('dpkg')) !== undefined;
  const suiteRule = distribution === undefined ? undefined : fetch.suite[distribution.id];
  if (!hasApt || distribution === undefined || suiteRule === undefined) {
    throw new SetupError(
      `${fetch.what} is not on the PATH, and only Debian and Ubuntu packages can be fetched.`,
      `${fetch.insteadOfFetching}.`,
    );
  }
  const mirror = await findMirror(distribution.codename);
  if (mirror === undefined) {
    throw new SetupError(
      `${fetch.what} is not on the PATH, and /etc/apt names no mirror of ${distribution.codename}.`,
      `${fetch.insteadOfFetching}.`,
    );
  }
  const suite = suiteRule === 'own' ? distribution.codename : suiteRule;
  await mkdir(dirname(fetch.target), { recursive: true });
  const folder = await mkdtemp(`${fetch.target}.fetch-`);
  try {
    progress(`fetching ${fetch.what}: package index of ${suite}`);
    const session = await prepareApt(folder, mirror, suite);
    await apt(session, fetch, 'update');
    progress(`fetching ${fetch.what}: ${fetch.packages.join(' ')}`);
    await apt(session, fetch, 'download', ...fetch.packages.map((name) => `${name}/${suite}`));
    if (fetch.withDependencies) {
      const more = (await dependenciesOf(await debFilesIn(folder))).filter((name) => !fetch.packages.includes(name));
      if (more.length > 0) await apt(session, fetch, 'download', ...more);
    }
    const tree = join(folder, 'tree');
    for (const file of await debFilesIn(folder)) await run('dpkg', ['-x', file, tree]);
    await rm(fetch.target, { recursive: true, force: true });
    await rename(tree, fetch.target);
    progress(`fetched ${fetch.what}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
