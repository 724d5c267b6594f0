/**
 * Is an address in a set of networks? One look-up per prefix length in use, so that thousands of networks cost no more than a few.
 * IPv4 in IPv6 form counts as IPv4.
 */
import type { Cidr } from '@postern/config';
import { ipv6Groups, unmapAddress } from '@postern/dns';

export interface NetworkSet {
  has(address: string): boolean;
  readonly size: number;
}

function bitsOf(address: string): { readonly value: bigint; readonly width: 32 | 128 } | undefined {
  const plain = unmapAddress(address);
  if (plain.includes(':')) {
    const groups = ipv6Groups(plain);
    if (groups === undefined) return undefined;
    return { value: groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n), width: 128 };
  }
  const octets = plain.split('.').map(Number);
  if (octets.length !== 4 || octets.some((octet) => !(octet >= 0 && octet <= 255))) return undefined;
  return { value: octets.reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n), width: 32 };
}

export function networkSet(networks: readonly Cidr[]): NetworkSet {
  const byLength = { 32: new Map<number, Set<bigint>>(), 128: new Map<number, Set<bigint>>() };
  for (const { address, bits } of networks) {
    const known = bitsOf(address);
    if (known === undefined) continue;
    const lengths = byLength[known.width];
    const prefixes = lengths.get(bits) ?? new Set<bigint>();
    prefixes.add(known.value >> BigInt(known.width - bits));
    lengths.set(bits, prefixes);
  }
  return {
    size: networks.length,
    has(address) {
      if (networks.length === 0) return false;
      const known = bitsOf(address);
      if (known === undefined) return false;
      for (const [bits, prefixes] of byLength[known.width])
        if (prefixes.has(known.value >> BigInt(known.width - bits))) return true;
      return false;
    },
  };
}

const made = new WeakMap<readonly Cidr[], NetworkSet>();

/** The set of a list in the settings, made once per snapshot. */
export function networksOf(list: readonly Cidr[]): NetworkSet {
  const known = made.get(list) ?? networkSet(list);
  made.set(list, known);
  return known;
}

/** The /24 or /64 an address is in. */
export function neighbourhood(address: string): string {
  const plain = unmapAddress(address);
  const groups = plain.includes(':') ? ipv6Groups(plain) : undefined;
  if (groups !== undefined)
    return `${groups
      .slice(0, 4)
      .map((group) => group.toString(16))
      .join(':')}::/64`;
  return `${plain.split('.').slice(0, 3).join('.')}.0/24`;
}
