/**
 * Who the From field says wrote the message: the one reader of DMARC, of lists of addresses, and of what a login may write. RFC 5322 §3.6.2,
 * RFC 7489 §6.6.1. RFC 5322 wants exactly one From field; how many there are is told, since mail programs show any of them. What cannot
 * be read as an address is looked into for all that looks like one: a message cannot hide its author behind a fault. Bounded.
 */
import { domainToAscii } from '@postern/smtp-core';
import { type Mailbox, parseAddressList } from './address-list.js';
import { fieldsNamed, type HeaderField } from './header-section.js';

export type ClaimedAddress = Pick<Mailbox, 'localPart' | 'domain'>;

export interface HeaderFrom {
  readonly fieldCount: number;
  readonly mailboxes: readonly Mailbox[];
  /** Those of the mailboxes, in lower-case A-labels, each once, in order. */
  readonly domains: readonly string[];
  /** An address could not be read, or its domain is none. */
  readonly malformed: boolean;
  /** Addresses of the mailboxes, then what looks like one where none could be read; each once. */
  readonly claimed: readonly ClaimedAddress[];
  /** The domains of these, none of them a literal. */
  readonly claimedDomains: readonly string[];
  /** There is more than was read. */
  readonly truncated: boolean;
}

const MAX_FIELDS = 20;
const MAX_MAILBOXES = 1_000;
const LONGEST_LOCAL_PART = 128;
const LONGEST_DOMAIN = 255;

export function headerFromDomains(fields: readonly HeaderField[]): HeaderFrom {
  const from = fieldsNamed(fields, 'from');
  const lists = from
    .slice(0, MAX_FIELDS)
    .map(({ value }) => parseAddressList(value, { maxLength: 262_144, maxMailboxes: MAX_MAILBOXES }));
  const mailboxes = lists.flatMap((list) => list.mailboxes);
  const domains = mailboxes.map((mailbox) => domainToAscii(mailbox.domain));
  const readable = domains.filter((domain) => domain !== null);
  const truncated = from.length > MAX_FIELDS || lists.some((list) => list.truncated);
  const malformed = truncated || lists.some((list) => list.malformed) || readable.length !== domains.length;
  const guessed = lists.flatMap(({ remains }) => remains).flatMap(addressesIn);
  const claimed = distinct([...mailboxes, ...guessed]);
  return {
    fieldCount: from.length,
    mailboxes,
    domains: [...new Set(readable)],
    malformed,
    claimed,
    claimedDomains: [...new Set(claimed.map(({ domain }) => domainToAscii(domain)).filter(isHostDomain))],
    truncated,
  };
}

const isHostDomain = (domain: string | null): domain is string => domain !== null && !domain.startsWith('[');

function distinct(addresses: readonly ClaimedAddress[]): ClaimedAddress[] {
  if (addresses.length < 2) return [...addresses];
  return [...new Map(addresses.map((one) => [`${one.localPart}@${one.domain}`, one])).values()];
}

/** All that reads `…@domain` in a text; a local part may be missing. */
function addressesIn(text: string): ClaimedAddress[] {
  const found: ClaimedAddress[] = [];
  for (let at = text.indexOf('@'); at !== -1 && found.length < MAX_MAILBOXES; at = text.indexOf('@', at + 1)) {
    const localPart = /[^\s<>()[\]@,;:"\\]*$/.exec(text.slice(Math.max(0, at - LONGEST_LOCAL_PART), at))?.[0] ?? '';
    const behind = text.slice(at + 1, at + 1 + LONGEST_DOMAIN);
    const domain = /^\s*([^\s<>()[\]@,;:"\\]+)/.exec(behind)?.[1]?.replace(/^\.+|[^\p{L}\p{N}]+$/gu, '') ?? '';
    if (domain !== '') found.push({ localPart, domain });
  }
  return found;
}
