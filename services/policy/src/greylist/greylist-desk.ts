/**
 * Greylisting looked into by hand: what is known of one triplet, and how it is forgotten. Entries are digests, so they are found by what they
 * stand for and never listed. Everything is forgotten page by page, bounded.
 */
import { isIP } from 'node:net';
import { type RedisClient, redisServers } from '@postern/flow-control';
import type { ShowGreylistResponse } from '@postern/proto/policy/v1/limit_service';
import type { Redis } from 'ioredis';
import { neighbourhood } from '../network-set.js';
import { greylistKeys } from './greylist-store.js';

export interface Triplet {
  readonly client: string;
  readonly reversePath: string;
  readonly recipient: string;
}

const page = 1_000;
const mostPages = 100_000;

/** A pool that SPF passed for is its domain. */
const originOf = (client: string): string => (isIP(client) === 0 ? client.toLowerCase() : neighbourhood(client));

export class GreylistDesk {
  readonly #redis: RedisClient;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  async show({ client, reversePath, recipient }: Triplet): Promise<ShowGreylistResponse> {
    const origin = originOf(client);
    const triplet = greylistKeys.triplet(origin, reversePath, recipient);
    const [seen, passed, left, [seconds]] = await Promise.all([
      this.#redis.get(triplet),
      this.#redis.get(greylistKeys.origin(origin)),
      this.#redis.pttl(triplet),
      this.#redis.time(),
    ]);
    const state = seen === null ? 'new' : seen === 'p' ? 'passed' : 'waiting';
    const ageMs = state === 'waiting' ? Math.max(0, Number(seconds) * 1_000 - Number(seen)) : 0;
    return { origin, state, ageMs, forgottenInMs: Math.max(0, left), originPassed: Number(passed ?? 0) };
  }

  async clear({ client, reversePath, recipient }: Triplet): Promise<number> {
    const origin = originOf(client);
    const keys = [greylistKeys.origin(origin)];
    if (recipient !== '') keys.push(greylistKeys.triplet(origin, reversePath, recipient));
    return this.#redis.del(...keys);
  }

  async clearAll(): Promise<number> {
    let cleared = 0;
    for (const server of redisServers(this.#redis)) cleared += await this.#clearServer(server);
    return cleared;
  }

  /** All entries share a tag, so those of a page are on one server of a cluster. */
  async #clearServer(server: Redis): Promise<number> {
    let cleared = 0;
    let cursor = '0';
    for (let turn = 0; turn < mostPages; turn++) {
      const [next, keys] = await server.scan(cursor, 'MATCH', greylistKeys.all, 'COUNT', page);
      if (keys.length > 0) cleared += await this.#redis.unlink(...keys);
      cursor = next;
      if (cursor === '0') break;
    }
    return cleared;
  }
}
