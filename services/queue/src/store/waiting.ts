/**
 * Rows of `mail.waiting`: one per recipient that waits. Fence: a deferral only replaces a row whose attempt is older, or the same one still out.
 * What an operator holds stays held when an attempt that was already out comes back.
 */
import type { Statement, Transaction } from './database.js';

export interface WaitingRow {
  readonly queueId: string;
  readonly recipient: string;
  readonly tenant: string;
  readonly lane: string;
  readonly egressPool: string;
  readonly state: string;
  readonly dueAt: number;
  readonly expiresAt: number;
  readonly acceptedAt: number;
  readonly attempt: number;
  readonly group: number;
  /** Item with this one recipient, without inline body. */
  readonly item: Uint8Array;
  readonly bodyId: string;
  readonly reversePath: string;
  readonly domain: string;
  readonly size: number;
  readonly lastReply: string;
  readonly siteFailure: boolean;
  readonly delayNotified: boolean;
  readonly updatedAt: number;
}

const upsert: Statement = {
  name: 'waiting-upsert',
  text: `INSERT INTO mail.waiting AS w (queue_id, recipient, tenant, lane, egress_pool, state, due_at, expires_at, accepted_at, attempt, out,
           grp, item, body_id, reverse_path, domain, size, last_reply, site_failure, delay_notified, updated_at)
         SELECT queue_id, recipient, tenant, lane, egress_pool, state, due_at, expires_at, accepted_at, attempt, false,
           grp, item, body_id, reverse_path, domain, size, last_reply, site_failure, delay_notified, updated_at
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[], $10::int[],
           $11::bigint[], $12::bytea[], $13::text[], $14::text[], $15::text[], $16::bigint[], $17::text[], $18::boolean[], $19::boolean[], $20::bigint[])
           AS u (queue_id, recipient, tenant, lane, egress_pool, state, due_at, expires_at, accepted_at, attempt,
             grp, item, body_id, reverse_path, domain, size, last_reply, site_failure, delay_notified, updated_at)
         ON CONFLICT (queue_id, recipient) DO UPDATE SET
           lane = excluded.lane, egress_pool = excluded.egress_pool,
           state = CASE WHEN w.state IN ('held', 'quarantined') THEN w.state ELSE excluded.state END,
           due_at = excluded.due_at, attempt = excluded.attempt, out = false, grp = excluded.grp, item = excluded.item,
           body_id = excluded.body_id, last_reply = excluded.last_reply, site_failure = excluded.site_failure,
           delay_notified = w.delay_notified OR excluded.delay_notified, updated_at = excluded.updated_at
         WHERE w.attempt < excluded.attempt OR (w.attempt = excluded.attempt AND w.out)`,
};
const remove: Statement = {
  name: 'waiting-remove',
  text: `DELETE FROM mail.waiting w USING unnest($1::text[], $2::text[]) AS u (queue_id, recipient)
         WHERE w.queue_id = u.queue_id AND w.recipient = u.recipient`,
};

/** Rows must be in key order. */
export async function upsertWaiting(transaction: Transaction, rows: readonly WaitingRow[]): Promise<void> {
  if (rows.length === 0) return;
  await transaction.run(upsert, [
    rows.map(({ queueId }) => queueId),
    rows.map(({ recipient }) => recipient),
    rows.map(({ tenant }) => tenant),
    rows.map(({ lane }) => lane),
    rows.map(({ egressPool }) => egressPool),
    rows.map(({ state }) => state),
    rows.map(({ dueAt }) => dueAt),
    rows.map(({ expiresAt }) => expiresAt),
    rows.map(({ acceptedAt }) => acceptedAt),
    rows.map(({ attempt }) => attempt),
    rows.map(({ group }) => group),
    rows.map(({ item }) => item),
    rows.map(({ bodyId }) => bodyId),
    rows.map(({ reversePath }) => reversePath),
    rows.map(({ domain }) => domain),
    rows.map(({ size }) => size),
    rows.map(({ lastReply }) => lastReply),
    rows.map(({ siteFailure }) => siteFailure),
    rows.map(({ delayNotified }) => delayNotified),
    rows.map(({ updatedAt }) => updatedAt),
  ]);
}

export async function removeWaiting(
  transaction: Transaction,
  keys: readonly { readonly queueId: string; readonly recipient: string }[],
): Promise<void> {
  if (keys.length === 0) return;
  await transaction.run(remove, [keys.map(({ queueId }) => queueId), keys.map(({ recipient }) => recipient)]);
}
