/**
 * Addresses, CIDR networks and ranges `a-b` as octets. An IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) is its IPv4 address, so a rule holds
 * whatever family the socket speaks. Text that is none of these gives undefined: parse at the border, trust inside.
 */
import { isIPv4, isIPv6 } from 'node:net';

export interface IpNetwork {
  /** 4 or 16 octets. */
  readonly octets: Uint8Array;
  readonly prefixLength: number;
}

const mappedPrefix = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

function ipv4Octets(text: string): Uint8Array {
  const octets = new Uint8Array(4);
  let at = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x2e) at++;
    else octets[at] = (octets[at] ?? 0) * 10 + code - 0x30;
  }
  return octets;
}

const hexDigit = (code: number): number => (code <= 0x39 ? code - 0x30 : (code | 0x20) - 0x57);

/** RFC 4291 §2.2, in one pass: `::` is filled with zeros at the end, a dotted quad is the last four octets. */
function ipv6Octets(text: string): Uint8Array {
  const octets = new Uint8Array(16);
  let [at, gap, group, start] = [0, -1, 0, 0];
  const endGroup = (end: number): void => {
    if (end > start) {
      octets[at++] = group >> 8;
      octets[at++] = group & 0xff;
    }
    group = 0;
    start = end + 1;
  };
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 0x2e) {
      octets.set(ipv4Octets(text.slice(start)), at);
      at += 4;
      start = text.length;
      break;
    }
    if (code !== 0x3a) group = group * 16 + hexDigit(code);
    else {
      endGroup(index);
      if (text.charCodeAt(index + 1) === 0x3a) gap = at;
    }
  }
  endGroup(text.length);
  if (gap !== -1) {
    octets.copyWithin(16 - (at - gap), gap, at);
    octets.fill(0, gap, 16 - (at - gap));
  }
  return octets;
}

/** 4 or 16 octets of an address; a zone (`%eth0`) is dropped. */
export function ipOctets(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return ipv4Octets(text);
  const zone = text.indexOf('%');
  const bare = zone === -1 ? text : text.slice(0, zone);
  if (!isIPv6(bare)) return undefined;
  const octets = ipv6Octets(bare);
  return mappedPrefix.every((octet, at) => octets[at] === octet) ? octets.subarray(12) : octets;
}

function toNumber(octets: Uint8Array): bigint {
  return octets.reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n);
}

function toOctets(value: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => Number((value >> BigInt(8 * (length - 1 - at))) & 0xffn));
}

/** The fewest networks that cover `first` to `last` exactly. */
function coverRange(first: Uint8Array, last: Uint8Array): IpNetwork[] {
  const networks: IpNetwork[] = [];
  const bits = first.length * 8;
  const end = toNumber(last);
  for (let start = toNumber(first); start <= end; ) {
    let free = 0;
    while (free < bits && (start >> BigInt(free)) % 2n === 0n && start + (1n << BigInt(free + 1)) - 1n <= end) free++;
    networks.push({ octets: toOctets(start, first.length), prefixLength: bits - free });
    start += 1n << BigInt(free);
  }
  return networks;
}

/** `192.0.2.0/24`, `2001:db8::/32`, a single address, or `a-b`. Undefined where it is none of these. */
export function parseNetworks(text: string): readonly IpNetwork[] | undefined {
  const [left = '', right, ...more] = text.trim().split('-');
  if (more.length > 0) return undefined;
  if (right !== undefined) {
    const [first, last] = [ipOctets(left.trim()), ipOctets(right.trim())];
    if (first === undefined || last === undefined || first.length !== last.length) return undefined;
    return toNumber(first) <= toNumber(last) ? coverRange(first, last) : undefined;
  }
  const [address = '', length, ...rest] = left.split('/');
  const octets = ipOctets(address);
  if (octets === undefined || rest.length > 0) return undefined;
  if (length === undefined) return [{ octets, prefixLength: octets.length * 8 }];
  const mapped = octets.length === 4 && address.includes(':') ? 96 : 0;
  const prefixLength = Number(length) - mapped;
  if (!/^\d{1,3}$/.test(length) || prefixLength < 0 || prefixLength > octets.length * 8) return undefined;
  return [{ octets, prefixLength }];
}
