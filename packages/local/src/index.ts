export { type AptMirror, findMirror } from './servers/apt-sources.js';
export { type DebianFetch, fetchDebian } from './servers/fetch-debian.js';
export { findOnPath } from './servers/find-binary.js';
export { freePort, portIsFree } from './servers/free-port.js';
export {
  ensureNats,
  type NatsOptions,
  natsConfiguration,
  natsFloor,
  natsIsHealthy,
  startNats,
} from './servers/nats.js';
export {
  type NatsCluster,
  type NatsClusterNode,
  type NatsClusterOptions,
  startNatsCluster,
} from './servers/nats-cluster.js';
export { ensurePostgres, type PostgresOptions, startPostgres } from './servers/postgres.js';
export {
  ensureRedis,
  type RedisBinary,
  type RedisOptions,
  redisConfiguration,
  redisFloor,
  startRedis,
} from './servers/redis.js';
export { type Exit, type RunningServer, type ServerCommand, startServer } from './servers/running-server.js';
export { cached, type ServerCache, sharedCache } from './servers/server-cache.js';
export { explainSystemError, SetupError, systemErrorCode } from './setup-error.js';
export { type RedisService, redisAcl, redisServices } from './trust/redis-users.js';
export { type KeyAndCertificate, makeCertificate } from './trust/x509.js';
