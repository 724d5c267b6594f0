/**
 * The leader's work: applies the operator file, then turns outbox rows into what pods see: SECRETS first, then DIRECTORY, then the
 * snapshot, so that nothing refers to what is not there yet. A file that is refused leaves in effect what was.
 */
import type { Clock } from '@postern/clock';
import { ConfigError } from '@postern/config';
import { DirectoryEpoch } from '@postern/proto/directory/v1/recipient';
import { type Bucket, directoryEpochKey } from '@postern/stream';
import type { Logger } from '@postern/telemetry';
import type { WithTenant } from '../database/tenant-scope.js';
import type { ProvisioningEvent } from '../events.js';
import type { ProvisioningMetrics } from '../metrics.js';
import { applyOperatorDocument } from '../operator/apply.js';
import type { ApplyContext } from '../operator/apply-context.js';
import type { KeptDocument, KeptReading, OperatorReading } from '../operator/kept-document.js';
import { readListenerFiles } from '../operator/listener-problems.js';
import type { RefusalNote } from '../operator/refusal.js';
import { RefusedDocument } from '../operator/refused-document.js';
import type { OperatorSource } from '../operator/source.js';
import type { Sealer } from '../secrets/seal.js';
import type { Lease } from './leadership.js';
import { putOperatorSecrets } from './operator-secrets.js';
import { OutboxDrain } from './outbox-drain.js';
import { SnapshotPublisher } from './snapshot-publisher.js';
import { takeOver } from './take-over.js';

export interface ProjectorParts {
  readonly withTenant: WithTenant;
  readonly config: Bucket;
  /** Those there are. */
  readonly egressPools: readonly string[];
  readonly directory: Bucket;
  readonly secrets: Bucket;
  readonly operator: OperatorSource;
  readonly apply: ApplyContext;
  readonly refusal: RefusalNote;
  readonly kept: KeptDocument;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly log: Logger<ProvisioningEvent>;
  readonly metrics: ProvisioningMetrics;
  /** The operator file could not be applied for the first time and none was before: the start fails with it. */
  readonly onFirstRefusal: (error: ConfigError) => void;
  /** Everything that was pending at the beginning is published. */
  readonly onSettled: () => void;
}

const pollMs = 1_000;
const epochMs = 10_000;
const retryMs = 500;

export class Projector {
  readonly #parts: ProjectorParts;
  #inEffect: KeptReading | undefined;
  #candidate: OperatorReading | undefined;
  readonly #refused: RefusedDocument;
  /** What is in effect was applied by this pod. */
  #isApplied = false;
  #wake: () => void = () => undefined;
  #epoch = { sequence: 0, writtenAt: Number.NEGATIVE_INFINITY };
  readonly #publisher: SnapshotPublisher;
  readonly #outbox: OutboxDrain;

  constructor(parts: ProjectorParts) {
    this.#parts = parts;
    this.#refused = new RefusedDocument(parts.clock);
    this.#publisher = new SnapshotPublisher(parts);
    this.#outbox = new OutboxDrain({
      ...parts,
      onPending: () => this.#refused.changed(),
      publish: async () => {
        if (this.#inEffect !== undefined) await this.#publisher.publish(this.#inEffect);
      },
    });
    this.#inEffect = parts.operator.fallback;
    if (this.#inEffect === undefined) this.#candidate = parts.operator.reading();
  }

  /** Version published last by this pod; 0 = none. */
  get published(): number {
    return this.#publisher.published;
  }

  /** Looks again at the operator file. */
  operatorChanged(): void {
    this.#refused.forget();
    this.#candidate = this.#parts.operator.reading();
    this.#wake();
  }

  /** The newest file does not parse: one before it that was refused is no longer what is wanted. */
  operatorUnreadable(): void {
    this.#refused.forget();
  }

