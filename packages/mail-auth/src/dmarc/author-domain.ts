/**
 * The domains of the From field(s): what DMARC speaks about. RFC 5322 §3.4, §3.6.2; RFC 9989 §4.7.
 * Reads display names, comments, groups and quoted strings only to get past them. A mailbox without a usable domain
 * counts as unreadable, so that a message cannot hide an author behind one.
 */
import { domainToASCII } from 'node:url';
import { normaliseName } from '@postern/dns';
import { fieldsNamed, type HeaderField } from '@postern/mail-message';

export interface AuthorDomains {
  /** A-labels, each once, in order. */
  readonly domains: readonly string[];
  /** How many From fields there are; a proper message has one. */
  readonly fields: number;
  /** Mailboxes whose domain could not be read. */
  readonly unreadable: number;
}

const MAX_MAILBOXES = 100;

export function authorDomains(fields: readonly HeaderField[]): AuthorDomains {
  const from = fieldsNamed(fields, 'from');
  const domains = new Set<string>();
  let unreadable = 0;
  for (const field of from) {
    for (const address of addresses(field.value)) {
      const domain = domainOf(address);
      if (domain === undefined) unreadable++;
      else domains.add(domain);
    }
  }
  return { domains: [...domains], fields: from.length, unreadable };
}

function domainOf(address: string): string | undefined {
  const at = address.lastIndexOf('@');
  if (at <= 0) return undefined;
  const given = address.slice(at + 1);
  const domain = normaliseName(given) ?? normaliseName(domainToASCII(given));
  return domain === undefined || domain === '' || /[^a-z0-9._-]/.test(domain) ? undefined : domain;
}

/** The addr-specs of an address list, comments and white space gone, quoted strings as one `"`. */
function addresses(text: string): string[] {
  const found: string[] = [];
  let plain = '';
  let angle: string | undefined;
  let inAngle = false;
  const end = (): void => {
    const address = angle ?? plain;
    if (address !== '' && found.length < MAX_MAILBOXES) found.push(address);
    plain = '';
    angle = undefined;
    inAngle = false;
  };
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '(') {
      at = endOfComment(text, at);
    } else if (char === '"') {
      at = endOfQuoted(text, at);
      if (inAngle) angle += '"';
      else plain += '"';
    } else if (inAngle) {
      if (char === '>') inAngle = false;
      else if (!/\s/.test(char)) angle += char;
    } else if (char === '<') {
      // A second address in one mailbox is nobody's grammar: it counts as a mailbox of its own.
      if (angle !== undefined) end();
      angle = '';
      inAngle = true;
    } else if (char === ',' || char === ';') {
      end();
    } else if (char === ':') {
      plain = '';
    } else if (!/\s/.test(char)) {
      plain += char;
    }
  }
  end();
  return found;
}

function endOfComment(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '\\') at++;
    else if (char === '(') depth++;
    else if (char === ')' && --depth === 0) return at;
  }
  return text.length;
}

function endOfQuoted(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '\\') at++;
    else if (char === '"') return at;
  }
  return text.length;
}
