/**
 * Addresses outside of commands: splitting, checking, and the form under which they are looked up.
 * RFC 5321 §2.4: domains compare without case; local parts only if their host says so, hence the option.
 */
import { domainToAscii } from './domain.js';
import { type PathOptions, type PathResult, parsePath, quoteLocalPart } from './path.js';

export interface SplitAddress {
  /** Without quotes. */
  readonly localPart: string;
  readonly domain: string;
}

/** Splits at the last `@`. Null where there is none, or where a side is empty. The input need not be valid otherwise. */
export function splitAddress(address: string): SplitAddress | null {
  const at = address.lastIndexOf('@');
  if (at <= 0 || at === address.length - 1) return null;
  const left = address.slice(0, at);
  const quoted = left.length >= 2 && left.startsWith('"') && left.endsWith('"');
  const localPart = quoted ? left.slice(1, -1).replace(/\\(.)/g, '$1') : left;
  return { localPart, domain: address.slice(at + 1) };
}

/** Reads `local@domain` without brackets. */
export function parseAddress(address: string, options: PathOptions = {}): PathResult {
  return parsePath(`<${address}>`, { ...options, allowNull: false });
}

export interface CanonicalOptions {
  /** Compare local parts without case (default). Hosts that tell cases apart set this to false. */
  readonly foldLocalPart?: boolean;
}

/** The lookup form: domain in lower-case A-labels, local part NFC and folded. Null where the domain is not one. */
export function canonicalAddress(address: SplitAddress, options: CanonicalOptions = {}): string | null {
  const domain = domainToAscii(address.domain);
  if (domain === null) return null;
  const normal = address.localPart.normalize('NFC');
  return `${quoteLocalPart(options.foldLocalPart === false ? normal : normal.toLowerCase())}@${domain}`;
}
