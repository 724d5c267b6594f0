/**
 * Networks a condition names: checked when a rule is saved and kept prepared. The cache is bounded and only a saving of
 * work: a network that fell out is prepared again.
 */
import { BlockList, isIP } from 'node:net';
import { remember } from './remember.js';

const networks = new Map<string, PreparedNetwork>();

interface PreparedNetwork {
  /** Of IPv4: most clients come over it, and one comparison of numbers is enough. */
  readonly first: number;
  readonly mask: number;
  /** Of IPv6. */
  readonly list: BlockList | undefined;
}

export function networkProblem(network: string): string | undefined {
  return preparedNetwork(network) === undefined
    ? 'not an address or network, for example 192.0.2.0/24 or 2001:db8::/32'
    : undefined;
}

export function networkHolds(network: string, address: string): boolean {
  const prepared = preparedNetwork(network);
  if (prepared === undefined) return false;
  if (prepared.list !== undefined) return isIP(address) === 6 && prepared.list.check(address, 'ipv6');
  const number = lastAddress === address ? lastNumber : ipv4Number(address);
  [lastAddress, lastNumber] = [address, number];
  return number !== undefined && (number & prepared.mask) >>> 0 === prepared.first;
}

/** One client is compared with many networks. */
let lastAddress = '';
let lastNumber: number | undefined;

function ipv4Number(address: string): number | undefined {
  // RFC 4291 §2.5.5.2: an address of IPv4 in the clothes of IPv6 is that address.
  const plain = /^::ffff:[\d.]+$/i.test(address) ? address.slice(7) : address;
  if (isIP(plain) !== 4) return undefined;
  return plain.split('.').reduce((number, part) => number * 256 + Number(part), 0);
}

function preparedNetwork(network: string): PreparedNetwork | undefined {
  const known = networks.get(network);
  if (known !== undefined) return known;
  const [address = '', length, extra] = network.split('/');
  const family = isIP(address);
  const widest = family === 4 ? 32 : 128;
  const bits = length === undefined ? widest : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (family === 0 || extra !== undefined || !(bits <= widest)) return undefined;
  const prepared = family === 4 ? preparedIpv4(address, bits) : preparedIpv6(address, bits);
  remember(networks, network, prepared);
  return prepared;
}

function preparedIpv4(address: string, bits: number): PreparedNetwork {
  // A shift by 32 is one by 0.
  const mask = bits === 0 ? 0 : (-1 << (32 - bits)) >>> 0;
  return { first: ((ipv4Number(address) ?? 0) & mask) >>> 0, mask, list: undefined };
}

function preparedIpv6(address: string, bits: number): PreparedNetwork {
  const list = new BlockList();
  list.addSubnet(address, bits, 'ipv6');
  return { first: 0, mask: 0, list };
}
