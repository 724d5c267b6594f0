/** Connections to the stores by configuration; passwords are read from files here and nowhere else. */
import { formatHostPort, readSecret } from '@postern/config';
import { connectStreams, type StreamConnection } from '@postern/stream';
import type { Telemetry } from '@postern/telemetry';
import type { QueueConfig } from './config.js';
import type { QueueEvent } from './events.js';
import { type Database, openDatabase } from './store/database.js';

export type QueueTelemetry = Telemetry<QueueEvent>;

const optionalSecret = (path: string | undefined): Promise<string | undefined> =>
  path === undefined ? Promise.resolve(undefined) : readSecret(path);

export async function connectDatabase(config: QueueConfig['database'], log: QueueTelemetry['log']): Promise<Database> {
  const password = await optionalSecret(config.passwordFile);
  const tlsCa = await optionalSecret(config.tlsCaFile);
  return openDatabase({
    url: config.url,
    ...(password === undefined ? {} : { password }),
    ...(tlsCa === undefined ? {} : { tlsCa }),
    connections: config.connections,
    onError: (error) => log.warn('queue.store.lost', { reason: error.message }),
  });
}

export async function connectNats(config: QueueConfig['nats'], log: QueueTelemetry['log']): Promise<StreamConnection> {
  const tlsCa = await optionalSecret(config.tlsCaFile);
  return connectStreams({
    servers: config.servers.map(formatHostPort),
    user: 'queue',
    login: config.user,
    password: (await optionalSecret(config.passwordFile)) ?? '',
    ...(tlsCa === undefined ? {} : { tlsCa }),
    onState: (state, detail) => log.warn('queue.stream.changed', { state, detail }),
  });
}
