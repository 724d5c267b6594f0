/**
 * What the client tells an observer. A service turns this into its own metric names; this package knows
 * no registry. All labels are closed sets. An observer must not throw.
 */
import type { Transport } from './exchange.js';
import type { RecordType } from './records.js';
import type { DnsResult } from './result.js';

export type CacheEvent =
  | 'hit'
  | 'negative_hit'
  | 'failure_hit'
  | 'stale_hit'
  | 'second_tier_hit'
  | 'miss'
  | 'coalesced';

export interface DnsMetrics {
  /** One question from a caller, answered from anywhere. */
  question?(type: RecordType, outcome: DnsResult['kind'], seconds: number): void;
  cache?(event: CacheEvent): void;
  /** One attempt at one server ended. `superseded`: another server was faster. */
  attempt?(transport: Transport, outcome: DnsResult['kind'] | 'alias' | 'superseded', seconds: number): void;
  cacheSize?(entries: number, bytes: number): void;
  secondTierFailed?(): void;
  /** No server answers any more, or one does again; `lastedMs` since the first question without an answer. */
  silent?(isSilent: boolean, lastedMs: number): void;
}
