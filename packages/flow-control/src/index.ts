export { addressText } from './address-text.js';
export { type Ban, BanBook, type ErrorKind, errorKinds } from './bans/ban-book.js';
export { BanList, type KnownBan } from './bans/ban-list.js';
export { ErrorCounts, type ErrorLimit } from './bans/error-counts.js';
export { clientPrefix } from './client-prefix.js';
export {
  type Admission,
  type AdmissionRequest,
  ConnectionLimiter,
  type ConnectionLimiterOptions,
  type DecidedBy,
  type Lease,
  type LimitReading,
} from './connection-limiter.js';
export type { LinkState } from './heartbeat.js';
export { knownClientScripts } from './known-client-scripts.js';
export { askAlive, type LimitStore, RedisLimitStore, type RedisLimitStoreOptions } from './limit-store.js';
export type { ConnectionLimitKind, ConnectionLimits, LimitScope, Rate } from './limits.js';
export { type AttemptLimit, type AttemptOrigin, type AttemptReading, LoginAttempts } from './logins/login-attempts.js';
export { type IpNetwork, ipOctets, parseNetworks } from './networks/ip-network.js';
export { compileIpSets, type IpSetTable } from './networks/ip-sets.js';
export { PrefixTrie } from './networks/prefix-trie.js';
export {
  type RateDecision,
  RateLimiter,
  type RateLimiterOptions,
  type RateLimits,
  type RateReading,
  type RateSubject,
  type RateUse,
} from './rate-limiter.js';
export type { Refusal } from './recent-refusals.js';
export { askRedis, connectRedis, type RedisClient, redisServers } from './redis-connection.js';
export { listenerScopes, memberRate, memberScopes, rateLimitsOf, tenantUser } from './settings/scopes.js';
export { type SeenSuspicion, SuspicionBook } from './suspicions/suspicion-book.js';
