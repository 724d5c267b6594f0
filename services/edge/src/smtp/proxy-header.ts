/**
 * PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt): who the client behind a balancer is. Pure: bytes in, verdict out; whether
 * the peer may be believed is the caller's. LOCAL, UNKNOWN and UNIX keep the socket's own addresses; of the TLVs AUTHORITY and SSL are read.
 * Bounded: version 1 is at most 107 octets, version 2 at most 4 KiB here.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { addressText } from '@postern/flow-control';

export interface ProxyEndpoint {
  readonly address: string;
  readonly port: number;
}

/** TLS between the client and the proxy, as the proxy tells it. */
export interface ProxiedTls {
  readonly version: string;
  readonly cipher: string;
  /** Common name of the client's certificate; absent = it showed none. */
  readonly clientName?: string;
  readonly clientVerified: boolean;
}

interface Tlvs {
  readonly authority?: string;
  readonly tls?: ProxiedTls;
}

export type ProxyHeader =
  /** More bytes are needed. */
  | { readonly kind: 'incomplete' }
  /** The bytes are no PROXY header. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'invalid'; readonly reason: string }
  | {
      readonly kind: 'present';
      /** Octets it takes. */
      readonly length: number;
      /** Absent = the connection is the balancer's own (health check) or has no IP address. */
      readonly source?: ProxyEndpoint;
      readonly destination?: ProxyEndpoint;
      /** Host name the client asked for in TLS, by TLV. */
      readonly authority?: string;
      readonly tls?: ProxiedTls;
    };

const signature = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
const v1Start = Buffer.from('PROXY ');
const v1MaxLength = 107;
const v2MaxLength = 4_096;
const tlvAuthority = 0x02;
const tlvSsl = 0x20;
const sslVersion = 0x21;
const sslCommonName = 0x22;
const sslCipher = 0x23;
/** Bits of the SSL TLV: the client spoke TLS; it showed a certificate on this connection, or in its session. */
const clientSsl = 0x01;
const clientCertificate = 0x02 | 0x04;
const maxText = 255;

const invalid = (reason: string): ProxyHeader => ({ kind: 'invalid', reason });

/** Does `bytes` begin like `start`, as far as both go? */
function beginsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.subarray(0, length).equals(start.subarray(0, length));
}

function readPort(text: string | undefined): number | undefined {
  if (text === undefined || !/^(?:0|[1-9]\d{0,4})$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65_535 ? port : undefined;
}

function parseV1(bytes: Buffer): ProxyHeader {
  const newline = bytes.indexOf(0x0a);
  if (newline === -1)
    return bytes.length >= v1MaxLength ? invalid('version 1 header too long') : { kind: 'incomplete' };
  if (newline + 1 > v1MaxLength || bytes[newline - 1] !== 0x0d) return invalid('version 1 header does not end in CRLF');
  const length = newline + 1;
  const [, family, source, destination, sourcePort, destinationPort, ...more] = bytes
    .toString('latin1', 0, newline - 1)
    .split(' ');
  if (family === 'UNKNOWN') return { kind: 'present', length };
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : undefined;
  if (isAddress === undefined) return invalid('unknown address family');
  const ports = [readPort(sourcePort), readPort(destinationPort)] as const;
  if (source === undefined || destination === undefined || !isAddress(source) || !isAddress(destination))
    return invalid('bad address');
  if (ports[0] === undefined || ports[1] === undefined || more.length > 0) return invalid('bad port');
  return {
    kind: 'present',
    length,
    source: { address: addressText(source), port: ports[0] },
    destination: { address: addressText(destination), port: ports[1] },
  };
}

function ipv6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(group * 2).toString(16));
  return addressText(groups.join(':'));
}

/** Types and values, or undefined where they do not fit. */
function splitTlvs(bytes: Buffer): Map<number, Buffer> | undefined {
  const found = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    if (at + 3 > bytes.length) return undefined;
    const end = at + 3 + bytes.readUInt16BE(at + 1);
    if (end > bytes.length) return undefined;
    found.set(bytes[at] ?? 0, bytes.subarray(at + 3, end));
    at = end;
  }
  return found;
}

const textOf = (value: Buffer | undefined): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
  (value ?? Buffer.alloc(0)).toString('utf8', 0, maxText).replace(/[\x00-\x1f\x7f]/g, '');

/** Undefined = malformed; null = the client did not speak TLS. */
function parseSsl(value: Buffer): ProxiedTls | null | undefined {
  if (value.length < 5) return undefined;
  const parts = splitTlvs(value.subarray(5));
  const flags = value[0] ?? 0;
  if (parts === undefined) return undefined;
  if ((flags & clientSsl) === 0) return null;
  const shown = (flags & clientCertificate) !== 0;
  return {
    version: textOf(parts.get(sslVersion)) || 'TLS',
    cipher: textOf(parts.get(sslCipher)),
    ...(shown ? { clientName: textOf(parts.get(sslCommonName)) } : {}),
    clientVerified: shown && value.readUInt32BE(1) === 0,
  };
}

function parseTlvs(bytes: Buffer): Tlvs | undefined {
  const parts = splitTlvs(bytes);
  if (parts === undefined) return undefined;
  const authority = textOf(parts.get(tlvAuthority));
  const ssl = parts.get(tlvSsl);
  const tls = ssl === undefined ? null : parseSsl(ssl);
  if (tls === undefined) return undefined;
  return { ...(authority === '' ? {} : { authority }), ...(tls === null ? {} : { tls }) };
}

function parseV2(bytes: Buffer): ProxyHeader {
  if (bytes.length < 16) return { kind: 'incomplete' };
  const version = (bytes[12] ?? 0) >> 4;
  const command = (bytes[12] ?? 0) & 0x0f;
  const family = bytes[13] ?? 0;
  const length = 16 + bytes.readUInt16BE(14);
  if (version !== 2 || command > 1) return invalid('unknown version or command');
  if (length > v2MaxLength) return invalid('version 2 header too long');
  if (bytes.length < length) return { kind: 'incomplete' };
  const body = bytes.subarray(16, length);
  if (command === 0) return { kind: 'present', length };
  const size = family === 0x11 ? 12 : family === 0x21 ? 36 : undefined;
  // UNSPEC, UNIX and datagram families carry no address of ours: the socket's own stand.
  if (size === undefined) return { kind: 'present', length };
  if (body.length < size) return invalid('address block too short');
  const tlvs = parseTlvs(body.subarray(size));
  if (tlvs === undefined) return invalid('malformed TLV');
  const width = size === 12 ? 4 : 16;
  const text = (part: Buffer): string => (width === 4 ? part.join('.') : ipv6Text(part));
  return {
    kind: 'present',
    length,
    source: { address: text(body.subarray(0, width)), port: body.readUInt16BE(2 * width) },
    destination: { address: text(body.subarray(width, 2 * width)), port: body.readUInt16BE(2 * width + 2) },
    ...tlvs,
  };
}

/** Reads the header at the start of what a connection has sent so far. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (bytes.length === 0) return { kind: 'incomplete' };
  if (beginsLike(bytes, signature)) return bytes.length < signature.length ? { kind: 'incomplete' } : parseV2(bytes);
  if (beginsLike(bytes, v1Start)) return bytes.length < v1Start.length ? { kind: 'incomplete' } : parseV1(bytes);
  return { kind: 'absent' };
}
