/** NATS as provisioning has it: the only service that makes streams and buckets, and the only one that writes CONFIG, DIRECTORY and SECRETS. */
import type { Clock } from '@postern/clock';
import { formatHostPort, readSecret } from '@postern/config';
import { type Bucket, connectStreams, ensureStreams, openBucket, type StreamConnection } from '@postern/stream';
import type { Logger } from '@postern/telemetry';
import type { ProvisioningConfig } from './config.js';
import type { ProvisioningEvent } from './events.js';

export interface Buckets {
  readonly config: Bucket;
  readonly directory: Bucket;
  readonly secrets: Bucket;
}

export async function connectNats(
  { nats }: ProvisioningConfig,
  log: Logger<ProvisioningEvent>,
): Promise<StreamConnection> {
  const tlsCa = nats.tlsCaFile === undefined ? undefined : await readSecret(nats.tlsCaFile);
  return connectStreams({
    servers: nats.servers.map(formatHostPort),
    user: 'provisioning',
    login: nats.user,
    password: nats.passwordFile === undefined ? '' : await readSecret(nats.passwordFile),
    ...(tlsCa === undefined ? {} : { tlsCa }),
    onState: (state, detail) => log.warn('provisioning.nats.changed', { state, detail }),
  });
}

/** Makes what is missing. */
export async function openBuckets(
  connection: StreamConnection,
  { streams, egressPools }: ProvisioningConfig['provisioning'],
  clock: Clock,
): Promise<Buckets> {
  await ensureStreams(connection, { replicas: streams.replicas, maxBytes: streams.maxBytes, egressPools });
  const [config, directory, secrets] = await Promise.all([
    openBucket(connection, clock, 'CONFIG'),
    openBucket(connection, clock, 'DIRECTORY'),
    openBucket(connection, clock, 'SECRETS'),
  ]);
  return { config, directory, secrets };
}
