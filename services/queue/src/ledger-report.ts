/**
 * The conservation equation per tenant (design.md, invariant 2): created = closed + open. Created and closed come from the counters; open is counted
 * apart, from rows that wait and from what WORK carries, never derived. Under load the difference is at most what is in flight, which is shown.
 */
import type { LedgerRow } from '@postern/proto/queue/v1/queue_service';
import type { Statement, Transaction } from './store/database.js';
import type { LevelReader } from './stream-levels.js';
import { ulidFloor } from './ulid-time.js';
import { createdTerms, finalStates } from './unit-change.js';
import type { CarriedUnit, WorkScan, WorkScanner } from './work-scan.js';

export interface Orphan {
  readonly queueId: string;
  readonly recipient: string;
  readonly tenant: string;
  readonly reply: string;
  readonly attempts: number;
  readonly at: number;
}

export interface LedgerReport {
  readonly rows: LedgerRow[];
  readonly outcomesInFlight: number;
  readonly streamMessages: number;
  readonly balanced: boolean;
  readonly orphans: readonly Orphan[];
}

const scanLimit = 1_000;
const orphanAgeMs = 300_000;
export const orphansListed = 100;

const counted: Statement = {
  name: 'ledger-counted',
  text: `SELECT 'term' AS source, tenant, term AS name, sum(count)::bigint AS count FROM mail.ledger GROUP BY tenant, term
         UNION ALL
         SELECT 'row', tenant, state, count(*) FROM mail.waiting WHERE state <> 'dispatched' GROUP BY tenant, state`,
};
/**
 * Counted as a row or as closed, though WORK carries it: a retry was cut off, or its message stays for others of its items that are still in work (ADR 14).
 */
const countedApart: Statement = {
  name: 'ledger-counted-apart',
  text: `SELECT w.queue_id, w.recipient FROM unnest($1::text[], $2::text[]) AS u (queue_id, recipient)
         JOIN mail.waiting w ON w.queue_id = u.queue_id AND w.recipient = u.recipient WHERE w.state <> 'dispatched'
         UNION ALL
         SELECT r.queue_id, r.recipient FROM unnest($1::text[], $2::text[]) AS u (queue_id, recipient)
         JOIN mail.recipients r ON r.queue_id = u.queue_id AND r.recipient = u.recipient WHERE r.state <> 'open'`,
};
/** A copy of an item may be parked although its outcome was stored after all, and a forged one was never created. */
const open: Statement = {
  name: 'ledger-open',
  text: `SELECT r.queue_id, r.recipient FROM unnest($1::text[], $2::text[]) AS u (queue_id, recipient)
         JOIN mail.recipients r ON r.queue_id = u.queue_id AND r.recipient = u.recipient WHERE r.state = 'open' AND r.unit_kind IS NOT NULL`,
};
const orphaned: Statement = {
  name: 'ledger-orphaned',
  text: `SELECT r.queue_id, r.recipient, r.tenant, r.reply, r.attempts, r.at FROM mail.recipients r
         WHERE r.state = 'open' AND r.unit_kind IS NOT NULL AND r.queue_id < $1
           AND NOT EXISTS (SELECT 1 FROM mail.waiting w WHERE w.queue_id = r.queue_id AND w.recipient = r.recipient AND w.state <> 'dispatched')
         ORDER BY r.queue_id, r.recipient LIMIT $2::int`,
};

const key = (queueId: string, recipient: string): string => `${queueId}\n${recipient}`;
const termOfState: Readonly<Record<string, string>> = { ready: 'queued' };

export interface LedgerSources {
  readonly levels: LevelReader;
  readonly scan: WorkScanner;
  readonly nowMs: number;
  readonly withOrphans: boolean;
}

