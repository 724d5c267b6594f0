/**
 * State of greylisting for the whole cluster, in Redis: when a triplet (origin, sender, recipient) was first seen, that it passed, and how many
 * triplets of an origin passed. One script, one round trip, Redis time, so that pods need no agreement about clocks. RFC 6647.
 */
import { createHash } from 'node:crypto';
import type { RedisClient } from '@postern/flow-control';

export interface GreylistQuestion {
  readonly origin: string;
  readonly reversePath: string;
  readonly recipient: string;
  readonly delayMs: number;
  readonly windowMs: number;
  readonly rememberMs: number;
  /** 0 = never. */
  readonly autoAllow: number;
  readonly dryRun: boolean;
}

export interface GreylistAnswer {
  readonly outcome: 'new' | 'early' | 'passed' | 'known' | 'auto_allowed' | 'unavailable';
  /** Until a retry is in time. */
  readonly waitMs: number;
}

export interface GreylistStore {
  ask(question: GreylistQuestion): Promise<GreylistAnswer>;
}

/** Milliseconds fit a double until the year 287396. */
const script = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local delay, window, remember, auto, dry = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1'
if auto > 0 and tonumber(redis.call('GET', KEYS[2]) or '0') >= auto then
  if not dry then redis.call('PEXPIRE', KEYS[2], remember) end
  return {'auto_allowed', 0}
end
local seen = redis.call('GET', KEYS[1])
if seen == 'p' then
  if not dry then redis.call('PEXPIRE', KEYS[1], remember) end
  return {'known', 0}
end
if not seen then
  if not dry then redis.call('SET', KEYS[1], now, 'PX', math.max(window, delay + 1000)) end
  return {'new', delay}
end
local age = now - tonumber(seen)
if age < delay then return {'early', delay - age} end
if not dry then
  redis.call('SET', KEYS[1], 'p', 'PX', remember)
  redis.call('INCR', KEYS[2])
  redis.call('PEXPIRE', KEYS[2], remember)
end
return {'passed', 0}
`;
const outcomes = ['new', 'early', 'passed', 'known', 'auto_allowed'] as const;
const away: GreylistAnswer = { outcome: 'unavailable', waitMs: 0 };
const digest = (...parts: readonly string[]): string =>
  createHash('sha256').update(parts.join('\0')).digest('base64url').slice(0, 32);

const tag = '{postern:policy:grey}:';
export const greylistKeys = {
  all: `${tag}*`,
  triplet: (origin: string, reversePath: string, recipient: string): string =>
    `${tag}t:${digest(origin, reversePath.toLowerCase(), recipient.toLowerCase())}`,
  origin: (origin: string): string => `${tag}o:${digest(origin)}`,
};

export function redisGreylist(redis: RedisClient, onFailed: (reason: string) => void): GreylistStore {
  return {
    async ask({ origin, reversePath, recipient, delayMs, windowMs, rememberMs, autoAllow, dryRun }) {
      const keys = [greylistKeys.triplet(origin, reversePath, recipient), greylistKeys.origin(origin)];
      try {
        if (redis.status !== 'ready') throw new Error('Redis is away');
        const answer: unknown = await redis.eval(
          script,
          2,
          ...keys,
          delayMs,
          windowMs,
          rememberMs,
          autoAllow,
          dryRun ? '1' : '0',
        );
        const [name, wait]: unknown[] = Array.isArray(answer) ? answer : [];
        const outcome = outcomes.find((known) => known === name);
        return outcome === undefined ? away : { outcome, waitMs: Number(wait) };
      } catch (error) {
        onFailed(error instanceof Error ? error.message : 'greylist store failed');
        return away;
      }
    },
  };
}
