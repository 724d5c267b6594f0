/**
 * The configuration in use: watches CONFIG key `snapshot` and gives each newer snapshot once, whole. One that cannot be read, or that needs a newer
 * reader, is refused and the old one stays (design.md, Configuration). Until the first one a pod is not ready.
 */
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import type { Bucket } from './key-value.js';

/** What this code can read. Raised when the meaning of a field changes. */
export const snapshotReaderVersion = 1;

export const snapshotKey = 'snapshot';

export interface SnapshotWatchOptions {
  /** Called with every accepted snapshot; throwing refuses it. */
  readonly onSnapshot: (snapshot: Snapshot) => void;
  readonly onRefused: (reason: string) => void;
}

export interface SnapshotWatch {
  /** Version in use; 0 = none yet. */
  version(): number;
  stop(): void;
}

export function watchSnapshot(bucket: Bucket, options: SnapshotWatchOptions): SnapshotWatch {
  let version = 0;
  const take = (value: Uint8Array): void => {
    const snapshot = Snapshot.decode(value);
    if (snapshot.version <= version) return;
    if (snapshot.readerVersion > snapshotReaderVersion) {
      options.onRefused(
        `version ${snapshot.version} needs reader ${snapshot.readerVersion}, this is ${snapshotReaderVersion}`,
      );
      return;
    }
    options.onSnapshot(snapshot);
    version = snapshot.version;
  };
  const watch = bucket.watch(
    ({ value }) => {
      if (value === undefined) return;
      try {
        take(value);
      } catch (error) {
        options.onRefused(error instanceof Error ? error.message : String(error));
      }
    },
    { key: snapshotKey, onError: (error) => options.onRefused(`watch: ${error.message}`) },
  );
  return { version: () => version, stop: () => watch.stop() };
}
