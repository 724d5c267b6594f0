/**
 * Redis as this service uses it: answers of DNS and of next hops on the first server, the greylist on the one that keeps its data, where there
 * is one: a restart that forgets it would put all new mail off again.
 */
import { readSecret } from '@postern/config';
import { connectRedis, type RedisClient } from '@postern/flow-control';
import type { PolicyConfig } from './config.js';

export const commandTimeoutMs = 300;

export interface SharedStores {
  readonly redis: RedisClient;
  readonly lasting: RedisClient;
  close(): void;
}

export async function openSharedStores(
  config: PolicyConfig['redis'],
  onError: (error: Error) => void,
): Promise<SharedStores> {
  const target = {
    cluster: config.cluster,
    commandTimeoutMs,
    ...(config.username === undefined ? {} : { username: config.username }),
    ...(config.passwordFile === undefined ? {} : { password: await readSecret(config.passwordFile) }),
    ...(config.tlsCaFile === undefined ? {} : { tlsCa: await readSecret(config.tlsCaFile) }),
  };
  const redis = await connectRedis({ ...target, url: config.url }, onError);
  const { persistentUrl } = config;
  const lasting = persistentUrl === undefined ? redis : await connectRedis({ ...target, url: persistentUrl }, onError);
  return {
    redis,
    lasting,
    close() {
      redis.disconnect();
      lasting.disconnect();
    },
  };
}
