/**
 * DIRECTORY behind a bounded cache, absent addresses included. A watch of changes takes entries out; when it breaks or opens again the whole
 * cache goes, because changes may have passed unseen, and nothing is kept while it is not open. An entry is also asked for again
 * after a minute: the stated bound should a change be lost on the way. Keys are hashes: a watched deletion names no address.
 */
import type { Clock } from '@postern/clock';
import { DirectoryEpoch, RecipientEntry } from '@postern/proto/directory/v1/recipient';
import { type Bucket, type BucketEntry, directoryEpochKey, directoryKey } from '@postern/stream';
import type { Directory, Lookup } from './directory.js';

export interface CachedDirectoryOptions {
  readonly clock: Clock;
  readonly maxEntries: number;
  readonly timeoutMs?: number;
  readonly maxAgeMs?: number;
  readonly onDropped: (entries: number) => void;
  readonly onFailed: (reason: string) => void;
  readonly onLookup: (from: 'cache' | 'bucket') => void;
}

export interface CachedDirectory extends Directory {
  readonly size: number;
  /** Forgets everything: the connection was lost. */
  drop(): void;
  stop(): void;
}

interface Kept {
  readonly lookup: Lookup;
  readonly until: number;
}

interface Pending {
  readonly lookup: Promise<Lookup>;
  /** A change passed while it was asked for: the answer may be older. */
  changed: boolean;
}

const absent: Lookup = { kind: 'absent' };
const defaultTimeoutMs = 1_000;
const defaultMaxAgeMs = 60_000;

class BucketDirectory implements CachedDirectory {
  readonly #kept = new Map<string, Kept>();
  readonly #pending = new Map<string, Pending>();
  readonly #watch: { stop(): void };
  #watching = false;
  #projected = false;

  constructor(
    readonly bucket: Bucket,
    readonly options: CachedDirectoryOptions,
  ) {
    this.#watch = bucket.watch((entry) => this.#changed(entry), {
      updatesOnly: true,
      onReady: () => this.#reset(true),
      onError: () => this.#reset(false),
    });
  }

  get size(): number {
    return this.#kept.size;
  }

  lookup(address: string): Lookup | Promise<Lookup> {
    const key = directoryKey(address);
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.until > this.options.clock.monotonic()) {
      this.options.onLookup('cache');
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      return guarded(kept.lookup, address);
    }
    return this.#fetch(key).then((lookup) => guarded(lookup, address));
  }

  drop(): void {
    this.#reset(this.#watching);
  }

  stop(): void {
    this.#watch.stop();
  }

  #fetch(key: string): Promise<Lookup> {
    const known = this.#pending.get(key);
    if (known !== undefined) return known.lookup;
    this.options.onLookup('bucket');
    const pending: Pending = { changed: false, lookup: this.#bounded(this.#read(key)) };
    this.#pending.set(key, pending);
    return pending.lookup.then((lookup) => {
      if (this.#pending.get(key) === pending) this.#pending.delete(key);
      if (lookup.kind === 'unavailable') this.options.onFailed(lookup.reason);
      else if (!pending.changed && this.#watching) this.#keep(key, lookup);
      return lookup;
    });
  }

  async #read(key: string): Promise<Lookup> {
    const [found, projected] = await Promise.all([this.bucket.get(key), this.#isProjected()]);
    if (!projected) return { kind: 'unavailable', reason: 'the directory was never written' };
    return found?.value === undefined ? absent : { kind: 'found', entry: RecipientEntry.decode(found.value) };
  }

  async #isProjected(): Promise<boolean> {
    if (this.#projected) return true;
    const epoch = await this.bucket.get(directoryEpochKey);
    if (epoch?.value === undefined) return false;
    DirectoryEpoch.decode(epoch.value);
    this.#projected = true;
    return true;
  }

  /** A failed or late read is an answer too. The read goes on alone; its error is this answer's reason or nobody's. */
  #bounded(read: Promise<Lookup>): Promise<Lookup> {
    const { clock, timeoutMs = defaultTimeoutMs } = this.options;
    return new Promise((resolve) => {
      const timer = clock.setTimer(timeoutMs, () => resolve({ kind: 'unavailable', reason: 'the directory is slow' }));
      const end = (lookup: Lookup): void => {
        timer.cancel();
        resolve(lookup);
      };
      read.then(end, (error: unknown) => {
        end({ kind: 'unavailable', reason: error instanceof Error ? error.message : 'the directory failed' });
      });
    });
  }

  #keep(key: string, lookup: Lookup): void {
    const { clock, maxEntries, maxAgeMs = defaultMaxAgeMs } = this.options;
    this.#kept.delete(key);
    this.#kept.set(key, { lookup, until: clock.monotonic() + maxAgeMs });
    if (this.#kept.size <= maxEntries) return;
    const oldest = this.#kept.keys().next();
    if (oldest.done !== true) this.#kept.delete(oldest.value);
  }

  #changed({ key }: BucketEntry): void {
    if (key === directoryEpochKey) {
      this.#projected = false;
      return;
    }
    this.#kept.delete(key);
    const pending = this.#pending.get(key);
    if (pending === undefined) return;
    pending.changed = true;
    // Who asks from now on must not get the answer of before.
    this.#pending.delete(key);
  }

  #reset(watching: boolean): void {
    const entries = this.#kept.size;
    this.#watching = watching;
    this.#projected = false;
    this.#kept.clear();
    for (const pending of this.#pending.values()) pending.changed = true;
    this.#pending.clear();
    this.options.onDropped(entries);
  }
}

/** The key is a hash cut to 128 bits: the entry repeats its address. */
function guarded(lookup: Lookup, address: string): Lookup {
  return lookup.kind === 'found' && lookup.entry.address !== address ? absent : lookup;
}

export function createCachedDirectory(bucket: Bucket, options: CachedDirectoryOptions): CachedDirectory {
  return new BucketDirectory(bucket, options);
}
