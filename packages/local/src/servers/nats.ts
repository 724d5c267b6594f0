/**
 * nats-server: find or fetch it, and start it with JetStream that syncs every write before it acknowledges.
 * Versions before 2.10.27 have no `sync_interval: always` that works, and Debian 12's 2.9 silently ignores it: they are
 * never used. What a user may publish or subscribe to is the caller's text.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SetupError } from '../setup-error.js';
import { composeCommand } from './compose.js';
import { fetchDebian } from './fetch-debian.js';
import { atLeast, findOnPath, programVersion } from './find-binary.js';
import { type LaunchControl, launchControl, type RunningServer, startServer } from './running-server.js';
import { cached, firstFound, foldersOf, type ServerCache, sharedCache } from './server-cache.js';

/** The first version whose `sync_interval: always` holds. */
export const natsFloor = '2.10.27';

const insteadOfFetching = `put nats-server ${natsFloor} or newer on the PATH, or name a running one in POSTERN_NATS_URL`;

async function usableNats(path: string): Promise<string | undefined> {
  const version = await programVersion(path, ['--version']);
  return version !== undefined && atLeast(version, natsFloor) ? path : undefined;
}

/** Path of a nats-server of at least the floor: PATH, the cache, or the Debian package unpacked into the cache. */
export async function ensureNats(
  cache: ServerCache = sharedCache(),
  progress: (line: string) => void = () => {},
): Promise<string> {
  const installed = await findOnPath('nats-server');
  if (installed !== undefined && (await usableNats(installed)) !== undefined) return installed;
  const folders = foldersOf(cache, 'nats-server');
  const target = join(cache.dir, 'nats-server');
  const path = await cached(
    cache,
    'nats-server',
    () => firstFound(folders, findIn),
    () =>
      fetchDebian(
        {
          what: 'nats-server',
          packages: ['nats-server'],
          withDependencies: false,
          // A static Go program: the package of a newer release runs on an older one.
          suite: { debian: 'trixie', ubuntu: 'questing' },
          target,
          insteadOfFetching,
        },
        progress,
      ),
  );
  if (path === undefined) {
    throw new SetupError(
      `The fetched nats-server is older than ${natsFloor} or does not run.`,
      `${insteadOfFetching}.`,
    );
  }
  return path;
}

async function findIn(tree: string): Promise<string | undefined> {
  for (const folder of ['usr/sbin', 'usr/bin']) {
    const usable = await usableNats(join(tree, folder, 'nats-server'));
    if (usable !== undefined) return usable;
  }
  return undefined;
}

export interface NatsOptions extends LaunchControl {
  /** Holds the configuration, the log and the streams. */
  readonly dir: string;
  /** Address of all listeners; loopback unless given. */
  readonly host?: string;
  readonly port: number;
  /** HTTP monitor: `/healthz`, `/jsz?config=true`. */
  readonly monitorPort: number;
  /** The inside of `authorization { ... }` as text, for example `users: [ ... ]`; absent = no authentication. */
  readonly authorization?: string;
  /** fsync before every acknowledgement. */
  readonly syncAlways?: boolean;
  readonly maxPayloadBytes?: number;
  /** Upper bound of the streams on disk, for example `10GB`. */
  readonly maxStorage?: string;
  /** Further top-level configuration text, written last. */
  readonly extra?: string;
  readonly cluster?: {
    readonly serverName: string;
    readonly name: string;
    readonly port: number;
    readonly routes: readonly string[];
  };
  readonly binary?: string;
  /** In a container instead of the program. */
  readonly container?: boolean;
  readonly name?: string;
}

/** The text of the configuration file. */
export function natsConfiguration(options: NatsOptions): string {
  const { cluster, host = '127.0.0.1' } = options;
  const lines = [
    `host: "${host}"`,
    `port: ${options.port}`,
    `http: "${host}:${options.monitorPort}"`,
    `max_payload: ${options.maxPayloadBytes ?? 1_048_576}`,
    'max_pending: 64MB',
    'write_deadline: "10s"',
    'lame_duck_duration: "30s"',
    'jetstream {',
    `  store_dir: ${JSON.stringify(join(options.dir, 'jetstream'))}`,
    '  max_mem: 256MB',
    `  max_file: ${options.maxStorage ?? '20GB'}`,
    ...(options.syncAlways === false ? [] : ['  sync_interval: always']),
    '}',
  ];
  if (options.authorization !== undefined) lines.push('authorization {', options.authorization, '}');
  if (cluster !== undefined) {
    lines.push(
      `server_name: ${JSON.stringify(cluster.serverName)}`,
      'cluster {',
      `  name: ${JSON.stringify(cluster.name)}`,
      `  listen: "${host}:${cluster.port}"`,
      `  routes: [${cluster.routes.map((route) => JSON.stringify(route)).join(', ')}]`,
      '}',
    );
  }
  if (options.extra !== undefined) lines.push(options.extra);
  return `${lines.join('\n')}\n`;
}

/** True once the server's own health check passes (JetStream recovered, and its cluster has a leader). */
export async function natsIsHealthy(monitorPort: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${monitorPort}/healthz`, { signal: AbortSignal.timeout(1000) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}

/** Start one nats-server in its folder; the same call after a stop or a kill finds its streams again. */
export async function startNats(options: NatsOptions): Promise<RunningServer> {
  await mkdir(join(options.dir, 'jetstream'), { recursive: true });
  const configFile = join(options.dir, 'nats.conf');
  await writeFile(configFile, natsConfiguration(options), { mode: 0o600 });
  const program = options.container
    ? await composeCommand({ name: 'nats', program: ['nats-server', '-c', configFile], dir: options.dir })
    : { command: options.binary ?? (await ensureNats()), args: ['-c', configFile] };
  return startServer({
    ...launchControl(options),
    ...program,
    name: options.name ?? 'nats',
    address: `nats://127.0.0.1:${options.port}`,
    ports: [options.port, options.monitorPort, ...(options.cluster === undefined ? [] : [options.cluster.port])],
    logFile: join(options.dir, 'nats.log'),
    ready: () => natsIsHealthy(options.monitorPort),
    // A node of three is healthy only when a majority is there; the caller starts them together.
    readyWithinMs: options.readyWithinMs ?? 60_000,
    // SIGTERM and SIGINT both stop at once after flushing; lame duck mode is for a node that others replace.
    stopSignal: 'SIGTERM',
  });
}
