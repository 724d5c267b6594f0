/**
 * The three NATS nodes of a campaign with `--nats 3`: started beside the cluster, every stream with three replicas, struck one after the other. A strike ends
 * when the node is back; that the others go on meanwhile is what the load shows.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startNatsCluster } from '@postern/local';
import { type Misfortune, pauseMs } from './nemesis.js';

export interface NatsNodes {
  /** For the configuration and the environment of the cluster. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly count: number;
  strike(index: number, misfortune: Misfortune): Promise<void>;
  stop(): Promise<void>;
}

/** Time for a node that is away: long enough for a new leader of every stream. */
const awayMs = 3_000;

export async function startNatsNodes(count: number): Promise<NatsNodes> {
  const dir = await mkdtemp(join(tmpdir(), 'postern-chaos-nats-'));
  const cluster = await startNatsCluster({ dir, size: count });
  return {
    settings: { streams: { replicas: count }, natsMonitors: cluster.nodes.map((node) => node.monitorUrl) },
    environment: {
      POSTERN_NATS_URL: cluster.nodes.map(({ url }) => url).join(','),
      POSTERN_NATS_MONITOR_URL: cluster.nodes.map(({ monitorUrl }) => monitorUrl).join(','),
    },
    count,
    async strike(index, misfortune) {
      const node = cluster.nodes[index];
      if (node === undefined) throw new Error(`no NATS node ${index}`);
      const { server } = node;
      if (misfortune === 'pause') {
        process.kill(server.pid, 'SIGSTOP');
        await sleep(pauseMs);
        process.kill(server.pid, 'SIGCONT');
        return;
      }
      await server.stop(misfortune === 'kill' ? 'SIGKILL' : 'SIGTERM');
      await sleep(awayMs);
      await node.restart();
    },
    async stop() {
      await Promise.all(cluster.nodes.map((node) => node.server.stop('SIGKILL')));
      await rm(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
