/**
 * A resolver whose servers can change while it is in use: the snapshot names DNS servers, and a pod must ask the new ones without a restart.
 * Questions under way end with the servers they began with; a change of servers starts with an empty cache.
 */
import type { Clock } from '@postern/clock';
import type { RecordType } from './records.js';
import { BaseResolver, type QueryOptions, type Resolver } from './resolver.js';
import type { DnsResult } from './result.js';

export class SwitchingResolver extends BaseResolver {
  #inner: Resolver;
  #servers: string;
  readonly #create: (servers: readonly string[]) => Resolver;

  constructor(clock: Clock, servers: readonly string[], create: (servers: readonly string[]) => Resolver) {
    super(clock);
    this.#create = create;
    this.#inner = create(servers);
    this.#servers = servers.join(' ');
  }

  /** Asks these servers from now on; the same list again changes nothing. */
  use(servers: readonly string[]): void {
    const joined = servers.join(' ');
    if (servers.length === 0 || joined === this.#servers) return;
    this.#inner = this.#create(servers);
    this.#servers = joined;
  }

  query<T extends RecordType>(name: string, type: T, options?: QueryOptions): Promise<DnsResult<T>> {
    return this.#inner.query(name, type, options);
  }
}
