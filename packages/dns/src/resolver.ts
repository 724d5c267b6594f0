/**
 * What the rest of the system sees of DNS: one question, one outcome, never an exception. The shorthands
 * (mx, txt, addresses, ptr) are made of `query` alone, so that every implementation (the client, a budget
 * around it, the zone double of the tests) has them.
 */
import type { Clock } from '@postern/clock';
import { reverseName } from './names.js';
import type { RecordData, RecordType } from './records.js';
import type { DnsFailure, DnsList, DnsResult } from './result.js';
import { isTemporary } from './result.js';

export interface QueryOptions {
  readonly signal?: AbortSignal;
  /** Milliseconds from now after which the caller gets `timeout`; a shared lookup goes on for the others. */
  readonly deadlineMs?: number;
}

export interface Budget {
  /** Questions that may be asked, cached answers included, so that a replay spends the same. */
  readonly queries: number;
  /** Milliseconds from now for all of them together. */
  readonly deadlineMs?: number;
}

export interface HostAddress {
  readonly address: string;
  readonly family: 4 | 6;
  readonly ttl: number;
}

export interface BudgetedResolver extends Resolver {
  readonly spent: number;
}

export interface Resolver {
  query<T extends RecordType>(name: string, type: T, options?: QueryOptions): Promise<DnsResult<T>>;
  /** By preference, lowest first; a null MX (RFC 7505) is one value with exchange ''. */
  mx(name: string, options?: QueryOptions): Promise<DnsList<RecordData['MX']>>;
  /** One string per record, its character-strings joined. */
  txt(name: string, options?: QueryOptions): Promise<DnsList<string>>;
  /** A and AAAA, asked together; an answer to one stands even when the other failed. */
  addresses(name: string, options?: QueryOptions): Promise<DnsList<HostAddress>>;
  /** The names an address has in reverse DNS, unconfirmed. */
  ptr(address: string, options?: QueryOptions): Promise<DnsList<string>>;
  withBudget(budget: Budget): BudgetedResolver;
}

export abstract class BaseResolver implements Resolver {
  constructor(protected readonly clock: Clock) {}

  abstract query<T extends RecordType>(name: string, type: T, options?: QueryOptions): Promise<DnsResult<T>>;

  async mx(name: string, options?: QueryOptions): Promise<DnsList<RecordData['MX']>> {
    const list = toList(await this.query(name, 'MX', options), (record) => record.data);
    if (list.kind !== 'answer') return list;
    return { ...list, values: [...list.values].sort((a, b) => a.preference - b.preference) };
  }

  async txt(name: string, options?: QueryOptions): Promise<DnsList<string>> {
    return toList(await this.query(name, 'TXT', options), (record) => record.data.join(''));
  }

  async ptr(address: string, options?: QueryOptions): Promise<DnsList<string>> {
    const name = reverseName(address);
    if (name === undefined) return { kind: 'invalid' };
    return toList(await this.query(name, 'PTR', options), (record) => record.data);
  }

  async addresses(name: string, options?: QueryOptions): Promise<DnsList<HostAddress>> {
    const [four, six] = await Promise.all([this.query(name, 'A', options), this.query(name, 'AAAA', options)]);
    const a = toList(four, (record): HostAddress => ({ address: record.data, family: 4, ttl: record.ttl }));
    const b = toList(six, (record): HostAddress => ({ address: record.data, family: 6, ttl: record.ttl }));
    if (a.kind !== 'answer') return b.kind === 'answer' || isTemporary(b) ? b : a;
    if (b.kind !== 'answer') return a;
    return {
      kind: 'answer',
      values: [...a.values, ...b.values],
      ttl: Math.min(a.ttl, b.ttl),
      authenticated: a.authenticated && b.authenticated,
      stale: a.stale || b.stale,
    };
  }

  withBudget(budget: Budget): BudgetedResolver {
    return new ResolverWithBudget(this, budget, this.clock);
  }
}

/** A resolver that stops asking when the questions or the time of one message are used up. */
class ResolverWithBudget extends BaseResolver implements BudgetedResolver {
  spent = 0;
  readonly #inner: Resolver;
  readonly #queries: number;
  readonly #deadline: number | undefined;

  constructor(inner: Resolver, budget: Budget, clock: Clock) {
    super(clock);
    this.#inner = inner;
    this.#queries = budget.queries;
    this.#deadline = budget.deadlineMs === undefined ? undefined : clock.monotonic() + budget.deadlineMs;
  }

  query<T extends RecordType>(name: string, type: T, options?: QueryOptions): Promise<DnsResult<T>> {
    if (this.spent >= this.#queries) return Promise.resolve<DnsFailure>({ kind: 'budget' });
    this.spent++;
    if (this.#deadline === undefined) return this.#inner.query(name, type, options);
    const left = this.#deadline - this.clock.monotonic();
    if (left <= 0) return Promise.resolve<DnsFailure>({ kind: 'budget' });
    const deadlineMs = Math.min(left, options?.deadlineMs ?? left);
    return this.#inner.query(name, type, { ...options, deadlineMs });
  }
}

function toList<T extends RecordType, V>(
  result: DnsResult<T>,
  pick: (record: { readonly data: RecordData[T]; readonly ttl: number }) => V,
): DnsList<V> {
  if (result.kind !== 'answer') return result;
  const { ttl, authenticated, stale } = result;
  return { kind: 'answer', values: result.records.map(pick), ttl, authenticated, stale };
}