  /** Works until the lease is lost. */
  async lead(lease: Lease): Promise<void> {
    const { clock, log, metrics } = this.#parts;
    log.info('provisioning.leadership.gained');
    metrics.leading.set(1);
    let settled = false;
    let changed = true;
    lease.onChange(() => this.#wake());
    try {
      // Another pod may have led meanwhile. What is only fallen back on was applied before, and its files may be gone.
      if (this.#isApplied) this.#candidate ??= this.#refused.reading ?? this.#inEffect;
      let isTakenOver = false;
      while (!lease.lost.aborted) {
        try {
          if (!isTakenOver) isTakenOver = await takeOver(this.#parts);
          this.#candidate ??= this.#refused.due();
          changed = (await this.#applyCandidate(settled)) || changed;
          const newest = await this.#outbox.drain(lease.lost, changed);
          if (newest !== undefined) await this.#confirmEpoch(newest);
          changed = false;
          if (!settled) this.#parts.onSettled();
          settled = true;
          await this.#sleep(pollMs, lease.lost);
        } catch (error) {
          metrics.published.with({ kind: 'failed' }).inc();
          log.warn('provisioning.outbox.failed', { error });
          await clock.sleep(retryMs, lease.lost).catch(() => undefined);
        }
      }
    } finally {
      metrics.leading.set(0);
      log.info('provisioning.leadership.lost');
    }
  }

  #sleep(ms: number, lost: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        lost.removeEventListener('abort', done);
        this.#wake = () => undefined;
        resolve();
      };
      const timer = this.#parts.clock.setTimer(ms, done);
      lost.addEventListener('abort', done, { once: true });
      this.#wake = done;
      if (lost.aborted) done();
    });
  }

  /** True when another document is in effect now. */
  async #applyCandidate(settled: boolean): Promise<boolean> {
    const { operator, apply, secrets, sealer, kept, refusal, log, metrics } = this.#parts;
    const candidate = this.#candidate;
    if (candidate === undefined) return false;
    this.#candidate = undefined;
    try {
      const files = readListenerFiles(candidate.document);
      const { restored, notes } = await applyOperatorDocument(candidate.document, apply);
      await putOperatorSecrets(candidate.document, secrets, sealer);
      await kept.keep({ ...candidate, files });
      await refusal.applied(undefined);
      this.#inEffect = { ...candidate, files };
      this.#isApplied = true;
      this.#refused.forget();
      // One that was refused before is not what the source says now; a newer one may be.
      if (this.#candidate === undefined) operator.use(candidate);
      metrics.operatorFile.set(1);
      log.info('provisioning.operator_file.applied', { file: operator.name });
      if (notes.length > 0) log.warn('provisioning.operator_file.noted', { file: operator.name, notes });
      for (const { name, domains, users, aliases, routes } of restored) {
        const parts = { domains: domains.length, users: users.length, aliases: aliases.length, routes: routes.length };
        log.warn('provisioning.operator_file.restored', { tenant: name, ...parts });
      }
      return true;
    } catch (error) {
      if (!(error instanceof ConfigError)) {
        this.#candidate ??= candidate;
        throw error;
      }
      metrics.operatorFile.set(0);
      if (this.#refused.refuse(candidate, error.message)) {
        log.error('provisioning.operator_file.refused', { file: operator.name, error: error.message });
        // Not kept, it is in the log alone.
        await refusal
          .applied(error)
          .catch((failure: unknown) => log.warn('provisioning.outbox.failed', { error: failure }));
      }
      const before = this.#inEffect;
      this.#inEffect ??= await kept.read().catch((failure: unknown) => {
        this.#candidate ??= candidate;
        throw failure;
      });
      if (this.#inEffect === undefined) {
        if (!settled) this.#parts.onFirstRefusal(error);
        throw error;
      }
      if (this.#candidate === undefined) operator.use(this.#inEffect);
      if (before === undefined) log.warn('provisioning.operator_file.kept', { file: operator.name });
      return before === undefined;
    }
  }

  async #confirmEpoch(sequence: number): Promise<void> {
    const { directory, clock } = this.#parts;
    const now = clock.monotonic();
    if (sequence === this.#epoch.sequence && now - this.#epoch.writtenAt < epochMs) return;
    const written = this.#epoch.writtenAt !== Number.NEGATIVE_INFINITY;
    // The bucket was replaced under us: what it held goes through the outbox again.
    if (written && (await directory.get(directoryEpochKey))?.value === undefined) {
      this.#epoch = { sequence: 0, writtenAt: Number.NEGATIVE_INFINITY };
      await takeOver(this.#parts);
      return;
    }
    const epoch = DirectoryEpoch.encode({ sequence, confirmedAtMs: clock.now() }).finish();
    await directory.put(directoryEpochKey, epoch);
    this.#epoch = { sequence, writtenAt: now };
  }
}
