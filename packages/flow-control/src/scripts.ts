/**
 * The Redis scripts. One script is one atomic decision on one hash tag; time is always the server's (TIME), never a
 * client's. A lease entry is `count:assertedAt` in a hash per counter, one field per pod incarnation; an entry older
 * than the time to live counts nothing, so a dead pod needs no one to clean up after it.
 * A rate is an exact log (list of times, newest first) up to 1,000 events a window, above that sub-windows of which
 * every one that overlaps the window counts whole: rounding is always against the client.
 * Refused attempts are not recorded. Every key is declared and shares the tag, so Redis Cluster and Valkey run these.
 */
import { createHash } from 'node:crypto';
import { EXACT_LOG_LIMIT, SUB_WINDOWS } from './limits.js';

export interface Script {
  readonly name: string;
  readonly body: string;
  readonly sha: string;
}

export function script(name: string, ...parts: readonly string[]): Script {
  const body = parts.join('\n');
  return { name, body, sha: createHash('sha1').update(body).digest('hex') };
}

export const NOW = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)`;

/**
 * rate_wait: 0 when the weight fits, else the least milliseconds to wait; besides, what it read of sub-windows, which rate_add is given so that
 * nothing is read twice. rate_add: record it. rate_used: count.
 */
export const RATES = `
local function sub_windows(window)
  local width = math.ceil(window / ${SUB_WINDOWS})
  return width, math.ceil(window / width)
