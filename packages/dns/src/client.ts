/**
 * The DNS client: cache, then in-flight lookups, then the second tier, then the servers.
 * TTL 0 is never kept. Negative results live as RFC 2308 §5 says, failures for a moment (RFC 9520), and
 * with `serveStaleMs` an expired answer is given when no server can answer (RFC 8767). Equal questions
 * asked at once become one. Reads no file and no environment: see `readResolvConf`.
 */
import { type Clock, type Random, systemRandom } from '@postern/clock';
import { DnsCache } from './cache.js';
import type { Server } from './exchange.js';
import type { DnsMetrics } from './metrics.js';
import { normaliseName } from './names.js';
import { aliasLoop, MAX_ALIASES } from './packet.js';
import type { RecordType } from './records.js';
import { BaseResolver, type QueryOptions } from './resolver.js';
import { type DnsAnswer, type DnsFailure, type DnsNegative, type DnsResult, type DnsTrouble, isFor } from './result.js';
import { type DnsSecondTier, packEntry, unpackEntry } from './second-tier.js';
import { parseServer } from './server-address.js';
import { Upstream } from './upstream.js';
import { within } from './within.js';

export interface DnsClientOptions {
  readonly clock: Clock;
  /** `127.0.0.1:53`, `[::1]:53`, or an address alone for port 53. Asked in this order. */
  readonly servers: readonly string[];
  /** For one lookup, alias chain and all retries included. Default 5000. */
  readonly timeoutMs?: number;
  /** Silence after which the next server (or the same again) is asked as well. Default 400. */
  readonly hedgeMs?: number;
  /** Packets sent for one question at most. Default 4. */
  readonly attempts?: number;
  /** Default 1000. */
  readonly maxInFlight?: number;
  /** Default 32 MiB. */
  readonly cacheBytes?: number;
  /** Seconds. Default 86,400. */
  readonly maxTtl?: number;
  /** Seconds. Default 3,600. */
  readonly maxNegativeTtl?: number;
  /** How long SERVFAIL, REFUSED and silence are remembered. Default 1000. */
  readonly failureTtlMs?: number;
  /** How long an expired answer may still stand in. Default 0: never. */
  readonly serveStaleMs?: number;
  /** Waiting time after which a stale answer is given while the refresh goes on. Default 1800 (RFC 8767 §5). */
  readonly staleAfterMs?: number;
  /** Random letter case in questions (0x20). Default off: some servers do not copy it. */
  readonly randomCase?: boolean;
  /** Believe the AD bit of these servers. Default: only of a server on a loopback address. */
  readonly trustAuthenticated?: boolean;
  readonly random?: Random;
  readonly metrics?: DnsMetrics;
  readonly secondTier?: DnsSecondTier;
  /** Default 50. */
  readonly secondTierTimeoutMs?: number;
}

/** Seconds a stale answer claims to be good for, and the pause between refreshes that fail (RFC 8767 §4, §5). */
const STALE_TTL = 30;

export class DnsClient extends BaseResolver {
  readonly #cache: DnsCache;
  readonly #inFlight = new Map<string, Promise<DnsResult>>();
  readonly #metrics: DnsMetrics;
  readonly #upstream: Upstream;
  readonly #options: DnsClientOptions;
  readonly #timeoutMs: number;
  readonly #staleMs: number;

