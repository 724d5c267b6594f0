/** The ledger as an operator sees it: asked of posternctl until it is at rest. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from './cluster.js';

export interface LedgerRow {
  readonly tenant: string;
  readonly created: Readonly<Record<string, number>>;
  readonly closed: Readonly<Record<string, number>>;
  readonly open: Readonly<Record<string, number>>;
  readonly difference: number;
}

export interface Ledger {
  readonly rows: readonly LedgerRow[];
  readonly balanced: boolean;
  readonly outcomesInFlight: number;
  readonly streamMessages: number;
}

function isLedger(value: unknown): value is Ledger {
  return (
    typeof value === 'object' && value !== null && 'rows' in value && Array.isArray(value.rows) && 'balanced' in value
  );
}

export async function readLedger(cluster: Cluster): Promise<Ledger> {
  const value = await cluster.ctlJson('ledger');
  if (!isLedger(value)) throw new Error(`not a ledger: ${JSON.stringify(value)}`);
  return value;
}

export const sum = (terms: Readonly<Record<string, number>>): number =>
  Object.values(terms).reduce((total, count) => total + Number(count), 0);

const isBalanced = (ledger: Ledger): boolean =>
  ledger.balanced && ledger.rows.every((row) => Number(row.difference) === 0);

/** Waits until created = closed + open with nothing in flight; throws with the last ledger seen. */
export const waitBalanced = (cluster: Cluster, timeoutMs: number): Promise<Ledger> =>
  waitLedger(cluster, timeoutMs, isBalanced);

/** The same, and nothing open: everything has come to its end. */
export const waitAtRest = (cluster: Cluster, timeoutMs: number): Promise<Ledger> =>
  waitLedger(cluster, timeoutMs, (ledger) => isBalanced(ledger) && ledger.rows.every(({ open }) => sum(open) === 0));

async function waitLedger(cluster: Cluster, timeoutMs: number, wanted: (ledger: Ledger) => boolean): Promise<Ledger> {
  const end = Date.now() + timeoutMs;
  let last: Ledger | undefined;
  let problem = '';
  while (Date.now() < end) {
    try {
      last = await readLedger(cluster);
      if (wanted(last)) return last;
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    await sleep(500);
  }
  throw new Error(`the ledger did not come to rest: ${JSON.stringify(last)} ${problem}`);
}
