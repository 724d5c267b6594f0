/** The configuration snapshot this pod judges by: watched in NATS, made ready for use, swapped whole. One that cannot be taken leaves the one before. */
import type { Clock } from '@postern/clock';
import { type TermsObserver, termsCompilers } from '@postern/flow-control/session';
import type { Snapshot } from '@postern/proto/config/v1/snapshot';
import { openBucket, type SnapshotWatch, type StreamConnection, watchSnapshot } from '@postern/stream';
import type { Logger } from '@postern/telemetry';
import type { EdgeLogEvent } from '../events.js';
import type { EdgeMetrics } from '../metrics.js';
import { type CompiledSnapshot, compileSnapshot } from '../snapshot/compile.js';
import { readableSnapshot } from '../snapshot/readable-networks.js';

export interface SnapshotInUseOptions {
  readonly clock: Clock;
  readonly log: Logger<EdgeLogEvent>;
  readonly metrics: EdgeMetrics;
  readonly ruleObserver: TermsObserver;
  /** Another one is in use. */
  readonly onChanged: (snapshot: Snapshot) => void;
}

export class SnapshotInUse {
  /** Undefined until the first one came. */
  current: CompiledSnapshot | undefined;
  readonly #options: SnapshotInUseOptions;
  readonly #compilers = termsCompilers();
  /** What it was made of. */
  #readable: Snapshot | undefined;

  constructor(options: SnapshotInUseOptions) {
    this.#options = options;
  }

  async watch(streams: StreamConnection): Promise<SnapshotWatch> {
    const { clock, log, metrics } = this.#options;
    return watchSnapshot(await openBucket(streams, clock, 'CONFIG'), {
      onSnapshot: (stored) => this.#take(stored),
      onRefused: (reason) => {
        metrics.snapshotRefused.inc();
        log.error('edge.snapshot.refused', { reason });
      },
    });
  }

  #take(stored: Snapshot): void {
    const { log, metrics, ruleObserver, onChanged } = this.#options;
    const { snapshot: next, refused } = readableSnapshot(stored, this.#readable);
    const compiled = compileSnapshot(next, this.#compilers, ruleObserver);
    this.current = compiled;
    this.#readable = next;
    for (const reason of refused) log.error('edge.networks.stale', { version: next.version, reason });
    onChanged(next);
    metrics.snapshotVersion.set(next.version);
    log.info('edge.snapshot.applied', { version: next.version });
    const { stale } = compiled.rules;
    if (stale !== undefined) log.error('edge.rules.stale', { version: next.version, reason: stale });
  }
}
