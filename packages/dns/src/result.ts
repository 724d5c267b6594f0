/**
 * What a DNS question can come back with. Every way it can end is a value: nothing here is thrown.
 * NXDOMAIN (no such name) and NODATA (the name exists, not with this type) are final answers; all the
 * others are temporary, and a check that meets one must never conclude "not there".
 * RFC 2308 §2, RFC 8767, RFC 6840 §5.7.
 */
import type { DnsRecord, RecordType } from './records.js';

interface Negative {
  /** Seconds this may be remembered; 0 when the zone sent no SOA. */
  readonly ttl: number;
  readonly authenticated: boolean;
  /** True when an expired entry was served because no server could answer (RFC 8767). */
  readonly stale: boolean;
}

export type DnsNegative = ({ readonly kind: 'nodata' } & Negative) | ({ readonly kind: 'nxdomain' } & Negative);

export type DnsTrouble =
  /** The server failed, or sent something that cannot be used (FORMERR, NOTIMP, garbage, an alias loop). */
  | { readonly kind: 'servfail'; readonly reason: string }
  | { readonly kind: 'refused' }
  | { readonly kind: 'timeout' }
  /** No server took the packet: connection refused, no route. */
  | { readonly kind: 'unreachable'; readonly reason: string }
  /** The per-message budget is spent; the question was not asked. */
  | { readonly kind: 'budget' }
  | { readonly kind: 'aborted' };

/** `invalid` is final too: this string can never be a name in DNS (label over 63 octets, empty label, over 253). */
export type DnsFailure = DnsNegative | DnsTrouble | { readonly kind: 'invalid' };

export interface DnsAnswer<T extends RecordType = RecordType> {
  readonly kind: 'answer';
  readonly type: T;
  /** The name that owns the records: the end of the alias chain. */
  readonly name: string;
  readonly records: readonly DnsRecord<T>[];
  /** Seconds left: the least of the records and of every alias on the way. */
  readonly ttl: number;
  /** The AD bit, counted only from a server that is trusted for it. */
  readonly authenticated: boolean;
  readonly stale: boolean;
}

export type DnsResult<T extends RecordType = RecordType> = DnsAnswer<T> | DnsFailure;

/** The same outcome with the records already reduced to what the caller wants. */
export type DnsList<V> =
  | {
      readonly kind: 'answer';
      readonly values: readonly V[];
      readonly ttl: number;
      readonly authenticated: boolean;
      readonly stale: boolean;
    }
  | DnsFailure;

/** Is this a result for that type? An answer for another type is not; a failure has no type. */
export function isFor<T extends RecordType>(result: DnsResult, type: T): result is DnsResult<T> {
  return result.kind !== 'answer' || result.type === type;
}

/** No record, for certain. */
export function isAbsent(result: { readonly kind: DnsResult['kind'] }): boolean {
  return result.kind === 'nxdomain' || result.kind === 'nodata' || result.kind === 'invalid';
}

/** Nothing is known: ask again later, answer 4xx, count as temperror. */
export function isTemporary(result: { readonly kind: DnsResult['kind'] }): boolean {
  return result.kind !== 'answer' && !isAbsent(result);
}
