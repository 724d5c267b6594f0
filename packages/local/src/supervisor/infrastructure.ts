/**
 * The stores and the mailbox sink as kept processes: which of them this cluster starts itself, and how.
 */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { programOrContainer, type Runner } from '../servers/compose.js';
import { ensureNats, startNats } from '../servers/nats.js';
import { startPostgres } from '../servers/postgres.js';
import { ensureRedis, startRedis } from '../servers/redis.js';
import { type LaunchControl, type RunningServer, startServer } from '../servers/running-server.js';
import type { ServerCache } from '../servers/server-cache.js';
import { rotateLog } from './data-folder.js';
import type { ClusterPlan } from './plan.js';
import type { Stores } from './stores.js';

export interface InfrastructurePart {
  readonly name: string;
  readonly address: string;
  readonly http?: string;
  readonly launch: (control: LaunchControl) => Promise<RunningServer>;
}

/** A process serves when this answers 2xx. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(1000) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}

function mailboxPart(plan: ClusterPlan): InfrastructurePart {
  const program = fileURLToPath(new URL('../../dist/mailbox-sink/main.js', import.meta.url));
  const http = `http://127.0.0.1:${plan.mailboxHttpPort}`;
  const logFile = join(plan.folder.logs, 'mailbox.log');
  const address = `smtp://127.0.0.1:${plan.mailboxPort}`;
  return {
    name: 'mailbox',
    address,
    http,
    launch: async (control) => {
      await rotateLog(logFile);
      return startServer({
        ...control,
        name: 'mailbox',
        address,
        command: process.execPath,
        args: [
          program,
          '--dir',
          plan.folder.mailbox,
          '--smtp',
          String(plan.mailboxPort),
          '--http',
          String(plan.mailboxHttpPort),
        ],
        ports: [plan.mailboxPort, plan.mailboxHttpPort],
        logFile,
        ready: () => answersOk(`${http}/readyz`),
      });
    },
  };
}

const launchWith = <B>(runner: Runner<B>) =>
  runner.kind === 'container' ? { container: true } : { binary: runner.binary };

/** Fetch what is missing and describe the processes to keep. */
export async function infrastructureParts(
  plan: ClusterPlan,
  stores: Stores,
  cache: ServerCache,
  progress: (line: string) => void,
): Promise<InfrastructurePart[]> {
  const parts: InfrastructurePart[] = [mailboxPart(plan)];
  const { authorization } = stores.nats;
  if (authorization !== undefined) {
    const runner = await programOrContainer('nats', () => ensureNats(cache, progress), progress);
    const options = {
      dir: plan.folder.nats,
      port: plan.natsPort,
      monitorPort: plan.natsMonitorPort,
      authorization,
      ...launchWith(runner),
    };
    parts.push({
      name: 'nats',
      address: `nats://127.0.0.1:${plan.natsPort}`,
      http: `http://127.0.0.1:${plan.natsMonitorPort}`,
      launch: async (control) => {
        await rotateLog(join(plan.folder.nats, 'nats.log'));
        return startNats({ ...options, ...control });
      },
    });
  }
  const { aclFile } = stores.redis;
  if (aclFile !== undefined) {
    const runner = await programOrContainer('redis', () => ensureRedis(cache, progress), progress);
    const options = { dir: plan.folder.redis, port: plan.redisPort, aclFile, ...launchWith(runner) };
    parts.push({
      name: 'redis',
      address: `redis://127.0.0.1:${plan.redisPort}`,
      launch: (control) => startRedis({ ...options, ...control }),
    });
  }
  const { adminPassword } = stores.database;
  if (adminPassword !== undefined) {
    const options = { dir: plan.folder.postgres, port: plan.postgresPort, password: adminPassword };
    parts.push({
      name: 'postgres',
      address: `postgres://127.0.0.1:${plan.postgresPort}`,
      launch: async (control) => {
        await rotateLog(join(plan.folder.postgres, 'postgres.log'));
        return startPostgres({ ...options, ...control });
      },
    });
  }
  return parts;
}