/** `transaction` is in the scope of whoever asks: other tenants' rows are not seen. */
export async function ledgerReport(
  transaction: Transaction,
  isVisible: (tenant: string) => boolean,
  sources: LedgerSources,
): Promise<LedgerReport> {
  const [spool, outcomes, work] = await Promise.all([
    sources.levels('SPOOL'),
    sources.levels('OUTCOMES'),
    sources.levels('WORK'),
  ]);
  const scan = await sources.scan(scanLimit);
  const carried = scan.exact ? scan.units.filter(({ tenant }) => isVisible(tenant)) : [];
  const rows = await countRows(transaction, carried);
  const orphans = sources.withOrphans && scan.exact ? await findOrphans(transaction, scan, sources.nowMs) : [];
  // What was left in WORK goes back to SPOOL: looked at before and after.
  const back = await sources.levels('SPOOL');
  const still = outcomes.messages === 0 && spool.messages + back.messages === 0 && scan.exact && scan.left === 0;
  return {
    rows,
    outcomesInFlight: outcomes.messages,
    streamMessages: spool.messages + work.messages,
    balanced: still && rows.every(({ difference }) => difference === 0),
    orphans,
  };
}

async function countRows(transaction: Transaction, carried: readonly CarriedUnit[]): Promise<LedgerRow[]> {
  const found = await transaction.query<{ source: string; tenant: string; name: string; count: number }>(counted);
  const keysOf = async (statement: Statement, units: readonly CarriedUnit[]): Promise<string[]> => {
    const ids = units.map(({ queueId }) => queueId);
    const recipients = units.map(({ recipient }) => recipient);
    const matches = await transaction.query<{ queue_id: string; recipient: string }>(statement, [ids, recipients]);
    return matches.map(({ queue_id, recipient }) => key(queue_id, recipient));
  };
  const parked = carried.filter(({ carrier }) => carrier === 'parked');
  const skipped = new Set(await keysOf(countedApart, carried));
  const known = new Set(parked.length === 0 ? [] : await keysOf(open, parked));
  const rows = new Map<string, LedgerRow>();
  const rowOf = (tenant: string): LedgerRow => {
    const row = rows.get(tenant) ?? { tenant, created: {}, closed: {}, open: {}, difference: 0 };
    rows.set(tenant, row);
    return row;
  };
  for (const { source, tenant, name, count } of found) {
    const row = rowOf(tenant);
    if (source === 'row') add(row.open, termOfState[name] ?? name, count);
    else if (createdTerms.some((term) => term === name)) add(row.created, name, count);
    else if (finalStates.some((term) => term === name)) add(row.closed, name, count);
  }
  // A unit may be there several times, parked or put back by itself as well: WORK is read first, and counts once.
  for (const { queueId, recipient, tenant, carrier } of carried) {
    const unit = key(queueId, recipient);
    if (skipped.has(unit) || (carrier === 'parked' && !known.has(unit))) continue;
    skipped.add(unit);
    add(rowOf(tenant).open, carrier === 'parked' ? 'held' : 'queued', 1);
  }
  const all = [...rows.values()].sort((a, b) => (a.tenant < b.tenant ? -1 : 1));
  for (const row of all) row.difference = sum(row.created) - sum(row.closed) - sum(row.open);
  return all;
}

function add(counts: { [name: string]: number }, name: string, count: number): void {
  counts[name] = (counts[name] ?? 0) + count;
}

const sum = (counts: { [name: string]: number }): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

async function findOrphans(transaction: Transaction, scan: WorkScan, nowMs: number): Promise<Orphan[]> {
  if (!scan.exact) return [];
  const found = await transaction.query<{
    queue_id: string;
    recipient: string;
    tenant: string;
    reply: string;
    attempts: number;
    at: number;
  }>(orphaned, [ulidFloor(nowMs - orphanAgeMs), scanLimit + orphansListed]);
  const carried = new Set(scan.units.map(({ queueId, recipient }) => key(queueId, recipient)));
  return found
    .filter(({ queue_id, recipient }) => !carried.has(key(queue_id, recipient)))
    .map(({ queue_id: queueId, ...rest }) => ({ queueId, ...rest }));
}
