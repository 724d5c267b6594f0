/**
 * The counters of created and closed units (design.md, invariant 2), raised in the transaction that changes the units. Each pod has a shard of
 * its own, so that pods do not wait for each other's commit. Open units are not counted here: see `ledger-report.ts`.
 */
import type { Statement, Transaction } from './store/database.js';
import type { CreatedTerm, FinalState } from './unit-change.js';

export type LedgerTerm = CreatedTerm | FinalState;

export const ledgerShards = 16;

const raise: Statement = {
  name: 'ledger-raise',
  text: `INSERT INTO mail.ledger (tenant, term, shard, count)
         SELECT tenant, term, $4, count FROM unnest($1::text[], $2::text[], $3::bigint[]) AS u (tenant, term, count)
         ON CONFLICT (tenant, term, shard) DO UPDATE SET count = ledger.count + excluded.count`,
};

export class LedgerChanges {
  readonly #counts = new Map<string, { tenant: string; term: LedgerTerm; count: number }>();

  add(tenant: string, term: LedgerTerm): void {
    const key = `${tenant}\n${term}`;
    const entry = this.#counts.get(key);
    if (entry === undefined) this.#counts.set(key, { tenant, term, count: 1 });
    else entry.count++;
  }

  /** Rows in one order everywhere, so that two transactions cannot wait for each other. */
  async write(transaction: Transaction, shard: number): Promise<void> {
    if (this.#counts.size === 0) return;
    const rows = [...this.#counts.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
    await transaction.run(raise, [
      rows.map(({ tenant }) => tenant),
      rows.map(({ term }) => term),
      rows.map(({ count }) => count),
      shard,
    ]);
  }

  all(): Iterable<{ readonly tenant: string; readonly term: LedgerTerm; readonly count: number }> {
    return this.#counts.values();
  }
}
