/**
 * The record types this client asks for and the shape of their data.
 * Text is kept byte for byte: a TXT string holds one character per octet (latin1), because SPF and DKIM
 * judge octets, not characters. Names are lower case without the trailing dot; the root is the empty string.
 * RFC 1035 §3.3, RFC 3596, RFC 6698, RFC 8659.
 */
export interface RecordData {
  A: string;
  AAAA: string;
  CAA: { readonly critical: boolean; readonly tag: string; readonly value: string };
  CNAME: string;
  MX: { readonly preference: number; readonly exchange: string };
  NS: string;
  PTR: string;
  SOA: {
    readonly mname: string;
    readonly rname: string;
    readonly serial: number;
    readonly refresh: number;
    readonly retry: number;
    readonly expire: number;
    readonly minimum: number;
  };
  TLSA: {
    readonly usage: number;
    readonly selector: number;
    readonly matchingType: number;
    readonly certificate: Uint8Array;
  };
  /** The character-strings of one record, in order. Joined without a space by `txt()`. */
  TXT: readonly string[];
}

export type RecordType = keyof RecordData;

export interface DnsRecord<T extends RecordType = RecordType> {
  readonly name: string;
  /** Seconds, as sent by the server. */
  readonly ttl: number;
  readonly data: RecordData[T];
}

export const recordTypes: readonly RecordType[] = [
  'A',
  'AAAA',
  'CAA',
  'CNAME',
  'MX',
  'NS',
  'PTR',
  'SOA',
  'TLSA',
  'TXT',
];
