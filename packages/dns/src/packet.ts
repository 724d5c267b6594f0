/**
 * The wire form of one question and its reply, around dns-packet: EDNS(0) with 1232 octets (RFC 6891), the
 * AD bit asked for (RFC 6840 §5.7), the alias chain followed inside the answer section. Reads hostile octets:
 * whatever they are, the outcome is a value. Only records that belong to the chain of the name asked are
 * looked at, so nothing else a server sends can reach the cache.
 */
import {
  type Answer,
  AUTHENTIC_DATA,
  type DecodedPacket,
  decode,
  encode,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from 'dns-packet';
import { normaliseName } from './names.js';
import type { DnsRecord, RecordData, RecordType } from './records.js';
import type { DnsFailure, DnsResult } from './result.js';

const EDNS_PAYLOAD = 1232;
const MAX_RECORDS = 1024;
export const MAX_ALIASES = 8;

export interface Question {
  readonly id: number;
  /** As sent, so with mixed case when 0x20 is on. */
  readonly name: string;
  readonly type: RecordType;
  readonly caseSensitive: boolean;
}

/** An alias whose target the server did not resolve along with it: ask again for the target. */
export interface DnsAlias {
  readonly kind: 'alias';
  readonly target: string;
  readonly ttl: number;
  readonly authenticated: boolean;
  readonly length: number;
}

export type Reply<T extends RecordType> = DnsResult<T> | DnsAlias;

export type Reading<T extends RecordType> =
  | { readonly kind: 'reply'; readonly reply: Reply<T> }
  | { readonly kind: 'truncated' }
  /** Not the reply to this question: keep waiting for the real one. */
  | { readonly kind: 'foreign' };

export function encodeQuestion(question: Question): Buffer {
  return encode({
    type: 'query',
    id: question.id,
    flags: RECURSION_DESIRED | AUTHENTIC_DATA,
    questions: [{ type: question.type, name: question.name === '' ? '.' : question.name, class: 'IN' }],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: EDNS_PAYLOAD,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  });
}

export function readReply<T extends RecordType>(
  octets: Buffer,
  question: Question & { readonly type: T },
  trustAuthenticated: boolean,
): Reading<T> {
  if (octets.length < 12 || octets.readUInt16BE(0) !== question.id || (octets[2] ?? 0) < 0x80) {
    return { kind: 'foreign' };
  }
  if (!hasPlausibleCounts(octets)) return { kind: 'reply', reply: { kind: 'servfail', reason: 'unreadable reply' } };
  let packet: DecodedPacket;
  try {
    packet = decode(octets);
    // The decoder lets the last record run over the end of the packet (its count is then NaN or too large).
    if (!(decode.bytes <= octets.length)) throw new RangeError('record beyond the end');
  } catch {
    // A cut-off packet with TC set is the normal case of truncation for some servers.
    if (((octets[2] ?? 0) & 0x02) !== 0) return { kind: 'truncated' };
    return { kind: 'reply', reply: { kind: 'servfail', reason: 'unreadable reply' } };
  }
  const flags = packet.flags ?? 0;
  const rcode = flags & 0xf;
  const asked = packet.questions?.[0];
  if (asked === undefined) {
    // FORMERR and the like may come back without the question; the id and the connected socket vouch for it.
    if (rcode === 0 || rcode === 3) return { kind: 'foreign' };
  } else if (packet.questions?.length !== 1 || !sameQuestion(asked, question)) {
    return { kind: 'foreign' };
  }
  if ((flags & TRUNCATED_RESPONSE) !== 0) return { kind: 'truncated' };
  const authenticated = trustAuthenticated && (flags & AUTHENTIC_DATA) !== 0;
  if (rcode === 5) return { kind: 'reply', reply: { kind: 'refused' } };
  if (rcode !== 0 && rcode !== 3) return { kind: 'reply', reply: { kind: 'servfail', reason: `rcode ${rcode}` } };
  const answers = packet.answers ?? [];
  if (answers.length > MAX_RECORDS) return { kind: 'reply', reply: { kind: 'servfail', reason: 'too many records' } };
  return { kind: 'reply', reply: followChain(packet, answers, question, rcode === 3, authenticated) };
}

/** Counts that cannot fit are refused before the decoder makes room for them: a record takes 11 octets at least. */
function hasPlausibleCounts(octets: Buffer): boolean {
  const records = octets.readUInt16BE(6) + octets.readUInt16BE(8) + octets.readUInt16BE(10);
  const cut = ((octets[2] ?? 0) & 0x02) !== 0;
  return octets.readUInt16BE(4) <= 1 && (cut ? records <= MAX_RECORDS : records * 11 <= octets.length);
}

function sameQuestion(asked: { name: string; type: string; class?: string | undefined }, question: Question): boolean {
  if (asked.type !== question.type || asked.class !== 'IN') return false;
  const name = asked.name === '.' ? '' : asked.name;
  return question.caseSensitive ? name === question.name : name.toLowerCase() === question.name.toLowerCase();
}

/** RFC 1034 §4.3.2 seen from the asking side; RFC 2308 §2.1 for a chain that ends in nothing. */
function followChain<T extends RecordType>(
  packet: DecodedPacket,
  answers: readonly Answer[],
  question: Question & { readonly type: T },
  nameError: boolean,
  authenticated: boolean,
): Reply<T> {
  let name = question.name.toLowerCase();
  let ttl = Number.POSITIVE_INFINITY;
  for (let length = 0; length <= MAX_ALIASES; length++) {
    const records: DnsRecord<T>[] = [];
    let unreadable = 0;
    let alias: { readonly target: string; readonly ttl: number } | undefined;
    for (const answer of answers) {
      if (!('data' in answer) || answer.class !== 'IN' || ownerOf(answer) !== name) continue;
      if (answer.type === question.type) {
        const data = readData(answer, question.type);
        if (data === undefined) unreadable++;
        else records.push({ name, ttl: safeTtl(answer.ttl), data });
      } else if (answer.type === 'CNAME') {
        const target = normaliseName(answer.data);
        if (target === undefined) unreadable++;
        else alias ??= { target, ttl: safeTtl(answer.ttl) };
      }
    }
    if (records.length > 0) {
      for (const record of records) ttl = Math.min(ttl, record.ttl);
      return { kind: 'answer', type: question.type, name, records, ttl, authenticated, stale: false };
    }
    if (alias === undefined) {
      if (unreadable > 0) return { kind: 'servfail', reason: 'unreadable records' };
      const negativeTtl = soaTtl(packet);
      if (nameError || negativeTtl !== undefined || length === 0) {
        const kind = nameError ? 'nxdomain' : 'nodata';
        return { kind, ttl: Math.min(ttl, negativeTtl ?? 0), authenticated, stale: false };
      }
      return { kind: 'alias', target: name, ttl, authenticated, length };
    }
    name = alias.target;
    ttl = Math.min(ttl, alias.ttl);
  }
  return aliasLoop;
}

export const aliasLoop: DnsFailure = { kind: 'servfail', reason: 'alias chain too long' };

function ownerOf(answer: Answer): string {
  return answer.name === '.' ? '' : answer.name.toLowerCase();
}

/** RFC 2181 §8: 31 bits; a TTL with the top bit set is zero. */
function safeTtl(ttl: number | undefined): number {
  return ttl === undefined || ttl > 0x7fffffff ? 0 : ttl;
}

/** RFC 2308 §5: the lesser of the SOA's own TTL and its MINIMUM. */
function soaTtl(packet: DecodedPacket): number | undefined {
  for (const record of packet.authorities ?? []) {
    if (record.type === 'SOA') return Math.min(safeTtl(record.ttl), safeTtl(record.data.minimum));
  }
  return undefined;
}

type Reader<T extends RecordType> = (answer: Answer) => RecordData[T] | undefined;

const hostOf = (answer: Answer): string | undefined =>
  'data' in answer && typeof answer.data === 'string' ? normaliseName(answer.data) : undefined;
const addressOf = (answer: Answer): string | undefined =>
  'data' in answer && typeof answer.data === 'string' ? answer.data : undefined;

const readers: { readonly [T in RecordType]: Reader<T> } = {
  A: addressOf,
  AAAA: addressOf,
  CNAME: hostOf,
  NS: hostOf,
  PTR: hostOf,
  MX(answer) {
    if (answer.type !== 'MX') return undefined;
    const exchange = normaliseName(answer.data.exchange);
    return exchange === undefined ? undefined : { preference: answer.data.preference ?? 0, exchange };
  },
  TXT(answer) {
    if (answer.type !== 'TXT' || !Array.isArray(answer.data)) return undefined;
    return answer.data.map((part) => (typeof part === 'string' ? part : part.toString('latin1')));
  },
  SOA(answer) {
    if (answer.type !== 'SOA') return undefined;
    const { mname, rname, serial = 0, refresh = 0, retry = 0, expire = 0, minimum = 0 } = answer.data;
    return { mname, rname, serial, refresh, retry, expire, minimum };
  },
  TLSA(answer) {
    if (answer.type !== 'TLSA') return undefined;
    const { usage, selector, matchingType, certificate } = answer.data;
    return { usage, selector, matchingType, certificate: new Uint8Array(certificate) };
  },
  CAA(answer) {
    if (answer.type !== 'CAA') return undefined;
    return { critical: ((answer.data.flags ?? 0) & 0x80) !== 0, tag: answer.data.tag, value: answer.data.value };
  },
};

function readData<T extends RecordType>(answer: Answer, type: T): RecordData[T] | undefined {
  const reader: Reader<T> = readers[type];
  return reader(answer);
}
