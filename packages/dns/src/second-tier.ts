/**
 * The cache that pods share, as the client sees it: octets under a key, kept for a time. Redis can be one.
 * An entry is the moment of expiry (wall clock, 8 octets) and a DNS reply packet, so what comes back is read
 * with the same care as what comes from a server. A second tier that fails or is slow costs a metric, nothing else.
 */
import { decode } from 'dns-packet';
import { readReply } from './packet.js';
import type { RecordType } from './records.js';
import { writeReply } from './reply-writer.js';
import type { DnsAnswer, DnsNegative } from './result.js';

export interface DnsSecondTier {
  get(key: string): Promise<Uint8Array | undefined>;
  set(key: string, value: Uint8Array, ttlMs: number): Promise<void>;
}

export function packEntry<T extends RecordType>(
  result: DnsAnswer<T> | DnsNegative,
  name: string,
  type: T,
  expiresAt: number,
): Uint8Array {
  const packet = writeReply({
    id: 0,
    question: { name: result.kind === 'answer' ? result.name : name, type },
    rcode: result.kind === 'nxdomain' ? 3 : 0,
    aliases: [],
    records: result.kind === 'answer' ? result.records : [],
    negativeTtl: result.kind === 'answer' ? undefined : result.ttl,
    authenticated: result.authenticated,
  });
  const entry = Buffer.allocUnsafe(packet.length + 8);
  entry.writeDoubleBE(expiresAt, 0);
  packet.copy(entry, 8);
  return entry;
}

/** Undefined for an entry that is unreadable or expired. */
export function unpackEntry<T extends RecordType>(
  entry: Uint8Array,
  type: T,
  now: number,
): DnsAnswer<T> | DnsNegative | undefined {
  if (entry.length < 20) return undefined;
  const octets = Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength);
  const ttl = Math.floor((octets.readDoubleBE(0) - now) / 1000);
  if (!(ttl > 0)) return undefined;
  const packet = octets.subarray(8);
  let name: string | undefined;
  try {
    name = decode(packet).questions?.[0]?.name;
  } catch {
    return undefined;
  }
  if (name === undefined) return undefined;
  const question = { id: 0, name: name === '.' ? '' : name, type, caseSensitive: false };
  const reading = readReply(packet, question, true);
  if (reading.kind !== 'reply') return undefined;
  const { reply } = reading;
  if (reply.kind !== 'answer' && reply.kind !== 'nodata' && reply.kind !== 'nxdomain') return undefined;
  return { ...reply, ttl: Math.min(ttl, 0x7fffffff) };
}