end
local function sub_advance(key, window)
  local width, span = sub_windows(window)
  local head = math.floor(now / width)
  local state = redis.call('HMGET', key, 'head', 'sum', head)
  if not state[1] then return head, 0, 0 end
  local last, sum = tonumber(state[1]), tonumber(state[2])
  if last - head > span then redis.call('DEL', key) return head, 0, 0 end
  if head < last then return last, sum, tonumber(redis.call('HGET', key, last) or '0') end
  if head == last then return head, sum, tonumber(state[3] or '0') end
  local ids = {}
  for id = last - span, math.min(head - span - 1, last) do ids[#ids + 1] = id end
  if #ids > 0 then
    local gone = {}
    local counts = redis.call('HMGET', key, unpack(ids))
    for i = 1, #ids do
      if counts[i] then sum = sum - counts[i] gone[#gone + 1] = ids[i] end
    end
    if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
  end
  redis.call('HSET', key, 'head', head, 'sum', sum)
  return head, sum, 0
end
local function sub_wait(key, window, head, excess)
  local width, span = sub_windows(window)
  local ids = {}
  for id = head - span, head do ids[#ids + 1] = id end
  for i, count in ipairs(redis.call('HMGET', key, unpack(ids))) do
    excess = excess - tonumber(count or '0')
    if excess <= 0 then return math.max(1, (ids[i] + span + 1) * width - now) end
  end
  return window
end
local function log_time(key)
  local newest = tonumber(redis.call('LINDEX', key, 0) or '0')
  return math.max(now, newest)
end
local function rate_wait(key, limit, window, weight)
  if weight > limit then return window end
  if limit > ${EXACT_LOG_LIMIT} then
    local head, sum, count = sub_advance(key, window)
    if sum + weight <= limit then return 0, head, sum, count end
    return sub_wait(key, window, head, sum + weight - limit)
  end
  if weight == 0 then return 0 end
  local oldest = tonumber(redis.call('LINDEX', key, limit - weight) or '0')
  if oldest - now > window then redis.call('DEL', key) return 0 end
  if oldest <= log_time(key) - window then return 0 end
  return math.max(1, oldest + window - now)
end
local function rate_add(key, limit, window, weight, head, sum, count)
  if weight == 0 then return end
  if limit > ${EXACT_LOG_LIMIT} then
    if not head then head, sum, count = sub_advance(key, window) end
    redis.call('HSET', key, 'head', head, 'sum', sum + weight, head, count + weight)
    if count == 0 then redis.call('PEXPIRE', key, window * 2 + sub_windows(window)) end
    return
  end
  local at = log_time(key)
  if weight == 1 then
    redis.call('LPUSH', key, at)
  else
    local times = {}
    for i = 1, weight do times[i] = at end
    redis.call('LPUSH', key, unpack(times))
  end
  redis.call('LTRIM', key, 0, limit - 1)
  redis.call('PEXPIRE', key, window * 2)
end
local function rate_used(key, limit, window)
  if limit > ${EXACT_LOG_LIMIT} then
    local _, sum = sub_advance(key, window)
    return sum
  end
  local used = 0
  for _, at in ipairs(redis.call('LRANGE', key, 0, limit - 1)) do
    if tonumber(at) > now - window then used = used + 1 end
  end
  return used
end`;

/** leases_held: live leases of all incarnations, and those of this one; expired entries are dropped on the way. */
const LEASES = `
local function leases_held(key, ttl, incarnation)
  local entries = redis.call('HGETALL', key)
  local sum, mine = 0, 0
  for i = 1, #entries, 2 do
    local count, at = string.match(entries[i + 1], '^(%d+):(%d+)$')
    if count and now - at <= ttl then
      sum = sum + count
      if entries[i] == incarnation then mine = tonumber(count) end
    else
      redis.call('HDEL', key, entries[i])
    end
  end
  return sum, mine
end
local function lease_set(key, incarnation, count, at, ttl)
  if count > 0 then
    redis.call('HSET', key, incarnation, string.format('%d:%d', count, at))
    redis.call('PEXPIRE', key, ttl)
  else
    redis.call('HDEL', key, incarnation)
  end
end`;

/**
 * KEYS pods born lease.. rate..; ARGV incarnation ttl warmup leases (limit)* (limit window weight)*.
 * Returns {status, index from 1, wait ms}: 0 refused, 1 admitted, 2 this pod is unknown, 3 warming up {3, live pods}.
 */
export const ADMIT = script(
  'admit',
  NOW,
  RATES,
  LEASES,
  `
local incarnation, ttl, warmup, leases = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local beat = redis.call('ZSCORE', KEYS[1], incarnation)
if not beat or now - beat > ttl then return {2, 0, 0} end
local born = redis.call('GET', KEYS[2])
if not born or now - born < warmup then return {3, redis.call('ZCOUNT', KEYS[1], now - ttl, '+inf'), 0} end
local own = {}
for i = 1, leases do
  local sum, mine = leases_held(KEYS[2 + i], ttl, incarnation)
  if sum >= tonumber(ARGV[4 + i]) then return {0, i, 0} end
  own[i] = mine
end
local rates = #KEYS - 2 - leases
local read = {}
for i = 1, rates do
  local at = 4 + leases + (i - 1) * 3
  local wait, head, sum, count = rate_wait(KEYS[2 + leases + i], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]))
  if wait > 0 then return {0, leases + i, wait} end
  read[i] = {head, sum, count}
end
for i = 1, leases do
  -- What this incarnation holds already its beats keep alive.
  redis.call('HSET', KEYS[2 + i], incarnation, string.format('%d:%d', own[i] + 1, now))
  if own[i] == 0 then redis.call('PEXPIRE', KEYS[2 + i], ttl) end
end
for i = 1, rates do
  local at = 4 + leases + (i - 1) * 3
  rate_add(KEYS[2 + leases + i], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), unpack(read[i]))
end
return {1, 0, 0}`,
);

/** KEYS pods born lease..; ARGV incarnation ttl warmup (count)*. Asserts whole counts. Returns {live pods, 1 while warming up}. */
export const BEAT = script(
  'beat',
  NOW,
  LEASES,
  `
