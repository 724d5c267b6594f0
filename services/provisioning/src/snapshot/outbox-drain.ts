/**
 * Turns outbox rows into what pods see: secrets and recipients up to the newest row, then the snapshot that may refer to them. State is read after the
 * row was seen and rows are deleted after the write, so a kill anywhere repeats work and loses none.
 */
import { failpoint } from '@postern/lifecycle';
import { RecipientEntry } from '@postern/proto/directory/v1/recipient';
import { type Bucket, directoryKey } from '@postern/stream';
import type { Logger } from '@postern/telemetry';
import { operatorScope, type WithTenant } from '../database/tenant-scope.js';
import type { ProvisioningEvent } from '../events.js';
import type { ProvisioningMetrics } from '../metrics.js';
import { recipientEntries } from './directory.js';
import { pipelined } from './pipelined.js';
import { sealedSecret } from './sealed-secret.js';

export interface OutboxDrainParts {
  readonly withTenant: WithTenant;
  readonly directory: Bucket;
  readonly secrets: Bucket;
  readonly log: Logger<ProvisioningEvent>;
  readonly metrics: ProvisioningMetrics;
  /** Something waited in the outbox. */
  readonly onPending: () => void;
  readonly publish: () => Promise<void>;
}

interface OutboxRow {
  readonly id: string;
  readonly kind: 'snapshot' | 'recipient' | 'secret';
  readonly key: string;
  readonly waited: number;
}

const batchRows = 2_000;
const outboxRows =
  'SELECT id, kind, key, extract(epoch FROM clock_timestamp() - created_at)::float8 AS waited FROM outbox';
const putsAtOnce = 256;

export class OutboxDrain {
  readonly #parts: OutboxDrainParts;

  constructor(parts: OutboxDrainParts) {
    this.#parts = parts;
  }

  /** Number of the newest row that is published; `always` = the snapshot is compiled though no row asks for it. Undefined = the lease was lost. */
  async drain(lost: AbortSignal, always: boolean): Promise<number | undefined> {
    const { withTenant, metrics, onPending, publish } = this.#parts;
    const head = await withTenant(operatorScope, async (tx) => ({
      rows: await tx.rows<OutboxRow>(`${outboxRows} WHERE kind = 'snapshot' ORDER BY id LIMIT ${batchRows}`),
      newest: (await tx.rows<{ last: string }>('SELECT last_value AS last FROM outbox_id_seq'))[0]?.last ?? '0',
      pending: (await tx.rows<{ count: string }>('SELECT count(*) AS count FROM outbox'))[0]?.count ?? '0',
    }));
    metrics.outboxPending.set(Number(head.pending));
    if (Number(head.pending) > 0) onPending();
    for (;;) {
      if (lost.aborted) return undefined;
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
    if (always || head.rows.length > 0) await publish();
    failpoint('provisioning.after-snapshot');
    await this.#forget(head.rows);
    metrics.outboxPending.set(0);
    return Number(head.newest);
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
}

function keysOf(rows: readonly OutboxRow[], kind: OutboxRow['kind']): string[] {
  return [...new Set(rows.filter((row) => row.kind === kind).map((row) => row.key))];
}
