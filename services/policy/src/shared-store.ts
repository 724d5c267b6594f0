/**
 * Redis as this service uses it: answers of DNS, greylist, answers of next hops. Away at start or later is allowed; every command has a bound
 * and fails at once while the connection is down, so that the caller's fallback costs no waiting.
 */
import { readSecret } from '@postern/config';
import { Redis } from 'ioredis';
import type { PolicyConfig } from './config.js';

export const commandTimeoutMs = 300;

export async function connectRedis(config: PolicyConfig['redis'], onError: (error: Error) => void): Promise<Redis> {
  const tlsCa = config.tlsCaFile === undefined ? undefined : await readSecret(config.tlsCaFile);
  const redis = new Redis(config.url, {
    ...(config.username === undefined ? {} : { username: config.username }),
    ...(config.passwordFile === undefined ? {} : { password: await readSecret(config.passwordFile) }),
    ...(tlsCa === undefined ? {} : { tls: { ca: tlsCa } }),
    lazyConnect: true,
    enableOfflineQueue: false,
    enableAutoPipelining: true,
    commandTimeout: commandTimeoutMs,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(times * 100, 2_000),
  });
  redis.on('error', onError);
  await redis.connect().catch(onError);
  return redis;
}
