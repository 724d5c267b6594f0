/**
 * KV buckets: get, put and a watch that survives reconnects. Values are bytes; parsing is the caller's.
 * A watch first gives every current entry (unless `updatesOnly`), then `ready` is called once, then every change.
 */
import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import { type KV, Kvm, KvWatchInclude } from '@nats-io/kv';
import type { Clock } from '@postern/clock';
import type { StreamConnection } from './connection.js';
import type { BucketName } from './streams.js';

export interface BucketEntry {
  readonly key: string;
  /** Absent = deleted. */
  readonly value: Uint8Array | undefined;
  readonly revision: number;
}

export interface WatchOptions {
  /** Key or pattern with `>`; default everything. */
  readonly key?: string;
  /** Skip current entries. */
  readonly updatesOnly?: boolean;
  /** Called after the current entries were given. */
  readonly onReady?: () => void;
  /** Called when the watch broke; it is opened again, giving current entries again. */
  readonly onError?: (error: Error) => void;
}

export interface Bucket {
  get(key: string): Promise<BucketEntry | undefined>;
  put(key: string, value: Uint8Array): Promise<number>;
  /** Writes only over that revision (0 = over nothing); undefined = another one is there. */
  putOver(key: string, value: Uint8Array, revision: number): Promise<number | undefined>;
  delete(key: string): Promise<void>;
  watch(onEntry: (entry: BucketEntry) => void, options?: WatchOptions): { stop(): void };
}

const toEntry = (key: string, operation: string, value: Uint8Array, revision: number): BucketEntry => ({
  key,
  value: operation === 'PUT' ? value : undefined,
  revision,
});

export async function openBucket(connection: StreamConnection, clock: Clock, name: BucketName): Promise<Bucket> {
  const kv: KV = await new Kvm(connection.jetstream).open(name);
  return {
    async get(key) {
      const found = await kv.get(key);
      return found === null ? undefined : toEntry(found.key, found.operation, found.value, found.revision);
    },
    put: (key, value) => kv.put(key, value),
    putOver: async (key, value, revision) => {
      try {
        return await kv.put(key, value, { previousSeq: revision });
      } catch (error) {
        if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamWrongLastSequence)
          return undefined;
        throw error;
      }
    },
    delete: (key) => kv.delete(key),
    watch(onEntry, options = {}) {
      let stopped = false;
      let close: (() => void) | undefined;
      const stopSignal = new AbortController();
      const open = async (): Promise<void> => {
        const watcher = await kv.watch({
          ...(options.key === undefined ? {} : { key: options.key }),
          include: options.updatesOnly === true ? KvWatchInclude.UpdatesOnly : KvWatchInclude.LastValue,
        });
        close = () => watcher.stop();
        if (stopped) return watcher.stop();
        let ready = options.updatesOnly === true || (await kv.status()).values === 0;
        if (ready) options.onReady?.();
        for await (const entry of watcher) {
          onEntry(toEntry(entry.key, entry.operation, entry.value, entry.revision));
          if (!ready && entry.delta === 0) {
            ready = true;
            options.onReady?.();
          }
        }
      };
      void (async () => {
        while (!stopped) {
          try {
            await open();
          } catch (error) {
            options.onError?.(error instanceof Error ? error : new Error(String(error)));
          }
          if (!stopped) await clock.sleep(500, stopSignal.signal).catch(() => undefined);
        }
      })();
      return {
        stop: () => {
          stopped = true;
          stopSignal.abort();
          close?.();
        },
      };
    },
  };
}
