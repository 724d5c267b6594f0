/**
 * The leader's work: applies the operator file, then turns outbox rows into what pods see: SECRETS first, then DIRECTORY, then the
 * snapshot, so that nothing refers to what is not there yet. State is read after the row was seen and rows are deleted after the write,
 * so a kill anywhere repeats work and loses none. Versions only grow, also when the database or the bucket was replaced.
 */
import { hostname } from 'node:os';
import type { Clock } from '@postern/clock';
import { ConfigError } from '@postern/config';
import { failpoint } from '@postern/lifecycle';
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { DirectoryEpoch, RecipientEntry } from '@postern/proto/directory/v1/recipient';
import { type Bucket, directoryEpochKey, directoryKey } from '@postern/stream';
import type { Logger } from '@postern/telemetry';
import { operatorScope, type WithTenant } from '../database/tenant-scope.js';
import type { ProvisioningEvent } from '../events.js';
import type { ProvisioningMetrics } from '../metrics.js';
import { type ApplyContext, applyOperatorDocument } from '../operator/apply.js';
import type { KeptDocument, KeptReading, OperatorReading } from '../operator/kept-document.js';
import { readListenerFiles } from '../operator/listener-problems.js';
import { givenPassword } from '../operator/password-source.js';
import type { RefusalNote } from '../operator/refusal.js';
import { RefusedDocument } from '../operator/refused-document.js';
import type { OperatorDocument } from '../operator/schema.js';
import type { OperatorSource } from '../operator/source.js';
import { routeSecretKey, type Sealer } from '../secrets/seal.js';
import { compileSnapshot, operatorTenant, sameContent } from './compile.js';
import { recipientEntries } from './directory.js';
import type { Lease } from './leadership.js';
import { roleAddresses } from './outbox.js';
import { pipelined } from './pipelined.js';
import { readSnapshotRows } from './rows.js';
import { sealedSecret } from './sealed-secret.js';

export interface ProjectorParts {
  readonly withTenant: WithTenant;
  readonly config: Bucket;
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

interface OutboxRow {
  readonly id: string;
  readonly kind: 'snapshot' | 'recipient' | 'secret';
  readonly key: string;
  readonly waited: number;
}

export const snapshotKey = 'snapshot';
const batchRows = 2_000;
const outboxRows =
  'SELECT id, kind, key, extract(epoch FROM clock_timestamp() - created_at)::float8 AS waited FROM outbox';
const putsAtOnce = 256;
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
  #published = 0;

