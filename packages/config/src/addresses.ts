/**
 * Kinds of network names: host:port, address ranges, domains, URLs.
 * Syntax only: nothing is resolved, nothing is connected.
 */
import { isIP, isIPv4 } from 'node:net';
import { domainToASCII } from 'node:url';
import { maskCredentials } from './problem.js';
import { accepted, type Kind, type Reader } from './schema.js';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export interface Cidr {
  readonly address: string;
  readonly bits: number;
  readonly family: 4 | 6;
}

/** `name:25`, `192.0.2.1:25`, `[2001:db8::1]:25`, `:25` (every address). Port 0 = any free one. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const [, bracketed, plain, digits] = match;
  const port = Number(digits);
  if (port > 65_535) return undefined;
  if (bracketed !== undefined) return isIP(bracketed) === 6 ? { host: bracketed, port } : undefined;
  const host = plain === undefined || plain === '' || plain === '*' ? '::' : plain;
  if (host !== '::' && !isHost(host)) return undefined;
  return { host, port };
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function isHost(text: string): boolean {
  if (/^[\d.]+$/.test(text)) return isIPv4(text);
  return (
    text.length <= 253 &&
    /^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$/.test(text)
  );
}

/** One address or a range. Bits below the prefix must be zero: `10.0.0.1/8` is a slip more often than a wish. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', length, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0 || address.includes('%')) return undefined;
  const width = version === 4 ? 32 : 128;
  if (length !== undefined && !/^\d{1,3}$/.test(length)) return undefined;
  const bits = length === undefined ? width : Number(length);
  if (bits > width || (addressBits(address) & ((1n << BigInt(width - bits)) - 1n)) !== 0n) return undefined;
  return { address, bits, family: version === 4 ? 4 : 6 };
}

/** A network, or a range `a-b` of one family whose lower address stands first. An IPv4-mapped address is of the family of IPv4. */
export function isNetwork(text: string): boolean {
  if (parseCidr(text) !== undefined) return true;
  const [from = '', to = '', ...rest] = text.split('-').map((part) => part.trim());
  if (rest.length > 0 || text.includes('%') || isIP(from) === 0 || isIP(from) !== isIP(to)) return false;
  const [first, last] = [addressBits(from), addressBits(to)];
  return first <= last && (isIPv4(from) || isMapped(first) === isMapped(last));
}

/** `did you mean 10.0.0.0/8?` for an address with bits behind its prefix; undefined where something else is wrong. */
export function networkHint(text: string): string | undefined {
  const [address = '', length = '', ...rest] = text.split('/');
  const version = isIP(address);
  const width = version === 4 ? 32 : 128;
  if (version === 0 || rest.length > 0 || !/^\d{1,3}$/.test(length) || Number(length) > width) return undefined;
  if (address.includes('%')) return undefined;
  const behind = BigInt(width - Number(length));
  const bits = (addressBits(address) >> behind) << behind;
  return bits === addressBits(address) ? undefined : `did you mean ${addressText(bits, width)}/${length}?`;
}

function addressText(bits: bigint, width: number): string {
  const size = width === 32 ? 8 : 16;
  const parts = Array.from({ length: width / size }, (_, index) => {
    const part = (bits >> BigInt(width - size * (index + 1))) & ((1n << BigInt(size)) - 1n);
    return part.toString(width === 32 ? 10 : 16);
  });
  // The host of a URL is the shortest form of an IPv6 address (RFC 5952).
  return width === 32 ? parts.join('.') : new URL(`http://[${parts.join(':')}]/`).hostname.slice(1, -1);
}

const isMapped = (bits: bigint): boolean => bits >> 32n === 0xffffn;

export function formatCidr({ address, bits, family }: Cidr): string {
  return bits === (family === 4 ? 32 : 128) ? address : `${address}/${bits}`;
}

function addressBits(address: string): bigint {
  if (isIPv4(address)) return v4Bits(address);
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  const low = dotted?.[2] === undefined ? undefined : v4Bits(dotted[2]);
  const text =
    low === undefined ? address : `${dotted?.[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  const [head = '', tail] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = Array.from({ length: tail === undefined ? 0 : 8 - left.length - right.length }, () => '0');
  return [...left, ...gap, ...right].reduce((sum, group) => (sum << 16n) | BigInt(Number.parseInt(group, 16)), 0n);
}

function v4Bits(address: string): bigint {
  return address.split('.').reduce((sum, octet) => (sum << 8n) | BigInt(Number(octet)), 0n);
}

export function hostPortKind(): Kind<HostPort> {
  return textKind('host:port', 'host:port, such as 0.0.0.0:25, [::1]:25 or name:4222', parseHostPort, formatHostPort);
}

export function cidrKind(): Kind<Cidr> {
  const allowed = 'an address or a range without bits behind the prefix, such as 192.0.2.0/24 or 2001:db8::/32';
  return textKind('cidr', allowed, parseCidr, formatCidr, networkHint);
}

/** A domain name in lower case A-label form without a final dot. */
export function domainKind(): Kind<string> {
  const parse = (text: string): string | undefined => {
    const name = text.toLowerCase().replace(/\.$/, '');
    return name !== '' && isHost(name) && isIP(name) === 0 ? name : undefined;
  };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII
  const isInternational = (text: string): boolean => /[^\u0000-\u007f]/.test(text);
  const hint = (text: string): string | undefined => {
    const name = isInternational(text) ? parse(domainToASCII(text)) : undefined;
    return name === undefined ? undefined : `write ${name}`;
  };
  return textKind('domain', 'a domain name such as mail.example.com (A-labels)', parse, (name) => name, hint);
}

export function urlKind(protocols: readonly string[]): Kind<string> {
  const parse = (text: string): string | undefined => {
    const url = URL.parse(text);
    return url !== null && protocols.includes(url.protocol.slice(0, -1)) ? text : undefined;
  };
  return textKind(
    'url',
    `a URL starting with ${protocols.map((name) => `${name}://`).join(' or ')}`,
    parse,
    maskCredentials,
  );
}

function textKind<T>(
  type: string,
  allowed: string,
  parse: (text: string) => T | undefined,
  show: (value: T) => unknown,
  hint: (text: string) => string | undefined = () => undefined,
): Kind<T> {
  return {
    type,
    textForm: 'scalar',
    allowed: () => allowed,
    read: (at, path, reader: Reader, secret) => {
      const value = at.kind === 'scalar' && typeof at.value === 'string' ? parse(at.value) : undefined;
      if (value !== undefined) return accepted(value);
      const meant = at.kind === 'scalar' && typeof at.value === 'string' ? hint(at.value) : undefined;
      return reader.refuse(at, path, meant === undefined ? allowed : `${allowed}; ${meant}`, secret);
    },
    show,
    jsonSchema: () => ({ type: 'string', minLength: 1 }),
    children: () => [],
  };
}
