/**
 * Recorded sessions in Redis, per tenant: an index by time, the steps of each session, their bytes, a summary for the list. One script keeps every bound, counts, bytes
 * and age, whatever pods write at once: the oldest session goes first. Redis away: nothing is recorded, and that is counted; who
 * reads is told `store-unavailable`.
 */
import { PosternError } from '@postern/errors';
import type { RedisClient } from '@postern/flow-control';
import { RecordedStep, RecordingSummary } from '@postern/proto/policy/v1/policy_service';
import { summaryOf } from './session-summary.js';

export interface RecordingBounds {
  readonly sessions: number;
  readonly bytes: number;
  readonly ageMs: number;
}

export interface RecordingStore {
  /** False: it was not kept. */
  append(tenant: string, sessionId: string, step: RecordedStep, bounds: RecordingBounds): Promise<boolean>;
  list(tenant: string, bounds: RecordingBounds): Promise<RecordingSummary[]>;
  /** Steps in order; empty = not there. */
  read(tenant: string, sessionId: string): Promise<RecordedStep[]>;
}

const stepsPerSession = 200;
const mostListed = 1_000;
/** Of a session kept by a release before this one. */
const noSummary = Buffer.alloc(0);

/** KEYS: index, bytes, summaries. ARGV: prefix, session, step, sessions, bytes, age, steps of a session, summary. */
const script = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local steps = ARGV[1] .. ARGV[2]
local most, room, age = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local size = string.len(ARGV[3])
if size > room or redis.call('LLEN', steps) >= tonumber(ARGV[7]) then return 0 end
redis.call('RPUSH', steps, ARGV[3])
redis.call('HINCRBY', KEYS[2], ARGV[2], size)
redis.call('HINCRBY', KEYS[2], '*', size)
redis.call('HSET', KEYS[3], ARGV[2], ARGV[8])
redis.call('ZADD', KEYS[1], now, ARGV[2])
local function drop(session)
  redis.call('DEL', ARGV[1] .. session)
  redis.call('ZREM', KEYS[1], session)
  redis.call('HINCRBY', KEYS[2], '*', -tonumber(redis.call('HGET', KEYS[2], session) or '0'))
  redis.call('HDEL', KEYS[2], session)
  redis.call('HDEL', KEYS[3], session)
end
for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - age, 'LIMIT', 0, 100)) do drop(old) end
for _ = 1, 100 do
  local over = redis.call('ZCARD', KEYS[1]) > most or tonumber(redis.call('HGET', KEYS[2], '*') or '0') > room
  local oldest = over and redis.call('ZRANGE', KEYS[1], 0, 0)[1]
  if not oldest then break end
  drop(oldest)
end
for _, key in ipairs({steps, KEYS[1], KEYS[2], KEYS[3]}) do redis.call('PEXPIRE', key, age) end
return 1
`;

/** Every key of a tenant in one slot of a Redis Cluster. */
const keysOf = (tenant: string) => {
  const tag = `{postern:policy:record:${tenant}}:`;
  return { index: `${tag}index`, bytes: `${tag}bytes`, summaries: `${tag}summaries`, prefix: `${tag}s:` };
};

/** With the way out: mail is judged all the same, and a simulation needs no recording. */
const away =
  'Redis, which keeps recorded sessions, does not answer: see that the one policy is told of (`redis.url`) runs, then ask again; until then a session can be described (`posternctl simulate --client ...`)';

/** Whatever Redis fails with, it is the store that is away. */
async function asked<T>(question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (cause) {
    throw new PosternError('store-unavailable', away, { cause });
  }
}

export function redisRecordings(redis: RedisClient): RecordingStore {
  return {
    async append(tenant, sessionId, step, { sessions, bytes, ageMs }) {
      if (redis.status !== 'ready') return false;
      const { index, bytes: sizes, summaries, prefix } = keysOf(tenant);
      const encoded = Buffer.from(RecordedStep.encode(step).finish());
      const summary = Buffer.from(RecordingSummary.encode(summaryOf(tenant, sessionId, step)).finish());
      const keys = [index, sizes, summaries];
      const told = [prefix, sessionId, encoded, sessions, bytes, ageMs, stepsPerSession, summary];
      return (await redis.eval(script, keys.length, ...keys, ...told)) === 1;
    },
    async list(tenant, { ageMs }) {
      const { index, bytes: sizes, summaries } = keysOf(tenant);
      const [found, kept, told] = await asked(async () => {
        const [seconds] = await redis.time();
        const since = Number(seconds) * 1_000 - ageMs;
        const ids = await redis.zrevrangebyscore(index, '+inf', since, 'WITHSCORES', 'LIMIT', 0, mostListed);
        return [ids, await redis.hgetall(sizes), await redis.hgetallBuffer(summaries)] as const;
      });
      return found.flatMap((sessionId, at) =>
        at % 2 === 1
          ? []
          : [
              {
                ...RecordingSummary.decode(told[sessionId] ?? noSummary),
                ...{ sessionId, atMs: Number(found[at + 1]), bytes: Number(kept[sessionId] ?? 0) },
              },
            ],
      );
    },
    async read(tenant, sessionId) {
      const steps = await asked(() => redis.lrangeBuffer(keysOf(tenant).prefix + sessionId, 0, -1));
      return steps.map((step) => RecordedStep.decode(step));
    },
  };
}
