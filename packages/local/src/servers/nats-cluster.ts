/**
 * Three nats-servers on loopback that form one JetStream cluster, for tests of node failure. Nodes are stopped and
 * started again one by one with the same ports and folders.
 */
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { ensureNats, type NatsOptions, startNats } from './nats.js';
import type { RunningServer } from './running-server.js';

export interface NatsClusterNode {
  readonly options: NatsOptions;
  readonly url: string;
  readonly monitorUrl: string;
  /** The process as last started. */
  readonly server: RunningServer;
  /** Start it again after a stop or a kill. */
  restart(): Promise<void>;
}

export interface NatsCluster {
  readonly nodes: readonly NatsClusterNode[];
  readonly urls: readonly string[];
  stop(): Promise<void>;
}

export interface NatsClusterOptions {
  readonly dir: string;
  readonly size?: number;
  readonly authorization?: string;
  readonly syncAlways?: boolean;
  readonly binary?: string;
}

/** Start the nodes together and resolve when each says it is healthy. */
export async function startNatsCluster(options: NatsClusterOptions): Promise<NatsCluster> {
  const binary = options.binary ?? (await ensureNats());
  const indexes = Array.from({ length: options.size ?? 3 }, (_, index) => index);
  const ports = await Promise.all(
    indexes.map(async () => ({ client: await freePort(), monitor: await freePort(), route: await freePort() })),
  );
  const nodes = await Promise.all(
    ports.map((port, index) =>
      startNode({
        name: `nats-${index}`,
        dir: join(options.dir, `nats-${index}`),
        port: port.client,
        monitorPort: port.monitor,
        syncAlways: options.syncAlways ?? true,
        binary,
        ...(options.authorization === undefined ? {} : { authorization: options.authorization }),
        cluster: {
          serverName: `n${index}`,
          name: 'postern',
          port: port.route,
          routes: ports.filter((other) => other !== port).map((other) => `nats-route://127.0.0.1:${other.route}`),
        },
      }),
    ),
  );
  return {
    nodes,
    urls: nodes.map((node) => node.url),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.server.stop()));
    },
  };
}

async function startNode(options: NatsOptions): Promise<NatsClusterNode> {
  let server = await startNats(options);
  return {
    options,
    url: `nats://127.0.0.1:${options.port}`,
    monitorUrl: `http://127.0.0.1:${options.monitorPort}`,
    get server() {
      return server;
    },
    restart: async () => {
      await server.stop();
      server = await startNats(options);
    },
  };
}
