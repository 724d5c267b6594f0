/**
 * redis-server (or valkey-server): find or fetch it, and start it on loopback. Fetched copies bring their own shared
 * libraries, found through LD_LIBRARY_PATH.
 */
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SetupError } from '../setup-error.js';
import { composeCommand } from './compose.js';
import { fetchDebian } from './fetch-debian.js';
import { atLeast, findOnPath, programVersion } from './find-binary.js';
import { type LaunchControl, launchControl, type RunningServer, startServer } from './running-server.js';
import { cached, firstFound, foldersOf, type ServerCache, sharedCache } from './server-cache.js';
import { askOnce } from './tcp-dialogue.js';

/** The first version with ACL selectors on pub/sub channels and the script behaviour we rely on. */
export const redisFloor = '6.2.0';

const insteadOfFetching = `put redis-server ${redisFloor} or newer on the PATH, or name a running one in POSTERN_REDIS_URL`;

/** A redis-server and the environment it needs. */
export interface RedisBinary {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

async function usable(path: string, env: Readonly<Record<string, string>>): Promise<RedisBinary | undefined> {
  const version = await programVersion(path, ['--version'], env);
  return version !== undefined && atLeast(version, redisFloor) ? { path, env } : undefined;
}

/** A redis-server of at least the floor: PATH, the cache, or the distribution's own package unpacked into the cache. */
export async function ensureRedis(
  cache: ServerCache = sharedCache(),
  progress: (line: string) => void = () => {},
): Promise<RedisBinary> {
  for (const name of ['redis-server', 'valkey-server']) {
    const installed = await findOnPath(name);
    const found = installed === undefined ? undefined : await usable(installed, {});
    if (found !== undefined) return found;
  }
  const folders = foldersOf(cache, 'redis');
  const target = join(cache.dir, 'redis');
  const fetched = await cached(
    cache,
    'redis',
    () => firstFound(folders, findIn),
    () =>
      fetchDebian(
        {
          what: 'redis-server',
          packages: ['redis-server', 'redis-tools'],
          withDependencies: true,
          // Linked to the system's own libc: only the suite of this machine fits.
          suite: { debian: 'own', ubuntu: 'own' },
          target,
          insteadOfFetching,
        },
        progress,
      ),
  );
  if (fetched === undefined) {
    throw new SetupError(
      `The fetched redis-server is older than ${redisFloor} or does not run.`,
      `${insteadOfFetching}.`,
    );
  }
  return fetched;
}

async function findIn(tree: string): Promise<RedisBinary | undefined> {
  const path = join(tree, 'usr/bin/redis-server');
  if ((await stat(path).catch(() => undefined)) === undefined) return undefined;
  return usable(path, { LD_LIBRARY_PATH: (await libraryFolders(tree)).join(':') });
}

async function libraryFolders(tree: string): Promise<string[]> {
  const names = await readdir(tree, { recursive: true });
  const folders = names.filter((name) => /\.so(\.[\d.]+)?$/.test(name)).map((name) => dirname(join(tree, name)));
  return [...new Set(folders)];
}

export interface RedisOptions extends LaunchControl {
  readonly dir: string;
  readonly port: number;
  /** Redis ACL users, one `user ...` line each; the default user must be among them. */
  readonly aclFile?: string;
  readonly password?: string;
  /** Keep data over a restart: append-only file, synced every second. Off by default: limits and leases heal. */
  readonly appendOnly?: boolean;
  readonly maxMemory?: string;
  readonly extra?: readonly string[];
  readonly binary?: RedisBinary;
  /** In a container instead of the program. */
  readonly container?: boolean;
  readonly name?: string;
}

/** The text of the configuration file. */
export function redisConfiguration(options: RedisOptions): string {
  const lines = [
    'bind 127.0.0.1',
    `port ${options.port}`,
    `dir ${JSON.stringify(options.dir)}`,
    'daemonize no',
    // Keep the command line as started: it names the folder this server belongs to.
    'set-proc-title no',
    'save ""',
    `appendonly ${options.appendOnly === true ? 'yes' : 'no'}`,
    'appendfsync everysec',
    `maxmemory ${options.maxMemory ?? '256mb'}`,
    // Counters and leases are never evicted silently: a full Redis refuses, and the caller's declared fallback decides.
    'maxmemory-policy noeviction',
    ...(options.aclFile === undefined ? [] : [`aclfile ${JSON.stringify(options.aclFile)}`]),
    ...(options.password === undefined ? [] : [`requirepass ${JSON.stringify(options.password)}`]),
    ...(options.extra ?? []),
  ];
  return `${lines.join('\n')}\n`;
}

async function programOf(options: RedisOptions, configFile: string) {
  if (options.container) {
    const reads = options.aclFile === undefined ? [] : [options.aclFile];
    return composeCommand({ name: 'redis', program: ['redis-server', configFile], dir: options.dir, reads });
  }
  const { path, env } = options.binary ?? (await ensureRedis());
  return { command: path, args: [configFile], env };
}

/** Start one redis-server in its folder. */
export async function startRedis(options: RedisOptions): Promise<RunningServer> {
  await mkdir(options.dir, { recursive: true });
  const configFile = join(options.dir, 'redis.conf');
  await writeFile(configFile, redisConfiguration(options), { mode: 0o600 });
  return startServer({
    ...launchControl(options),
    ...(await programOf(options, configFile)),
    name: options.name ?? 'redis',
    address: `redis://127.0.0.1:${options.port}`,
    ports: [options.port],
    logFile: join(options.dir, 'redis.log'),
    // PONG, or NOAUTH / NOPERM from a server that wants a login: it serves. LOADING is neither.
    ready: async () =>
      (await askOnce(options.port, 'PING\r\n', /^(\+PONG|-NOAUTH|-NOPERM|-LOADING)/)).match(
        /^(\+PONG|-NOAUTH|-NOPERM)/,
      ) !== null,
  });
}
