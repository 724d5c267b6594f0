/**
 * A resolver made of plain data, for tests of everything that asks DNS. Remembers what it was asked.
 * A name that owns records, or lies above one that does, exists: asking it for an absent type is NODATA; any
 * other name is NXDOMAIN. `*.name` answers for names below that do not exist (RFC 4592). No cache, no waiting.
 */
import { type Clock, FakeClock } from '@postern/clock';
import { normaliseName } from '../names.js';
import { type DnsRecord, type RecordData, type RecordType, recordTypes } from '../records.js';
import { BaseResolver, type QueryOptions } from '../resolver.js';
import type { DnsFailure, DnsResult } from '../result.js';

export type FailureMark = 'timeout' | 'servfail' | 'refused' | 'unreachable';

export interface ZoneNode {
  readonly ttl?: number;
  /** The AD bit of the answers. */
  readonly authenticated?: boolean;
  readonly A?: readonly string[] | FailureMark;
  readonly AAAA?: readonly string[] | FailureMark;
  readonly CAA?: readonly RecordData['CAA'][] | FailureMark;
  readonly CNAME?: string | FailureMark;
  /** `[10, 'mx.example']`; a null MX is `[0, '']`. */
  readonly MX?: readonly (readonly [preference: number, exchange: string])[] | FailureMark;
  readonly NS?: readonly string[] | FailureMark;
  readonly PTR?: readonly string[] | FailureMark;
  readonly SOA?: readonly RecordData['SOA'][] | FailureMark;
  readonly TLSA?: readonly RecordData['TLSA'][] | FailureMark;
  /** A record is one string, or several character-strings. */
  readonly TXT?: readonly (string | readonly string[])[] | FailureMark;
}

export type ZoneData = Readonly<Record<string, ZoneNode | FailureMark>>;

export interface ZoneAlias {
  readonly name: string;
  readonly target: string;
  readonly ttl: number;
}

export interface ZoneReply<T extends RecordType> {
  readonly aliases: readonly ZoneAlias[];
  readonly result: DnsResult<T>;
}

export interface Call {
  readonly name: string;
  readonly type: RecordType;
}

const DEFAULT_TTL = 300;
const MAX_ALIASES = 8;
const marks: readonly string[] = ['timeout', 'servfail', 'refused', 'unreachable'];

export class Zone extends BaseResolver {
  readonly calls: Call[] = [];
  readonly #nodes = new Map<string, ZoneNode | FailureMark>();
  /** Names that exist, those above the given ones included (empty non-terminals, RFC 4592 §2.2.2). */
  readonly #existing = new Set<string>();

  constructor(data: ZoneData, clock: Clock = new FakeClock()) {
    super(clock);
    for (const [name, node] of Object.entries(data)) this.set(name, node);
  }

  /** Adds or replaces what a name owns; `undefined` takes it away. */
  set(name: string, node: ZoneNode | FailureMark | undefined): void {
    const plain = nameOf(name);
    if (node === undefined) this.#nodes.delete(plain);
    else this.#nodes.set(plain, node);
    this.#existing.clear();
    for (const owner of this.#nodes.keys()) {
      for (let at = 0; at !== -1; at = owner.indexOf('.', at + 1))
        this.#existing.add(owner.slice(at === 0 ? 0 : at + 1));
    }
  }

  query<T extends RecordType>(name: string, type: T, options?: QueryOptions): Promise<DnsResult<T>> {
    const plain = normaliseName(name);
    if (plain === undefined) return Promise.resolve<DnsFailure>({ kind: 'invalid' });
    this.calls.push({ name: plain, type });
    if (options?.signal?.aborted) return Promise.resolve<DnsFailure>({ kind: 'aborted' });
    return Promise.resolve(this.lookup(plain, type).result);
  }

  /** The questions asked so far for one type, or all, as names. */
  asked(type?: RecordType): string[] {
    return this.calls.filter((call) => type === undefined || call.type === type).map((call) => call.name);
  }