local incarnation, ttl, warmup = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZADD', KEYS[1], now, incarnation)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. string.format('%d', now - ttl))
redis.call('SET', KEYS[2], string.format('%d', now), 'NX')
redis.call('PEXPIRE', KEYS[1], ttl * 10)
redis.call('PEXPIRE', KEYS[2], ttl * 10)
for i = 3, #KEYS do lease_set(KEYS[i], incarnation, tonumber(ARGV[1 + i]), now, ttl) end
local warming = now - redis.call('GET', KEYS[2]) < warmup and 1 or 0
return {redis.call('ZCARD', KEYS[1]), warming}`,
);

/** KEYS lease..; ARGV incarnation (count)*. Gives back; never below nothing, and never renews the entry's age. */
export const RELEASE = script(
  'release',
  `
for i = 1, #KEYS do
  local count, at = string.match(redis.call('HGET', KEYS[i], ARGV[1]) or '', '^(%d+):(%d+)$')
  if count then
    local left = count - ARGV[1 + i]
    if left > 0 then
      redis.call('HSET', KEYS[i], ARGV[1], string.format('%d:%d', left, at))
    else
      redis.call('HDEL', KEYS[i], ARGV[1])
    end
  end
end
return {#KEYS}`,
);

/** KEYS pods lease..; ARGV incarnation. A pod that ends in order gives everything back at once. */
export const LEAVE = script(
  'leave',
  `
redis.call('ZREM', KEYS[1], ARGV[1])
for i = 2, #KEYS do redis.call('HDEL', KEYS[i], ARGV[1]) end
return {#KEYS - 1}`,
);

/** KEYS rate..; ARGV (limit window weight)*. Returns {1, 0, 0} or {0, index from 1, wait ms}. */
export const TAKE = script(
  'take',
  NOW,
  RATES,
  `
local read = {}
for i = 1, #KEYS do
  local at = (i - 1) * 3
  local wait, head, sum, count = rate_wait(KEYS[i], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]))
  if wait > 0 then return {0, i, wait} end
  read[i] = {head, sum, count}
end
for i = 1, #KEYS do
  local at = (i - 1) * 3
  rate_add(KEYS[i], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), unpack(read[i]))
end
return {1, 0, 0}`,
);

/** KEYS rate..; ARGV (limit window weight)*. Gives back what was taken a moment ago and not used: the newest, and never more than the newest sub-window holds. */
export const GIVE_BACK = script(
  'give_back',
  NOW,
  RATES,
  `
for i = 1, #KEYS do
  local at = (i - 1) * 3
  local limit, window, weight = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  if limit > ${EXACT_LOG_LIMIT} then
    local head, sum, count = sub_advance(KEYS[i], window)
    local back = math.min(weight, count)
    if back > 0 then redis.call('HSET', KEYS[i], 'sum', sum - back, head, count - back) end
  elseif weight > 0 then
    redis.call('LTRIM', KEYS[i], weight, -1)
  end
end
return {#KEYS}`,
);

/**
 * KEYS lease.. rate..; ARGV ttl leases (limit window)*. Returns what each counter holds now and the milliseconds until it holds nothing
 * if nothing more comes (0 for leases), changing nothing that counts.
 */
export const SHOW = script(
  'show',
  NOW,
  RATES,
  LEASES,
  `
local ttl, leases = tonumber(ARGV[1]), tonumber(ARGV[2])
local used = {}
for i = 1, #KEYS do
  if i <= leases then
    used[i * 2 - 1] = leases_held(KEYS[i], ttl, '')
    used[i * 2] = 0
  else
    local at = 2 + (i - leases - 1) * 2
    local window = tonumber(ARGV[at + 2])
    used[i * 2 - 1] = rate_used(KEYS[i], tonumber(ARGV[at + 1]), window)
    -- An event (of sub-windows the first of one) sets twice the window to live.
    used[i * 2] = math.max(0, redis.call('PTTL', KEYS[i]) - window)
  end
end
return used`,
);

/** KEYS any. Forgets them. */
export const RESET = script('reset', `return {redis.call('DEL', unpack(KEYS))}`);

/** Whether the server runs scripts at all. */
export const ALIVE = script('alive', 'return {1}');
