/**
 * Who the From field says wrote the message: the base of DMARC and of anti-impersonation. RFC 5322 §3.6.2, RFC 7489
 * §6.6.1. RFC 5322 wants exactly one From field; how many there are is told, since mail programs show any of them.
 */
import { domainToAscii } from '@postern/smtp-core';
import { type Mailbox, parseAddressList } from './address-list.js';
import { fieldsNamed, type HeaderField } from './header-section.js';

export interface HeaderFrom {
  readonly fieldCount: number;
  readonly mailboxes: readonly Mailbox[];
  /** Lower-case A-labels, each once, in order. */
  readonly domains: readonly string[];
  /** An address could not be read, or its domain is none. */
  readonly malformed: boolean;
}

export function headerFromDomains(fields: readonly HeaderField[]): HeaderFrom {
  const lists = fieldsNamed(fields, 'from').map((field) => parseAddressList(field.value, { maxMailboxes: 100 }));
  const mailboxes = lists.flatMap((list) => list.mailboxes);
  const domains = mailboxes.map((mailbox) => domainToAscii(mailbox.domain));
  const readable = domains.filter((domain) => domain !== null);
  const malformed = lists.some((list) => list.malformed || list.truncated) || readable.length !== domains.length;
  return { fieldCount: lists.length, mailboxes, domains: [...new Set(readable)], malformed };
}
