/**
 * Results by question, bounded in bytes, the least recently used going first. Holds positive, negative and
 * failed results alike, each until its own expiry; expired ones stay for the stale time if there is one
 * (RFC 8767). Time is given by the caller; no timers.
 */
import type { DnsAnswer, DnsNegative, DnsTrouble } from './result.js';

export type CachedResult = DnsAnswer | DnsNegative | DnsTrouble;

export interface CacheEntry<R extends CachedResult = CachedResult> {
  readonly result: R;
  readonly expiresAt: number;
  readonly staleUntil: number;
  readonly bytes: number;
  /** While a refresh has just failed, the stale answer is given at once until this moment (RFC 8767 §5). */
  retryAt: number;
}

/** What one entry costs beyond its strings: map slot, objects, numbers. A measured guess, on the large side. */
const ENTRY_OVERHEAD = 320;
const RECORD_OVERHEAD = 120;

export class DnsCache {
  readonly #entries = new Map<string, CacheEntry>();
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string, now: number): CacheEntry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (entry.staleUntil <= now) {
      this.#bytes -= entry.bytes;
      return undefined;
    }
    this.#entries.set(key, entry);
    return entry;
  }

  set(key: string, result: CachedResult, expiresAt: number, staleUntil: number): void {
    this.delete(key);
    const bytes = sizeOf(key, result);
    if (bytes > this.#maxBytes) return;
    this.#entries.set(key, { result, expiresAt, staleUntil, bytes, retryAt: 0 });
    this.#bytes += bytes;
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#entries.delete(oldest);
      this.#bytes -= entry.bytes;
    }
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }
}

function sizeOf(key: string, result: CachedResult): number {
  let bytes = ENTRY_OVERHEAD + key.length;
  if (result.kind !== 'answer') return bytes;
  for (const { name, data } of result.records) {
    bytes += RECORD_OVERHEAD + name.length;
    if (typeof data === 'string') bytes += data.length;
    else if ('certificate' in data) bytes += data.certificate.length + 64;
    else if ('exchange' in data) bytes += data.exchange.length;
    else if ('mname' in data) bytes += data.mname.length + data.rname.length + 64;
    else if ('tag' in data) bytes += data.tag.length + data.value.length;
    else for (const part of data) bytes += part.length + 24;
  }
  return bytes;
}
