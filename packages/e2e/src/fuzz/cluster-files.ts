/** What the data folder of a local cluster tells: ports and secrets of its parts. Only for suites that attack it from inside. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectStreams, type ServiceUser, type StreamConnection } from '@postern/stream';
import pg from 'pg';
import { parse } from 'yaml';
import type { Cluster } from '../cluster/cluster.js';

async function valueAt(cluster: Cluster, instance: string, path: readonly string[]): Promise<unknown> {
  let value: unknown = parse(await readFile(join(cluster.dataDir, 'config', `${instance}.yaml`), 'utf8'));
  for (const key of path) value = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
  return value;
}

/** The value at a path of a service's configuration, as text. */
export async function setting(cluster: Cluster, instance: string, ...path: readonly string[]): Promise<string> {
  const value = await valueAt(cluster, instance, path);
  if (typeof value !== 'string') throw new Error(`${instance}.yaml has no ${path.join('.')}`);
  return value;
}

export const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1));

/** A NATS connection with the rights of one service: to the server of the cluster, or to those it was told to use. */
export async function asService(cluster: Cluster, user: ServiceUser): Promise<StreamConnection> {
  const servers = await valueAt(cluster, `${user}-0`, ['nats', 'servers']);
  if (!Array.isArray(servers)) throw new Error(`${user}-0.yaml has no nats.servers`);
  const file = await valueAt(cluster, `${user}-0`, ['nats', 'passwordFile']);
  return connectStreams({
    servers: servers.map(String),
    user,
    password: typeof file === 'string' ? (await readFile(file, 'utf8')).trim() : '',
  });
}

/** The database as its administrator, whom row-level security does not bind. */
export async function asDatabaseAdmin(cluster: Cluster): Promise<pg.Client> {
  const url = new URL(await setting(cluster, 'queue-0', 'database', 'url'));
  const password = (await readFile(join(cluster.dataDir, 'secrets', 'postgres-admin'), 'utf8')).trim();
  const client = new pg.Client({
    host: url.hostname,
    port: Number(url.port),
    user: 'postgres',
    password,
    database: url.pathname.slice(1),
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

export const logOf = (cluster: Cluster, instance: string): Promise<string> =>
  readFile(join(cluster.dataDir, 'logs', `${instance}.log`), 'utf8').catch(() => '');
