/**
 * Domain names and address literals as they stand in paths and greetings. RFC 5321 §4.1.2 and §4.1.3, RFC 6531 §3.3.
 * Syntax only: nothing is looked up. A-labels are kept as sent; U-labels are turned into A-labels only on request.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { SMTP_LIMITS } from './limits.js';

export interface DomainOptions {
  /** U-labels allowed (RFC 6531 §3.3). */
  readonly smtputf8?: boolean;
  /** Underscores allowed in labels: not in RFC 5321, but such hosts exist. */
  readonly lenient?: boolean;
}

const STRICT_LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/;
const LENIENT_LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the class is "all of ASCII"
const ASCII_ONLY = /^[\x00-\x7f]*$/;
/** Characters a domain with U-labels may hold before mapping: never the ones a URL host parser gives a meaning. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the class is "beyond ASCII"
const UNICODE_DOMAIN = /^(?:[A-Za-z0-9._-]|[^\x00-\x9f\ufffd])+$/;

export function isAscii(text: string): boolean {
  return ASCII_ONLY.test(text);
}

function isAsciiDomain(text: string, lenient: boolean): boolean {
  if (text.length === 0 || text.length > SMTP_LIMITS.domain) return false;
  const label = lenient ? LENIENT_LABEL : STRICT_LABEL;
  return text.split('.').every((part) => part.length <= SMTP_LIMITS.domainLabel && label.test(part));
}

/** The domain in lower-case A-labels, or null where it cannot be written so. Literals come back in lower case. */
export function domainToAscii(domain: string): string | null {
  if (domain.startsWith('[')) return isAddressLiteral(domain) ? domain.toLowerCase() : null;
  if (isAscii(domain)) return isAsciiDomain(domain, true) ? domain.toLowerCase() : null;
  if (domain.length > SMTP_LIMITS.domain || !UNICODE_DOMAIN.test(domain)) return null;
  const ascii = domainToASCII(domain);
  return isAsciiDomain(ascii, true) ? ascii : null;
}

/** Is this a domain of RFC 5321 §4.1.2 (no trailing dot, no empty label)? Not true of address literals. */
export function isDomain(text: string, options: DomainOptions = {}): boolean {
  if (isAscii(text)) return isAsciiDomain(text, options.lenient === true);
  return options.smtputf8 === true && Buffer.byteLength(text) <= SMTP_LIMITS.domain && domainToAscii(text) !== null;
}

/** `[192.0.2.1]` or `[IPv6:2001:db8::1]`, RFC 5321 §4.1.3. Other tags have no registered meaning and are refused. */
export function isAddressLiteral(text: string): boolean {
  return literalAddress(text) !== null;
}

/** The IP address inside an address literal, or null. */
export function literalAddress(text: string): string | null {
  if (!text.startsWith('[') || !text.endsWith(']')) return null;
  const inner = text.slice(1, -1);
  if (isIPv4(inner)) return inner;
  if (!/^ipv6:/i.test(inner)) return null;
  const address = inner.slice(5);
  return isIPv6(address) && !address.includes('%') ? address : null;
}

/** The argument of EHLO or HELO: a domain or an address literal. RFC 5321 §4.1.1.1. */
export function isGreetingName(text: string, options: DomainOptions = {}): boolean {
  return isDomain(text, options) || isAddressLiteral(text);
}