  lookup<T extends RecordType>(name: string, type: T): ZoneReply<T> {
    const aliases: ZoneAlias[] = [];
    let owner = name;
    let ttl = Number.POSITIVE_INFINITY;
    let authenticated = true;
    for (;;) {
      const node = this.#find(owner);
      if (node === undefined) {
        const kind = this.#existing.has(owner) ? 'nodata' : 'nxdomain';
        const negativeTtl = Math.min(ttl, DEFAULT_TTL);
        return { aliases, result: { kind, ttl: negativeTtl, authenticated: false, stale: false } };
      }
      if (typeof node === 'string') return { aliases, result: failure(node) };
      authenticated &&= node.authenticated ?? false;
      ttl = Math.min(ttl, node.ttl ?? DEFAULT_TTL);
      const found = dataOf(node, type);
      if (typeof found === 'string') return { aliases, result: failure(found) };
      if (found !== undefined && found.length > 0) {
        const records = found.map((data): DnsRecord<T> => ({ name: owner, ttl: node.ttl ?? DEFAULT_TTL, data }));
        return { aliases, result: { kind: 'answer', type, name: owner, records, ttl, authenticated, stale: false } };
      }
      const alias = dataOf(node, 'CNAME');
      if (typeof alias === 'string') return { aliases, result: failure(alias) };
      const target = alias?.[0];
      if (target === undefined) {
        return { aliases, result: { kind: 'nodata', ttl, authenticated, stale: false } };
      }
      if (aliases.length === MAX_ALIASES) {
        return { aliases, result: { kind: 'servfail', reason: 'alias chain too long' } };
      }
      aliases.push({ name: owner, target, ttl: node.ttl ?? DEFAULT_TTL });
      owner = target;
    }
  }

  #find(name: string): ZoneNode | FailureMark | undefined {
    const node = this.#nodes.get(name);
    if (node !== undefined || this.#existing.has(name)) return node;
    for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) {
      const parent = name.slice(dot + 1);
      const wildcard = this.#nodes.get(`*.${parent}`);
      if (wildcard !== undefined) return wildcard;
      if (this.#existing.has(parent)) return undefined;
    }
    return undefined;
  }
}

export function createZone(data: ZoneData = {}, clock?: Clock): Zone {
  return new Zone(data, clock);
}

function failure(mark: FailureMark): DnsFailure {
  return mark === 'servfail' || mark === 'unreachable' ? { kind: mark, reason: 'by the test zone' } : { kind: mark };
}

function nameOf(name: string): string {
  const plain = normaliseName(name === '' ? '.' : name);
  if (plain === undefined) throw new RangeError(`the test zone holds an impossible name: ${JSON.stringify(name)}`);
  return plain;
}

type Found<T extends RecordType> = readonly RecordData[T][] | FailureMark | undefined;

const isMark = (value: unknown): value is FailureMark => typeof value === 'string' && marks.includes(value);

const names = (value: readonly string[] | FailureMark | undefined): Found<'NS'> =>
  value === undefined || isMark(value) ? value : value.map(nameOf);

const data: { readonly [T in RecordType]: (node: ZoneNode) => Found<T> } = {
  A: (node) => node.A,
  AAAA: (node) => node.AAAA,
  CAA: (node) => node.CAA,
  CNAME: ({ CNAME }) => (CNAME === undefined || isMark(CNAME) ? CNAME : [nameOf(CNAME)]),
  MX: ({ MX }) =>
    MX === undefined || isMark(MX)
      ? MX
      : MX.map(([preference, exchange]) => ({ preference, exchange: nameOf(exchange) })),
  NS: ({ NS }) => names(NS),
  PTR: ({ PTR }) => names(PTR),
  SOA: (node) => node.SOA,
  TLSA: (node) => node.TLSA,
  TXT: ({ TXT }) =>
    TXT === undefined || isMark(TXT) ? TXT : TXT.map((text) => (typeof text === 'string' ? [text] : text)),
};

function dataOf<T extends RecordType>(node: ZoneNode, type: T): Found<T> {
  const read: (node: ZoneNode) => Found<T> = data[type];
  return read(node);
}

export function isRecordType(type: string): type is RecordType {
  return recordTypes.some((known) => known === type);
}
