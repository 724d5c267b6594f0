/**
 * A connection for commands beside the limits: greylist, done marks, shared answers. One server or any node of a Redis Cluster. Away at start or later is
 * allowed: every command has a bound and fails at once while the connection is down, so that the caller's fallback costs no waiting.
 */
import { Cluster, Redis } from 'ioredis';
import { redisTrouble } from './redis-trouble.js';

export type RedisClient = Redis | Cluster;

export interface RedisTarget {
  readonly url: string;
  readonly cluster: boolean;
  readonly username?: string;
  readonly password?: string;
  /** Authority that signs the server's certificate, PEM. */
  readonly tlsCa?: string;
  readonly commandTimeoutMs: number;
}

/** The last error of a connection; none while it stands. */
const troubles = new WeakMap<RedisClient, Error>();

const retry = (times: number): number => Math.min(times * 100, 2_000);
/** What is asked in one turn of the loop goes out in one write. */
const common = { lazyConnect: true, enableOfflineQueue: false, enableAutoPipelining: true };

export async function connectRedis(target: RedisTarget, onError: (error: Error) => void): Promise<RedisClient> {
  const { url, username, password, tlsCa, commandTimeoutMs: commandTimeout } = target;
  const login = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tlsCa === undefined ? {} : { tls: { ca: tlsCa } }),
  };
  const bounds = { commandTimeout, maxRetriesPerRequest: 0 };
  const redis = target.cluster
    ? new Cluster([url], {
        ...common,
        clusterRetryStrategy: retry,
        slotsRefreshTimeout: 1_000,
        redisOptions: { ...(url.startsWith('rediss:') ? { tls: {} } : {}), ...bounds, ...loginOf(url), ...login },
      })
    : new Redis(url, { ...common, ...bounds, ...login, retryStrategy: retry });
  const failed = (error: Error): void => {
    troubles.set(redis, error);
    onError(error);
  };
  redis.on('error', failed);
  redis.on('ready', () => troubles.delete(redis));
  // What ended the first attempt was told already; the client itself only says that it ended.
  await redis.connect().catch((error: unknown) => {
    if (!troubles.has(redis)) failed(error instanceof Error ? error : new Error(String(error)));
  });
  return redis;
}

/** Rejects, in words for people, when the server does not answer a question about that key. */
export async function askRedis(redis: RedisClient, key: string): Promise<void> {
  await redis.get(key).catch((error: unknown) => Promise.reject(redisTrouble(error, troubles.get(redis))));
}

/** A login in the URL holds for every node. */
function loginOf(url: string): { readonly username?: string; readonly password?: string } {
  const { username, password } = new URL(url);
  return {
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
  };
}

/** Every server that has keys of its own: for a walk over all keys. */
export const redisServers = (redis: RedisClient): readonly Redis[] =>
  redis instanceof Cluster ? redis.nodes('master') : [redis];
