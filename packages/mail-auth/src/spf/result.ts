/** What SPF concludes about one identity. RFC 7208 §2.6, §8. */
export type SpfOutcome = 'pass' | 'fail' | 'softfail' | 'neutral' | 'none' | 'temperror' | 'permerror';

export interface SpfResult {
  readonly result: SpfOutcome;
  readonly identity: 'mailfrom' | 'helo';
  /** The domain that was checked, A-labels, lower case; '' when there was none to check. */
  readonly domain: string;
  /** The sender's own words, only with `fail`; printable ASCII, bounded. Never trusted further than text. */
  readonly explanation: string | undefined;
  /** The term that decided, as written; 'default' when none matched. */
  readonly mechanism: string | undefined;
  /** Why temperror or permerror. */
  readonly problem: string | undefined;
  /** Terms that cost a lookup, of the ten allowed. */
  readonly lookups: number;
}