  constructor(parts: ProjectorParts) {
    this.#parts = parts;
    this.#refused = new RefusedDocument(parts.clock);
    this.#inEffect = parts.operator.fallback;
    if (this.#inEffect === undefined) this.#candidate = parts.operator.reading();
  }

  /** Version published last by this pod; 0 = none. */
  get published(): number {
    return this.#published;
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
      let takenOver = false;
      while (!lease.lost.aborted) {
        try {
          if (!takenOver) takenOver = await this.#takeOver();
          this.#candidate ??= this.#refused.due();
          changed = (await this.#applyCandidate(settled)) || changed;
          await this.#drain(lease.lost, changed);
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

  /** A database younger than the bucket continues its numbers; a bucket without projection gets all of it. */
  async #takeOver(): Promise<true> {
    const { withTenant, config, directory, log } = this.#parts;
    const entry = await config.get(snapshotKey);
    const stored = entry?.value === undefined ? 0 : Snapshot.decode(entry.value).version;
    const missing = (await directory.get(directoryEpochKey))?.value === undefined;
    await withTenant(operatorScope, async (tx) => {
      await tx.run('UPDATE snapshot_version SET version = greatest(version, $1)', [stored]);
      if (!missing) return;
      await tx.run(
        `INSERT INTO outbox (tenant, kind, key) SELECT tenant, 'recipient', address FROM users
         UNION ALL SELECT tenant, 'recipient', address FROM aliases`,
      );
      const domains = await tx.rows<{ name: string }>('SELECT name FROM domains');
      await tx.run("INSERT INTO outbox (tenant, kind, key) SELECT '*', 'recipient', unnest($1::text[])", [
        domains.flatMap((domain) => roleAddresses(domain.name)),
      ]);
      await tx.run(
        `INSERT INTO outbox (tenant, kind, key) SELECT r.tenant, 'secret', 'route.' || r.tenant || '.' || r.name || '.' || (h.at - 1)
         FROM routes r, jsonb_array_elements(r.hosts) WITH ORDINALITY AS h (host, at) WHERE h.host ? 'sealed'
         UNION ALL
         SELECT d.tenant, 'secret', 'dkim.' || d.tenant || '.' || d.name || '.' || (k.key ->> 'selector')
         FROM domains d, jsonb_array_elements(d.dkim_keys) AS k (key)`,
      );
    });
    if (missing) log.info('provisioning.directory.rebuilt');
    return true;
  }

  /** True when another document is in effect now. */
  async #applyCandidate(settled: boolean): Promise<boolean> {
    const { operator, apply, kept, refusal, log, metrics } = this.#parts;
    const candidate = this.#candidate;
    if (candidate === undefined) return false;
    this.#candidate = undefined;
    try {
      const files = readListenerFiles(candidate.document);
      const { restored } = await applyOperatorDocument(candidate.document, apply);
      await this.#putOperatorSecrets(candidate.document);
      await kept.keep({ ...candidate, files });
      await refusal.applied(undefined);
      this.#inEffect = { ...candidate, files };
      this.#isApplied = true;
      this.#refused.forget();
      // One that was refused before is not what the source says now; a newer one may be.
      if (this.#candidate === undefined) operator.use(candidate);
      metrics.operatorFile.set(1);
      log.info('provisioning.operator_file.applied', { file: operator.name });
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

  async #putOperatorSecrets(document: OperatorDocument): Promise<void> {
    const { secrets, sealer } = this.#parts;
    for (const [name, hop] of Object.entries(document.nextHops)) {
      for (const [index, host] of hop.hosts.entries()) {
        const plain = await givenPassword(host);
        if (plain === undefined) continue;
        const key = routeSecretKey(operatorTenant, name, index);
        const stored = (await secrets.get(key))?.value;
        if (stored !== undefined && sealer.open(operatorTenant, stored) === plain) continue;
        await secrets.put(key, sealer.seal(operatorTenant, plain));
      }
    }
  }

  /** Recipients and secrets up to the newest row, then the snapshot that may refer to them. */
  async #drain(lost: AbortSignal, always: boolean): Promise<void> {
    const { withTenant, metrics } = this.#parts;
    const head = await withTenant(operatorScope, async (tx) => ({
      rows: await tx.rows<OutboxRow>(`${outboxRows} WHERE kind = 'snapshot' ORDER BY id LIMIT ${batchRows}`),
      newest: (await tx.rows<{ last: string }>('SELECT last_value AS last FROM outbox_id_seq'))[0]?.last ?? '0',
      pending: (await tx.rows<{ count: string }>('SELECT count(*) AS count FROM outbox'))[0]?.count ?? '0',
    }));
    metrics.outboxPending.set(Number(head.pending));
    if (Number(head.pending) > 0) this.#refused.changed();
    for (;;) {
      if (lost.aborted) return;
      const rows = await withTenant(operatorScope, (tx) =>
        tx.rows<OutboxRow>(`${outboxRows} WHERE kind <> 'snapshot' AND id <= $1 ORDER BY id LIMIT ${batchRows}`, [
          head.newest,
        ]),
      );
      await this.#putSecrets(keysOf(rows, 'secret'));
      await this.#putRecipients(keysOf(rows, 'recipient'));
      failpoint('provisioning.after-directory');
      await this.#forget(rows);
      if (rows.length < batchRows) break;
    }
    failpoint('provisioning.before-snapshot');
    if (always || head.rows.length > 0) await this.#publishSnapshot();
    failpoint('provisioning.after-snapshot');
    await this.#forget(head.rows);
    metrics.outboxPending.set(0);
    await this.#confirmEpoch(Number(head.newest));
  }

  async #forget(rows: readonly OutboxRow[]): Promise<void> {
    if (rows.length === 0) return;
    const { withTenant, metrics } = this.#parts;
    await withTenant(operatorScope, (tx) =>
      tx.run('DELETE FROM outbox WHERE id = ANY ($1::bigint[])', [rows.map((row) => row.id)]),
    );
    for (const row of rows) metrics.publishDelay.observe(Math.max(0, row.waited));
  }

  async #putSecrets(keys: readonly string[]): Promise<void> {
    const { withTenant, secrets, metrics } = this.#parts;
    for (const key of keys) {
      const sealed = await withTenant(operatorScope, (tx) => sealedSecret(tx, key));
      if (sealed === undefined) await secrets.delete(key);
      else await secrets.put(key, Buffer.from(sealed, 'base64'));
      metrics.published.with({ kind: 'secret' }).inc();
    }
  }

  async #putRecipients(addresses: readonly string[]): Promise<void> {
    if (addresses.length === 0) return;
    const { withTenant, directory, metrics, log } = this.#parts;
    const entries = await withTenant(operatorScope, (tx) => recipientEntries(tx, addresses));
    await pipelined([...entries], putsAtOnce, async ([address, entry]) => {
      const key = directoryKey(address);
      if (entry === undefined) await directory.delete(key);
      else await directory.put(key, RecipientEntry.encode(entry).finish());
    });
    metrics.published.with({ kind: 'recipient' }).inc(entries.size);
    log.debug('provisioning.directory.published', { entries: entries.size });
  }

  async #publishSnapshot(): Promise<void> {
    const { withTenant, config, clock, log, metrics } = this.#parts;
    if (this.#inEffect === undefined) return;
    const { document, files } = this.#inEffect;
    for (;;) {
      const entry = await config.get(snapshotKey);
      const before = entry?.value === undefined ? undefined : Snapshot.decode(entry.value);
      const content = compileSnapshot(
        document,
        document.hostname ?? hostname(),
        await readSnapshotRows(withTenant),
        files,
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

  async #confirmEpoch(sequence: number): Promise<void> {
    const { directory, clock } = this.#parts;
    const now = clock.monotonic();
    if (sequence === this.#epoch.sequence && now - this.#epoch.writtenAt < epochMs) return;
    const written = this.#epoch.writtenAt !== Number.NEGATIVE_INFINITY;
    // The bucket was replaced under us: what it held goes through the outbox again.
    if (written && (await directory.get(directoryEpochKey))?.value === undefined) {
      this.#epoch = { sequence: 0, writtenAt: Number.NEGATIVE_INFINITY };
      await this.#takeOver();
      return;
    }
    const epoch = DirectoryEpoch.encode({ sequence, confirmedAtMs: clock.now() }).finish();
    await directory.put(directoryEpochKey, epoch);
    this.#epoch = { sequence, writtenAt: now };
  }
}

function keysOf(rows: readonly OutboxRow[], kind: OutboxRow['kind']): string[] {
  return [...new Set(rows.filter((row) => row.kind === kind).map((row) => row.key))];
}
