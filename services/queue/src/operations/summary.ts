/** Counts of what waits, one row per tenant and lane, as the scope sees it. */
import type { LaneSummary } from '@postern/proto/queue/v1/queue_service';
import type { Transaction } from '../store/database.js';
import { conditionOf, named } from './selection.js';

const mostLanes = 1_000;

export async function summarize(transaction: Transaction, tenant: string, nowMs: number): Promise<LaneSummary[]> {
  const { where, values } = conditionOf(undefined, tenant, nowMs);
  const rows = await transaction.query<{
    tenant: string;
    lane: string;
    ready: number;
    deferred: number;
    held: number;
    quarantined: number;
    oldest: number;
    last_reply: string | null;
    next: number | null;
  }>(
    named(
      `SELECT tenant, lane, count(*) FILTER (WHERE state IN ('ready', 'dispatched')) AS ready,
         count(*) FILTER (WHERE state = 'deferred') AS deferred, count(*) FILTER (WHERE state = 'held') AS held,
         count(*) FILTER (WHERE state = 'quarantined') AS quarantined, min(accepted_at) AS oldest,
         (array_agg(last_reply ORDER BY updated_at DESC) FILTER (WHERE last_reply <> ''))[1] AS last_reply,
         min(due_at) FILTER (WHERE state IN ('ready', 'deferred')) AS next
       FROM mail.waiting WHERE ${where} GROUP BY tenant, lane ORDER BY count(*) DESC, tenant, lane LIMIT ${mostLanes}`,
    ),
    values,
  );
  return rows.map(({ oldest, last_reply: lastReply, next, ...counts }) => ({
    ...counts,
    oldestMs: Math.max(0, nowMs - oldest),
    lastReply: lastReply ?? '',
    nextAttemptAtMs: next ?? 0,
  }));
}
