/**
 * The domains of the From field(s): what DMARC speaks about. RFC 5322 §3.6.2, RFC 9989 §4.7, §5.3.1. Every domain that somebody may take for the
 * author's counts, of all From fields: what cannot be read as an address is looked into for what looks like one, and hides nobody.
 */
import { type HeaderField, headerFromDomains } from '@postern/mail-message';

export interface AuthorDomains {
  /** A-labels, each once, in order. */
  readonly domains: readonly string[];
  /** How many From fields there are; a proper message has one. */
  readonly fields: number;
  /** There are more than anybody reads. */
  readonly truncated: boolean;
}

export function authorDomains(fields: readonly HeaderField[]): AuthorDomains {
  const { claimedDomains, fieldCount, truncated } = headerFromDomains(fields);
  return { domains: claimedDomains, fields: fieldCount, truncated };
}
