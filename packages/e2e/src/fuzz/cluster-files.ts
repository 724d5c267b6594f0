/** What the data folder of a local cluster tells: ports and secrets of its parts. Only for suites that attack it from inside. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectStreams, type ServiceUser, type StreamConnection } from '@postern/stream';
import pg from 'pg';
import { parse } from 'yaml';
import type { Cluster } from '../cluster/cluster.js';

/** The value at a path of a service's configuration, as text. */
export async function setting(cluster: Cluster, instance: string, ...path: readonly string[]): Promise<string> {
  let value: unknown = parse(await readFile(join(cluster.dataDir, 'config', `${instance}.yaml`), 'utf8'));
  for (const key of path) value = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
  if (typeof value !== 'string') throw new Error(`${instance}.yaml has no ${path.join('.')}`);
  return value;
}

export const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1));

/** A NATS connection with the rights of one service. */
export async function asService(cluster: Cluster, user: ServiceUser): Promise<StreamConnection> {
  const { infrastructure } = await cluster.run();
  const nats = infrastructure.find(({ name }) => name === 'nats');
  if (nats === undefined) throw new Error('no NATS in run.json');
  const file = await setting(cluster, `${user}-0`, 'nats', 'passwordFile');
  return connectStreams({
    servers: [nats.address.replace(/^nats:\/\//, '')],
    user,
    password: (await readFile(file, 'utf8')).trim(),
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
