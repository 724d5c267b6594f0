/**
 * The DNS tree walk: which DMARC records stand at a domain and above it, and what its Organizational Domain is.
 * At most eight questions a domain, those above the domain itself asked together. RFC 9989 §4.10.
 */
import { isTemporary, type Resolver } from '@postern/dns';
import { type DmarcRecord, parseDmarcRecord } from './record.js';

const MAX_LABELS = 8;

export interface FoundRecord {
  readonly domain: string;
  readonly record: DmarcRecord;
}

export type RecordLookup =
  | { readonly kind: 'record'; readonly record: DmarcRecord }
  | { readonly kind: 'absent' }
  | { readonly kind: 'trouble'; readonly reason: string };

export type Walk =
  | { readonly kind: 'walk'; readonly organizationalDomain: string; readonly records: readonly FoundRecord[] }
  | { readonly kind: 'trouble'; readonly reason: string };

/** One evaluation's view of DNS: each name is asked once. */
export class TreeWalker {
  readonly #resolver: Resolver;
  readonly #lookups = new Map<string, Promise<RecordLookup>>();

  constructor(resolver: Resolver) {
    this.#resolver = resolver;
  }

  recordAt(domain: string): Promise<RecordLookup> {
    let lookup = this.#lookups.get(domain);
    if (lookup === undefined) {
      lookup = this.#ask(domain);
      this.#lookups.set(domain, lookup);
    }
    return lookup;
  }

  async walk(domain: string): Promise<Walk> {
    const names = walkedNames(domain);
    const first = await this.recordAt(domain);
    if (first.kind === 'trouble') return first;
    const stops = first.kind === 'record' && first.record.publicSuffix !== 'u';
    const lookups = stops
      ? [first]
      : [first, ...(await Promise.all(names.slice(1).map((name) => this.recordAt(name))))];
    const records: FoundRecord[] = [];
    for (const [index, lookup] of lookups.entries()) {
      if (lookup.kind === 'trouble') return lookup;
      if (lookup.kind === 'absent') continue;
      const found = { domain: names[index] ?? domain, record: lookup.record };
      records.push(found);
      if (lookup.record.publicSuffix !== 'u') break;
    }
    return { kind: 'walk', organizationalDomain: organizationalDomain(domain, records), records };
  }

  async #ask(domain: string): Promise<RecordLookup> {
    const found = await this.#resolver.txt(`_dmarc.${domain}`);
    if (isTemporary(found)) return { kind: 'trouble', reason: `${found.kind} for _dmarc.${domain}` };
    if (found.kind !== 'answer') return { kind: 'absent' };
    const candidates = found.values.filter((text) => /^v[ \t]*=[ \t]*DMARC1/.test(text));
    // RFC 9989 §4.10: several records at one name are as good as none.
    const record = candidates.length === 1 ? parseDmarcRecord(candidates[0] ?? '') : undefined;
    return record === undefined ? { kind: 'absent' } : { kind: 'record', record };
  }
}

/** The domain, then its parents; a name of eight labels and more is cut to seven after the first question. */
function walkedNames(domain: string): string[] {
  const labels = domain.split('.');
  const names = [domain];
  const first = labels.length >= MAX_LABELS ? labels.length - MAX_LABELS + 1 : 1;
  for (let i = first; i < labels.length; i++) names.push(labels.slice(i).join('.'));
  return names;
}

/** RFC 9989 §4.10.2, records from the longest name to the shortest. */
function organizationalDomain(start: string, records: readonly FoundRecord[]): string {
  for (const { domain, record } of records) {
    if (record.publicSuffix === 'n') return domain;
    if (record.publicSuffix === 'y' && domain !== start) return oneLabelBelow(start, domain);
  }
  return records.at(-1)?.domain ?? start;
}

function oneLabelBelow(start: string, suffix: string): string {
  const above = start.slice(0, start.length - suffix.length - 1);
  return `${above.slice(above.lastIndexOf('.') + 1)}.${suffix}`;
}
