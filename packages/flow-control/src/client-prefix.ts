/**
 * The unit a per-address limit counts: an IPv4 address, or an IPv6 network of the configured length, in one canonical
 * spelling. An IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) counts as its IPv4 address, so a client gains nothing by
 * the family it arrives on. Text that is no address is returned as it is: it still counts as one client.
 */
import { isIPv4, isIPv6 } from 'node:net';

const GROUPS = 8;

export function clientPrefix(address: string, ipv6PrefixLength: number): string {
  if (isIPv4(address)) return address;
  const zone = address.indexOf('%');
  const bare = zone === -1 ? address : address.slice(0, zone);
  if (!isIPv6(bare)) return address;
  const groups = ipv6Groups(bare);
  const mapped = mappedIpv4(groups);
  if (mapped !== undefined) return mapped;
  return `${maskedText(groups, ipv6PrefixLength)}/${ipv6PrefixLength}`;
}

function ipv6Groups(address: string): number[] {
  const [head = '', tail] = address.split('::');
  const left = groupsOf(head);
  if (tail === undefined) return left;
  const right = groupsOf(tail);
  const gap: number[] = new Array(Math.max(0, GROUPS - left.length - right.length)).fill(0);
  return [...left, ...gap, ...right];
}

function groupsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [Number.parseInt(part, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

function mappedIpv4(groups: readonly number[]): string | undefined {
  const [, , , , , marker, high = 0, low = 0] = groups;
  if (marker !== 0xffff || groups.slice(0, 5).some((group) => group !== 0)) return undefined;
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

function maskedText(groups: readonly number[], prefixLength: number): string {
  return groups
    .map((group, index) => {
      const bits = Math.min(16, Math.max(0, prefixLength - index * 16));
      return (group & ((0xffff << (16 - bits)) & 0xffff)).toString(16);
    })
    .join(':');
}
