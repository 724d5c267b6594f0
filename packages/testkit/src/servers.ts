/**
 * Real servers for one test file: started before its tests, on free ports and in temporary folders, stopped and removed
 * after them. Use at the top level of a test file: `const nats = withNats();` and read `nats.url` inside a test.
 * Binaries come from the PATH or the shared cache (fetched once per machine).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ensureNats,
  freePort,
  type NatsCluster,
  type RunningServer,
  startNats,
  startNatsCluster,
  startPostgres,
  startRedis,
} from '@postern/local';
import { afterAll, beforeAll } from 'vitest';
import { testRedis } from './redis-server.js';
import type { SmallDisk } from './small-disk.js';

/** A server that a test may kill and start again. */
export interface TestServer {
  /** Connection URL without credentials. */
  readonly url: string;
  readonly port: number;
  /** The process as last started. */
  readonly server: RunningServer;
  /** End it; `SIGKILL` for a crash. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Start it again with the same port and folder (after stopping it if it runs). */
  restart(): Promise<void>;
}

export interface TestNats extends TestServer {
  readonly monitorUrl: string;
}

export interface TestPostgres extends TestServer {
  readonly password: string;
  /** URL of the superuser, password included. */
  readonly adminUrl: string;
}

interface Started {
  readonly port: number;
  readonly monitorPort: number;
  readonly start: () => Promise<RunningServer>;
}

/** Longest time a first start may need: it may have to fetch the server. */
const hookTimeoutMs = 180_000;

function lifecycle(name: string, prepare: (dir: string) => Promise<Started>) {
  let dir = '';
  let started: Started | undefined;
  let server: RunningServer | undefined;
  const running = () => {
    if (started === undefined || server === undefined)
      throw new Error(`${name} is started in beforeAll; use it inside a test`);
    return { started, server };
  };
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), `postern-${name}-`));
    started = await prepare(dir);
    server = await started.start();
  }, hookTimeoutMs);
  afterAll(async () => {
    await server?.stop('SIGKILL');
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }, hookTimeoutMs);
  return {
    running,
    stop: (signal?: NodeJS.Signals) => running().server.stop(signal),
    restart: async () => {
      const now = running();
      await now.server.stop();
      server = await now.started.start();
    },
  };
}

export interface WithNatsOptions {
  /** Inside of `authorization { ... }`; absent = no login. */
  readonly authorization?: string;
  readonly syncAlways?: boolean;
  readonly maxStorage?: string;
  /** Keeps its streams there instead of in the folder for temporary files. */
  readonly disk?: SmallDisk;
}

/** One nats-server with JetStream for this test file. */
export function withNats(options: WithNatsOptions = {}): TestNats {
  const life = lifecycle('nats', async (dir) => {
    const [binary, port, monitorPort] = [await ensureNats(), await freePort(), await freePort()];
    const { disk, ...settings } = options;
    const place = disk === undefined ? dir : join(disk.path, 'nats');
    return { port, monitorPort, start: () => startNats({ ...settings, dir: place, port, monitorPort, binary }) };
  });
  return {
    get url() {
      return life.running().server.address;
    },
    get port() {
      return life.running().started.port;
    },
    get monitorUrl() {
      return `http://127.0.0.1:${life.running().started.monitorPort}`;
    },
    get server() {
      return life.running().server;
    },
    stop: life.stop,
    restart: life.restart,
  };
}

/** Three nats-servers as one JetStream cluster for this test file. */
export function withNatsCluster(options: WithNatsOptions & { readonly size?: number } = {}): {
  readonly cluster: NatsCluster;
} {
  let dir = '';
  let cluster: NatsCluster | undefined;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'postern-nats-cluster-'));
    cluster = await startNatsCluster({ ...options, dir });
  }, hookTimeoutMs);
  afterAll(async () => {
    await Promise.all((cluster?.nodes ?? []).map((node) => node.server.stop('SIGKILL')));
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }, hookTimeoutMs);
  return {
    get cluster() {
      if (cluster === undefined) throw new Error('the cluster is started in beforeAll; use it inside a test');
      return cluster;
    },
  };
}

export interface WithRedisOptions {
  readonly password?: string;
  readonly aclFile?: string;
  readonly appendOnly?: boolean;
  readonly maxMemory?: string;
  /** Further lines of its configuration. */
  readonly extra?: readonly string[];
}

/** One redis-server for this test file. */
export function withRedis(options: WithRedisOptions = {}): TestServer {
  const life = lifecycle('redis', async (dir) => {
    const [binary, port] = [await testRedis(), await freePort()];
    return { port, monitorPort: 0, start: () => startRedis({ ...options, dir, port, binary }) };
  });
  return {
    get url() {
      return life.running().server.address;
    },
    get port() {
      return life.running().started.port;
    },
    get server() {
      return life.running().server;
    },
    stop: life.stop,
    restart: life.restart,
  };
}

/** One PostgreSQL for this test file; the superuser is `postgres`. */
export function withPostgres(options: { readonly settings?: Readonly<Record<string, string>> } = {}): TestPostgres {
  const password = 'test-only';
  const life = lifecycle('postgres', async (dir) => {
    const port = await freePort();
    // A test's database may be lost with the machine, not with the process: no fsync, same recovery after kill -9.
    const settings = { fsync: 'off', ...options.settings };
    return { port, monitorPort: 0, start: () => startPostgres({ dir, port, password, settings }) };
  });
  return {
    password,
    get url() {
      return `${life.running().server.address}/postgres`;
    },
    get adminUrl() {
      return `postgres://postgres:${password}@127.0.0.1:${life.running().started.port}/postgres`;
    },
    get port() {
      return life.running().started.port;
    },
    get server() {
      return life.running().server;
    },
    stop: life.stop,
    restart: life.restart,
  };
}