  constructor(options: DnsClientOptions) {
    super(options.clock);
    const servers: Server[] = options.servers.map((text) => parseServer(text, options.trustAuthenticated));
    if (servers.length === 0) throw new RangeError('a DNS client needs at least one server');
    this.#options = options;
    this.#metrics = options.metrics ?? {};
    this.#timeoutMs = options.timeoutMs ?? 5_000;
    this.#staleMs = options.serveStaleMs ?? 0;
    this.#cache = new DnsCache(options.cacheBytes ?? 32 * 1024 * 1024);
    this.#upstream = new Upstream({
      clock: options.clock,
      servers,
      hedgeMs: options.hedgeMs ?? 400,
      attempts: options.attempts ?? 4,
      maxInFlight: options.maxInFlight ?? 1_000,
      timeoutMs: this.#timeoutMs,
      randomCase: options.randomCase ?? false,
      random: options.random ?? systemRandom,
      metrics: this.#metrics,
    });
  }

  query<T extends RecordType>(name: string, type: T, options?: QueryOptions): Promise<DnsResult<T>> {
    const plain = normaliseName(name);
    if (plain === undefined) return Promise.resolve<DnsFailure>({ kind: 'invalid' });
    if (options?.signal?.aborted) return Promise.resolve<DnsFailure>({ kind: 'aborted' });
    const result = this.#lookup(plain, type, options);
    return this.#metrics.question === undefined ? result : this.#measured(type, result);
  }

  clearCache(): void {
    this.#cache.clear();
  }

  async #measured<T extends RecordType>(type: T, asked: Promise<DnsResult<T>>): Promise<DnsResult<T>> {
    const begun = this.clock.monotonic();
    const result = await asked;
    this.#metrics.question?.(type, result.kind, (this.clock.monotonic() - begun) / 1000);
    return result;
  }

  #lookup<T extends RecordType>(name: string, type: T, options: QueryOptions | undefined): Promise<DnsResult<T>> {
    const key = `${type} ${name}`;
    const now = this.clock.monotonic();
    const entry = this.#cache.get(key, now);
    let stale: DnsAnswer<T> | DnsNegative | undefined;
    if (entry !== undefined && isFor(entry.result, type)) {
      const { result } = entry;
      if (entry.expiresAt > now) {
        this.#metrics.cache?.(cacheEvent(result.kind));
        if (!('ttl' in result)) return Promise.resolve(result);
        return Promise.resolve({ ...result, ttl: Math.ceil((entry.expiresAt - now) / 1000) });
      }
      if ('ttl' in result) {
        stale = { ...result, ttl: STALE_TTL, stale: true };
        if (entry.retryAt > now) {
          this.#metrics.cache?.('stale_hit');
          return Promise.resolve(stale);
        }
      }
    }
    const pending = this.#inFlight.get(key);
    this.#metrics.cache?.(pending === undefined ? 'miss' : 'coalesced');
    const fresh = pending === undefined ? this.#begin(key, name, type, stale) : pending.then((r) => forType(r, type));
    return options === undefined ? fresh : within(this.clock, fresh, options);
  }

  #begin<T extends RecordType>(
    key: string,
    name: string,
    type: T,
    stale: DnsAnswer<T> | DnsNegative | undefined,
  ): Promise<DnsResult<T>> {
    const lookup = this.#fetch(key, name, type).then((result) => {
      this.#inFlight.delete(key);
      this.#keep(key, result);
      if (stale === undefined || !isTrouble(result)) return result;
      this.#metrics.cache?.('stale_hit');
      return stale;
    });
    if (stale === undefined) {
      this.#inFlight.set(key, lookup);
      return lookup;
    }
    const impatient = within(this.clock, lookup, { deadlineMs: this.#options.staleAfterMs ?? 1_800 }, () => stale);
    this.#inFlight.set(key, impatient);
    return impatient;
  }

  async #fetch<T extends RecordType>(key: string, name: string, type: T): Promise<DnsResult<T>> {
    const { secondTier } = this.#options;
    if (secondTier === undefined) return this.#resolve(name, type);
    const shared = await this.#fromSecondTier(secondTier, key, type);
    if (shared !== undefined) {
      this.#metrics.cache?.('second_tier_hit');
      return shared;
    }
    const result = await this.#resolve(name, type);
    if ('ttl' in result && result.ttl > 0) {
      const ttlMs = this.#lifetime(result) * 1000;
      secondTier
        .set(key, packEntry(result, name, type, this.clock.now() + ttlMs), ttlMs)
        .catch(() => this.#metrics.secondTierFailed?.());
    }
    return result;
  }

  async #fromSecondTier<T extends RecordType>(
    secondTier: DnsSecondTier,
    key: string,
    type: T,
  ): Promise<DnsAnswer<T> | DnsNegative | undefined> {
    const failed = (): undefined => {
      this.#metrics.secondTierFailed?.();
      return undefined;
    };
    const asked = secondTier.get(key).catch(failed);
    const entry = await within(this.clock, asked, { deadlineMs: this.#options.secondTierTimeoutMs ?? 50 }, failed);
    return entry === undefined ? undefined : unpackEntry(entry, type, this.clock.now());
  }

  /** Follows aliases the server left unresolved; each name once, so a loop ends. */
  async #resolve<T extends RecordType>(name: string, type: T): Promise<DnsResult<T>> {
    const deadline = this.clock.monotonic() + this.#timeoutMs;
    let target = name;
    let ttl = Number.POSITIVE_INFINITY;
    let authenticated = true;
    for (let aliases = 0; aliases <= MAX_ALIASES; ) {
      const reply = await this.#upstream.ask(target, type, deadline - this.clock.monotonic());
      if (reply.kind === 'alias') {
        target = reply.target;
        ttl = Math.min(ttl, reply.ttl);
        authenticated &&= reply.authenticated;
        aliases += reply.length;
      } else if ('ttl' in reply) {
        return { ...reply, ttl: Math.min(ttl, reply.ttl), authenticated: authenticated && reply.authenticated };
      } else {
        return reply;
      }
    }
    return aliasLoop;
  }

  #keep(key: string, result: DnsResult): void {
    const now = this.clock.monotonic();
    if ('ttl' in result) {
      const lifetime = this.#lifetime(result) * 1000;
      if (lifetime === 0) this.#cache.delete(key);
      else this.#cache.set(key, result, now + lifetime, now + lifetime + this.#staleMs);
    } else if (result.kind !== 'invalid') {
      const known = this.#cache.get(key, now);
      if (known !== undefined && 'ttl' in known.result) {
        known.retryAt = now + STALE_TTL * 1000;
      } else {
        const until = now + (this.#options.failureTtlMs ?? 1_000);
        this.#cache.set(key, result, until, until);
      }
    }
    this.#metrics.cacheSize?.(this.#cache.size, this.#cache.bytes);
  }

  #lifetime(result: DnsAnswer | DnsNegative): number {
    const { maxTtl = 86_400, maxNegativeTtl = 3_600 } = this.#options;
    return Math.min(result.ttl, result.kind === 'answer' ? maxTtl : maxNegativeTtl);
  }
}

export function createDnsClient(options: DnsClientOptions): DnsClient {
  return new DnsClient(options);
}

function forType<T extends RecordType>(result: DnsResult, type: T): DnsResult<T> {
  return isFor(result, type) ? result : { kind: 'servfail', reason: 'answer of another type' };
}

function isTrouble(result: DnsResult): result is DnsTrouble {
  return !('ttl' in result) && result.kind !== 'invalid';
}

function cacheEvent(kind: DnsResult['kind']): 'hit' | 'negative_hit' | 'failure_hit' {
  if (kind === 'answer') return 'hit';
  return kind === 'nodata' || kind === 'nxdomain' ? 'negative_hit' : 'failure_hit';
}
