/**
 * Temporary bans of the whole cluster, under one hash tag. `list` has `until|since|by|reason` by client prefix, '' for one that was lifted;
 * `changed` the number of its last change, so that a pod reads only what is new to it; `until` when it can be forgotten. `epoch` tells a
 * store that lost everything. Time is the server's. Never more than the given number of bans: the ones that end first make room.
 */
import { NOW, RATES, script } from '../scripts.js';

export const banTag = '{postern:flow:bans}:';
export const banKeys = ['list', 'changed', 'version', 'until', 'epoch'].map((name) => `${banTag}${name}`);
export const strikeKey = (prefix: string): string => `${banTag}strikes:${prefix}`;
export const errorKey = (kind: string, prefix: string): string => `${banTag}errors:${kind}:${prefix}`;

/** How long a lifted ban is told to pods; one that was away longer reads everything anew. */
export const liftedMs = 60_000;

const BOOK = `
local function write(prefix, value, keep)
  redis.call('SET', KEYS[5], now, 'NX')
  local version = redis.call('INCR', KEYS[3])
  redis.call('HSET', KEYS[1], prefix, value)
  redis.call('ZADD', KEYS[2], version, prefix)
  redis.call('ZADD', KEYS[4], string.format('%d', keep), prefix)
end
local function forget(prefix)
  redis.call('HDEL', KEYS[1], prefix)
  redis.call('ZREM', KEYS[2], prefix)
  redis.call('ZREM', KEYS[4], prefix)
end
local function lift(prefix)
  write(prefix, '', now + ${liftedMs})
end
local function prune()
  for _, prefix in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, 100)) do forget(prefix) end
end
local function ban(prefix, length, by, reason, most)
  prune()
  if redis.call('ZCARD', KEYS[4]) >= most then
    local first = redis.call('ZRANGE', KEYS[4], 0, 0)[1]
    if first and first ~= prefix then lift(first) end
  end
  write(prefix, string.format('%d|%d|%s|%s', now + length, now, by, reason), now + length)
end
local function strike(key, first, longest)
  local strikes = redis.call('INCR', key)
  local length = math.min(first * 2 ^ math.min(strikes - 1, 40), longest)
  redis.call('PEXPIRE', key, string.format('%d', length + longest))
  return length
end`;

/** KEYS book, (counter strikes)*; ARGV most, (prefix limit window weight first longest reason)*. Returns the length of each ban, 0 = none. */
export const REPORT = script(
  'report',
  NOW,
  RATES,
  BOOK,
  `
local lengths = {}
for i = 1, (#KEYS - 5) / 2 do
  local at = 1 + (i - 1) * 7
  local counter, limit, window, weight = KEYS[4 + i * 2], tonumber(ARGV[at + 2]) - 1, tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  lengths[i] = 0
  if rate_wait(counter, limit, window, weight) > 0 then
    redis.call('DEL', counter)
    lengths[i] = strike(KEYS[5 + i * 2], tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6]))
    ban(ARGV[at + 1], lengths[i], 'errors', ARGV[at + 7], tonumber(ARGV[1]))
  else
    rate_add(counter, limit, window, weight)
  end
end
return lengths`,
);

/** KEYS book; ARGV prefix length by reason most. */
export const BAN = script(
  'ban',
  NOW,
  BOOK,
  'ban(ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5])) return {1}',
);

/** KEYS book, strikes, counter..; ARGV prefix. Forgets its errors too. Returns whether it was banned. */
export const LIFT = script(
  'lift',
  NOW,
  BOOK,
  `
for i = 6, #KEYS do redis.call('DEL', KEYS[i]) end
local value = redis.call('HGET', KEYS[1], ARGV[1])
if not value or value == '' then return {0} end
lift(ARGV[1])
return {1}`,
);

/** KEYS book; ARGV epoch, version, most. Returns {epoch, version, now, (prefix value)*} in the order of change; another epoch = from the start. */
export const CHANGES = script(
  'changes',
  NOW,
  BOOK,
  `
prune()
local epoch = redis.call('GET', KEYS[5]) or '0'
local since = tonumber(ARGV[2])
if epoch ~= ARGV[1] then since = 0 end
local changed = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. since, '+inf', 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[3]))
local answer = {epoch, tostring(since), tostring(now)}
for i = 1, #changed, 2 do
  answer[#answer + 1] = changed[i]
  answer[#answer + 1] = redis.call('HGET', KEYS[1], changed[i]) or ''
  answer[2] = changed[i + 1]
end
return answer`,
);
