/** Client addresses and the networks SPF compares them with: 16-bit groups, so that both families are one code. */
import { isIPv4 } from 'node:net';
import { ipv6Groups, unmapAddress } from '@postern/dns';

export interface IpAddress {
  readonly family: 4 | 6;
  readonly text: string;
  readonly groups: readonly number[];
}

/** An IPv4-mapped IPv6 address counts as IPv4 (RFC 7208 §5). */
export function parseClientAddress(text: string): IpAddress | undefined {
  return parseAddress(unmapAddress(text));
}

export function parseAddress(text: string): IpAddress | undefined {
  if (isIPv4(text)) {
    const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
    return { family: 4, text, groups: [(a << 8) | b, (c << 8) | d] };
  }
  const groups = ipv6Groups(text);
  return groups === undefined ? undefined : { family: 6, text: text.toLowerCase(), groups };
}

export function inNetwork(address: IpAddress, network: IpAddress, prefix: number): boolean {
  if (address.family !== network.family) return false;
  let left = prefix;
  for (let i = 0; left > 0 && i < address.groups.length; i++, left -= 16) {
    const difference = (address.groups[i] ?? 0) ^ (network.groups[i] ?? 0);
    if (left >= 16 ? difference !== 0 : difference >> (16 - left) !== 0) return false;
  }
  return true;
}

/** Dots between all digits, as `%{i}` wants: 192.0.2.1, or 32 nibbles in capitals (RFC 7208 §7.3, §7.4). */
export function dottedAddress({ family, text, groups }: IpAddress): string {
  if (family === 4) return text;
  return [
    ...groups
      .map((group) => group.toString(16).padStart(4, '0'))
      .join('')
      .toUpperCase(),
  ].join('.');
}
