/** What a delivery pod depends on, looked at when `status` asks: without Redis a redelivered item may go out twice, without DNS remote mail is deferred, without the consumer of a pool no mail of it goes. */
import { type Clock, createUlidSource, systemRandom } from '@postern/clock';
import { dnsStanding, type Resolver } from '@postern/dns';
import { askRedis, type RedisClient } from '@postern/flow-control';
import type { Dependency } from '@postern/stream';
import type { PoolStandings } from './pool-standings.js';

/** Shorter than the bound of a look, so that the reason is told. */
const dnsMs = 300;

export function deliveryDependencies(
  redis: RedisClient,
  resolver: Resolver,
  pools: PoolStandings,
  clock: Clock,
): Dependency[] {
  const newLabel = createUlidSource(clock, systemRandom);
  return [
    { name: 'redis', look: () => askRedis(redis, 'postern:done:-').then(() => ({ state: 'ok' })) },
    { name: 'dns', look: () => dnsStanding(resolver, newLabel(), dnsMs) },
    { name: 'egress pools', look: () => Promise.resolve(pools.standing()) },
  ];
}
