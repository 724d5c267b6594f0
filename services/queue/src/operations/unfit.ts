/** Which rows of what waits each operation fits, and what is said of those that were named by queue id and it does not fit. */
import { Operation, type Selection } from '@postern/proto/queue/v1/queue_service';
import type { Transaction } from '../store/database.js';
import { type Condition, named } from './selection.js';

const kept = `state IN ('held', 'quarantined')`;
const closable = 'NOT out';

export const fits = {
  [Operation.RETRY]: `state = 'deferred'`,
  [Operation.HOLD]: `NOT ${kept}`,
  [Operation.RELEASE]: kept,
  [Operation.BOUNCE]: closable,
  [Operation.DELETE]: closable,
} as const;

export type KnownOperation = keyof typeof fits;

/** By state. A selection without ids means what fits it, so nothing of it is counted. */
export async function countUnfit(
  transaction: Transaction,
  operation: KnownOperation,
  selection: Selection | undefined,
  { where, values }: Condition,
): Promise<Record<string, number>> {
  if (selection === undefined || selection.queueIds.length === 0) return {};
  const fit = fits[operation];
  // Held while its attempt is out: the attempt is what stands against closing it.
  const state = fit === closable ? `'dispatched'` : 'state';
  const rows = await transaction.query<{ state: string; count: number }>(
    named(`SELECT ${state} AS state, count(*) AS count FROM mail.waiting WHERE ${where} AND NOT (${fit}) GROUP BY 1`),
    values,
  );
  return Object.fromEntries(rows.map((row) => [row.state, row.count]));
}
