/**
 * A reply packet out of a result: what the second cache tier stores and what the test server sends.
 * The opposite of `readReply`. RFC 1035 §4.1, RFC 2308 §2 for the SOA of a negative reply.
 */
import { type Answer, AUTHENTIC_DATA, AUTHORITATIVE_ANSWER, encode, RECURSION_AVAILABLE } from 'dns-packet';
import type { DnsRecord, RecordData, RecordType } from './records.js';

export interface WrittenReply<T extends RecordType> {
  readonly id: number;
  readonly question: { readonly name: string; readonly type: T };
  readonly rcode: number;
  readonly aliases: readonly { readonly name: string; readonly target: string; readonly ttl: number }[];
  readonly records: readonly DnsRecord<T>[];
  /** Seconds for the SOA of a negative reply; undefined sends none. */
  readonly negativeTtl?: number | undefined;
  readonly authenticated: boolean;
  /** Further flag bits, as TC. */
  readonly flags?: number;
}

export function writeReply<T extends RecordType>(reply: WrittenReply<T>): Buffer {
  const answers: Answer[] = reply.aliases.map(
    ({ name, target, ttl }): Answer => ({ type: 'CNAME', name: wireName(name), ttl, data: wireName(target) }),
  );
  const write: Writer<T> = writers[reply.question.type];
  for (const record of reply.records) answers.push(write(wireName(record.name), record.ttl, record.data));
  const authorities: Answer[] = [];
  if (reply.negativeTtl !== undefined) {
    const soa = {
      mname: 'ns.invalid',
      rname: 'hostmaster.invalid',
      serial: 1,
      refresh: 3600,
      retry: 600,
      expire: 86400,
    };
    authorities.push({ type: 'SOA', name: '.', ttl: reply.negativeTtl, data: { ...soa, minimum: reply.negativeTtl } });
  }
  const flags =
    AUTHORITATIVE_ANSWER |
    RECURSION_AVAILABLE |
    (reply.authenticated ? AUTHENTIC_DATA : 0) |
    (reply.flags ?? 0) |
    (reply.rcode & 0xf);
  return encode({
    type: 'response',
    id: reply.id,
    flags,
    questions: [{ type: reply.question.type, name: wireName(reply.question.name), class: 'IN' }],
    answers,
    authorities,
  });
}

const wireName = (name: string): string => (name === '' ? '.' : name);

type Writer<T extends RecordType> = (name: string, ttl: number, data: RecordData[T]) => Answer;

const writers: { readonly [T in RecordType]: Writer<T> } = {
  A: (name, ttl, data) => ({ type: 'A', name, ttl, data }),
  AAAA: (name, ttl, data) => ({ type: 'AAAA', name, ttl, data }),
  CNAME: (name, ttl, data) => ({ type: 'CNAME', name, ttl, data: wireName(data) }),
  NS: (name, ttl, data) => ({ type: 'NS', name, ttl, data: wireName(data) }),
  PTR: (name, ttl, data) => ({ type: 'PTR', name, ttl, data: wireName(data) }),
  MX: (name, ttl, { preference, exchange }) => ({
    type: 'MX',
    name,
    ttl,
    data: { preference, exchange: wireName(exchange) },
  }),
  TXT: (name, ttl, data) => ({ type: 'TXT', name, ttl, data: data.flatMap(characterStrings) }),
  SOA: (name, ttl, data) => ({ type: 'SOA', name, ttl, data: { ...data } }),
  TLSA: (name, ttl, { usage, selector, matchingType, certificate }) => ({
    type: 'TLSA',
    name,
    ttl,
    data: { usage, selector, matchingType, certificate: Buffer.from(certificate) },
  }),
  CAA(name, ttl, { critical, tag, value }) {
    const known = tag === 'issue' || tag === 'issuewild' ? tag : 'iodef';
    return { type: 'CAA', name, ttl, data: { issuerCritical: critical, tag: known, value } };
  },
};

/** A character-string holds 255 octets at most (RFC 1035 §3.3): longer text becomes several. */
function characterStrings(text: string): Buffer[] {
  const octets = Buffer.from(text, 'latin1');
  const parts: Buffer[] = [octets.subarray(0, 255)];
  for (let at = 255; at < octets.length; at += 255) parts.push(octets.subarray(at, at + 255));
  return parts;
}
