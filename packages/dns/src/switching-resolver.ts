/**
 * A resolver whose settings can change while it is in use: the snapshot names DNS servers and how long they have, and a pod must follow
 * without a restart. Questions under way end as they began; a change starts with an empty cache.
 */
import type { Clock } from '@postern/clock';
import type { RecordType } from './records.js';
import { BaseResolver, type QueryOptions, type Resolver } from './resolver.js';
import type { DnsResult } from './result.js';

/** What a snapshot says about DNS. Absent or 0 = default of the client. */
export interface ResolverSettings {
  readonly servers: readonly string[];
  readonly timeoutMs?: number;
  readonly hedgeMs?: number;
  readonly serveStaleMs?: number;
  /** No second tier. */
  readonly ownCacheOnly?: boolean;
}

export class SwitchingResolver extends BaseResolver {
  #inner: Resolver;
  #settings: string;
  readonly #own: ResolverSettings;
  readonly #create: (settings: ResolverSettings) => Resolver;

  /** `own`: in use until told otherwise; its servers stand in where a snapshot names none. */
  constructor(clock: Clock, own: ResolverSettings, create: (settings: ResolverSettings) => Resolver) {
    super(clock);
    this.#own = own;
    this.#create = create;
    this.#inner = create(own);
    this.#settings = JSON.stringify(own);
  }

  /** Asks so from now on; the same again changes nothing. */
  use(given: ResolverSettings): void {
    const servers = given.servers.length > 0 ? given.servers : this.#own.servers;
    const next: ResolverSettings = {
      servers,
      ...(given.timeoutMs ? { timeoutMs: given.timeoutMs } : {}),
      ...(given.hedgeMs ? { hedgeMs: given.hedgeMs } : {}),
      ...(given.serveStaleMs ? { serveStaleMs: given.serveStaleMs } : {}),
      ...(given.ownCacheOnly ? { ownCacheOnly: true } : {}),
    };
    const written = JSON.stringify(next);
    if (written === this.#settings) return;
    this.#inner = this.#create(next);
    this.#settings = written;
  }

  query<T extends RecordType>(name: string, type: T, options?: QueryOptions): Promise<DnsResult<T>> {
    return this.#inner.query(name, type, options);
  }
}
