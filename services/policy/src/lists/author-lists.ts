/**
 * What lists say about the addresses of the From field. What only looks like an address can be blocked and never allowed; who hides behind more authors than
 * anybody reads is taken for blocked.
 */
import { type HeaderField, headerFromDomains } from '@postern/mail-message';
import { authorEntries, judgeByLists, type Listing, type Lists } from './list-matcher.js';

const addressOf = ({ localPart, domain }: { readonly localPart: string; readonly domain: string }): string =>
  `${localPart}@${domain}`;

export function judgeAuthors({ allow, block }: Lists, fields: readonly HeaderField[]): Listing {
  const { mailboxes, claimed, truncated } = headerFromDomains(fields);
  if (truncated && authorEntries(block).length > 0) return { outcome: 'blocked', evidence: { by: 'too many authors' } };
  const found = judgeByLists({ allow, block }, undefined, mailboxes.map(addressOf));
  if (found.outcome !== 'unlisted' || claimed.length === mailboxes.length) return found;
  return judgeByLists({ allow: [], block }, undefined, claimed.map(addressOf));
}
