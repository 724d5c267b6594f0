/** Answers of DNS that pods share (design.md, State: caches): octets under a key with a time to live. An answer of more than 4 KiB stays here. */
import type { DnsSecondTier } from '@postern/dns';
import type { RedisClient } from '@postern/flow-control';

const keyOf = (key: string): string => `postern:policy:dns:${key}`;
const largest = 4_096;
const longestMs = 86_400_000;

export function sharedAnswers(redis: RedisClient): DnsSecondTier {
  return {
    async get(key) {
      if (redis.status !== 'ready') throw new Error('Redis is away');
      return (await redis.getBuffer(keyOf(key))) ?? undefined;
    },
    async set(key, value, ttlMs) {
      if (redis.status !== 'ready' || value.length > largest) return;
      await redis.set(keyOf(key), Buffer.from(value), 'PX', Math.min(Math.ceil(ttlMs), longestMs));
    },
  };
}
