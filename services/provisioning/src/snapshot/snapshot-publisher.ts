/**
 * Compiles the snapshot of what is in effect and writes it over the one it read, so that of two leaders one gives way. Equal content is not published
 * again; versions only grow, also when the database or the bucket was replaced.
 */
import { hostname } from 'node:os';
import type { Clock } from '@postern/clock';
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import type { Bucket } from '@postern/stream';
import type { Logger } from '@postern/telemetry';
import { operatorScope, type WithTenant } from '../database/tenant-scope.js';
import type { ProvisioningEvent } from '../events.js';
import type { ProvisioningMetrics } from '../metrics.js';
import type { KeptReading } from '../operator/kept-document.js';
import { compileSnapshot, sameContent } from './compile.js';
import { readSnapshotRows } from './rows.js';

export const snapshotKey = 'snapshot';

export interface SnapshotPublisherParts {
  readonly withTenant: WithTenant;
  readonly config: Bucket;
  /** Those there are. */
  readonly egressPools: readonly string[];
  readonly clock: Clock;
  readonly log: Logger<ProvisioningEvent>;
  readonly metrics: ProvisioningMetrics;
}

export class SnapshotPublisher {
  readonly #parts: SnapshotPublisherParts;
  #published = 0;

  constructor(parts: SnapshotPublisherParts) {
    this.#parts = parts;
  }

  /** Version published last by this pod; 0 = none. */
  get published(): number {
    return this.#published;
  }

  async publish({ document, files }: KeptReading): Promise<void> {
    const { withTenant, config, egressPools, clock, log, metrics } = this.#parts;
    for (;;) {
      const entry = await config.get(snapshotKey);
      const before = entry?.value === undefined ? undefined : Snapshot.decode(entry.value);
      const content = compileSnapshot(
        document,
        document.hostname ?? hostname(),
        await readSnapshotRows(withTenant),
        files,
        egressPools,
      );
      if (before !== undefined && sameContent(before, content)) {
        this.#setPublished(before.version);
        return;
      }
      const rows = await withTenant(operatorScope, (tx) =>
        tx.rows<{ version: string }>(
          'UPDATE snapshot_version SET version = greatest(version, $1) + 1 RETURNING version',
          [before?.version ?? 0],
        ),
      );
      const version = Number(rows[0]?.version);
      const bytes = Snapshot.encode({ ...content, version, publishedAtMs: clock.now() }).finish();
      if ((await config.putOver(snapshotKey, bytes, entry?.revision ?? 0)) === undefined) {
        log.warn('provisioning.snapshot.conflicted', { version });
        continue;
      }
      metrics.published.with({ kind: 'snapshot' }).inc();
      log.info('provisioning.snapshot.published', { version, bytes: bytes.length });
      this.#setPublished(version);
      return;
    }
  }

  #setPublished(version: number): void {
    this.#published = version;
    this.#parts.metrics.snapshotVersion.set(version);
  }
}
