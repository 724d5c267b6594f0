/**
 * Names as DNS keeps them: one spelling for the cache and the wire, and the derived names for reverse
 * lookups (RFC 1035 §3.5, RFC 3596 §2.5) and DNS lists (RFC 5782 §2.1, §2.4).
 * Does no IDNA: callers give A-labels.
 */
import { isIPv4, isIPv6 } from 'node:net';

const MAX_NAME = 253;
const MAX_LABEL = 63;

/** Lower case, no trailing dot; undefined when the string cannot be a DNS name. The root is ''. */
export function normaliseName(name: string): string | undefined {
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  if (bare === '') return name === '.' ? '' : undefined;
  if (bare.length > MAX_NAME) return undefined;
  let label = 0;
  let upper = false;
  for (let i = 0; i < bare.length; i++) {
    const code = bare.charCodeAt(i);
    if (code === 0x2e) {
      if (label === 0) return undefined;
      label = 0;
      continue;
    }
    // Anything but ASCII has no defined wire form here (the codec would write UTF-8). A space is legal: SPF macros make it.
    if (code < 0x20 || code >= 0x7f) return undefined;
    if (code >= 0x41 && code <= 0x5a) upper = true;
    label++;
    if (label > MAX_LABEL) return undefined;
  }
  if (label === 0) return undefined;
  return upper ? bare.toLowerCase() : bare;
}

/** The eight groups of an IPv6 address, or undefined. A zone index is not accepted. */
export function ipv6Groups(address: string): number[] | undefined {
  if (!isIPv6(address) || address.includes('%')) return undefined;
  let text = address;
  const lastColon = text.lastIndexOf(':');
  const tail = text.slice(lastColon + 1);
  if (tail.includes('.')) {
    const parts = tail.split('.').map(Number);
    const [a = 0, b = 0, c = 0, d = 0] = parts;
    text = `${text.slice(0, lastColon + 1)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [head = '', rest] = text.split('::');
  const left = head === '' ? [] : head.split(':').map((group) => Number.parseInt(group, 16));
  if (rest === undefined) return left;
  const right = rest === '' ? [] : rest.split(':').map((group) => Number.parseInt(group, 16));
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

/** An IPv4 address written as IPv4-mapped IPv6 (RFC 4291 §2.5.5.2) in its own form; anything else unchanged. */
export function unmapAddress(address: string): string {
  const groups = address.includes(':') ? ipv6Groups(address) : undefined;
  if (groups === undefined) return address;
  const [a, b, c, d, e, f, high = 0, low = 0] = groups;
  if (a !== 0 || b !== 0 || c !== 0 || d !== 0 || e !== 0 || f !== 0xffff) return address;
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** `192.0.2.1` -> `1.2.0.192`; IPv6 as 32 reversed nibbles. Undefined for what is no address. */
export function reversedAddress(address: string): string | undefined {
  const plain = unmapAddress(address);
  if (isIPv4(plain)) return plain.split('.').reverse().join('.');
  const groups = ipv6Groups(plain);
  if (groups === undefined) return undefined;
  let nibbles = '';
  for (const group of groups) nibbles += group.toString(16).padStart(4, '0');
  return [...nibbles].reverse().join('.');
}

/** The name whose PTR records name the address. */
export function reverseName(address: string): string | undefined {
  const reversed = reversedAddress(address);
  if (reversed === undefined) return undefined;
  return `${reversed}.${isIPv4(unmapAddress(address)) ? 'in-addr.arpa' : 'ip6.arpa'}`;
}

/** The name to ask a DNS list about an address. */
export function dnsblName(address: string, zone: string): string | undefined {
  const reversed = reversedAddress(address);
  return reversed === undefined ? undefined : normaliseName(`${reversed}.${zone}`);
}

/** The name to ask a domain list (URIBL, RHSBL) about a domain (RFC 5782 §2.5). */
export function domainListName(domain: string, zone: string): string | undefined {
  const plain = normaliseName(domain);
  return plain === undefined ? undefined : normaliseName(`${plain}.${zone}`);
}
