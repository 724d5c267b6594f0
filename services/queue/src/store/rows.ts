/**
 * Reading rows of what waits for dispatch and expiry. Every look locks what it takes with SKIP LOCKED, so that any number of pods may look at once.
 */
import { Notify } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import type { Statement, Transaction } from './database.js';

export interface DueLane {
  readonly tenant: string;
  readonly lane: string;
  /** Rows due now, counted up to a cap. */
  readonly due: number;
}

export interface TakenRow {
  readonly queueId: string;
  readonly recipient: string;
  readonly tenant: string;
  readonly lane: string;
  readonly state: string;
  readonly attempt: number;
  readonly group: number;
  readonly item: Item;
  /** The stored item cannot be read; `item` holds no more than the row tells, and asks for no report. */
  readonly unreadable: boolean;
  readonly bodyId: string;
  readonly dueAt: number;
  readonly expiresAt: number;
  readonly lastReply: string;
  readonly delayNotified: boolean;
  readonly size: number;
}

/** Lanes after a key in order, by skipping from key to key through the index: cost by lanes, not by rows. */
const lanes: Statement = {
  name: 'rows-lanes',
  text: `WITH RECURSIVE lanes AS (
           (SELECT tenant, lane FROM mail.waiting WHERE state IN ('ready', 'deferred') AND (tenant, lane) > ($1::text, $2::text)
            ORDER BY tenant, lane LIMIT 1)
           UNION ALL
           SELECT n.tenant, n.lane FROM lanes l CROSS JOIN LATERAL (
             SELECT w.tenant, w.lane FROM mail.waiting w WHERE w.state IN ('ready', 'deferred') AND (w.tenant, w.lane) > (l.tenant, l.lane)
             ORDER BY w.tenant, w.lane LIMIT 1) n
         )
         SELECT l.tenant, l.lane, d.due FROM (SELECT tenant, lane FROM lanes LIMIT $4::int) l CROSS JOIN LATERAL (
           SELECT count(*)::int AS due FROM (
             SELECT 1 FROM mail.waiting w WHERE w.tenant = l.tenant AND w.lane = l.lane AND w.state IN ('ready', 'deferred') AND w.due_at <= $3::bigint
             LIMIT $5::int) counted) d`,
};
/** Columns of a TakenColumns. */
export const takenColumns = `queue_id, recipient, tenant, lane, state, attempt, grp, item, body_id, due_at, expires_at, last_reply, delay_notified, size`;
const take: Statement = {
  name: 'rows-take',
  text: `SELECT w.* FROM unnest($1::text[], $2::text[], $3::int[]) AS q (tenant, lane, quota) CROSS JOIN LATERAL (
           SELECT ${takenColumns} FROM mail.waiting w
           WHERE w.tenant = q.tenant AND w.lane = q.lane AND w.state IN ('ready', 'deferred') AND w.due_at <= $4::bigint
           ORDER BY w.due_at LIMIT q.quota FOR UPDATE SKIP LOCKED) w`,
};
const takeExpired: Statement = {
  name: 'rows-take-expired',
  text: `SELECT ${takenColumns} FROM mail.waiting WHERE state <> 'dispatched' AND NOT out AND expires_at <= $1::bigint
         ORDER BY expires_at LIMIT $2::int FOR UPDATE SKIP LOCKED`,
};
const dispatched: Statement = {
  name: 'rows-dispatched',
  text: `UPDATE mail.waiting w SET state = 'dispatched', out = true, attempt = w.attempt + (w.attempt < 2147483647)::int, lane = u.lane, egress_pool = u.pool, updated_at = $5::bigint
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS u (queue_id, recipient, lane, pool)
         WHERE w.queue_id = u.queue_id AND w.recipient = u.recipient`,
};
const postpone: Statement = {
  name: 'rows-postpone',
  text: `UPDATE mail.waiting w SET state = 'deferred', due_at = $4::bigint, last_reply = u.reply
         FROM unnest($1::text[], $2::text[], $3::text[]) AS u (queue_id, recipient, reply)
         WHERE w.queue_id = u.queue_id AND w.recipient = u.recipient`,
};
const hold: Statement = {
  name: 'rows-hold',
  text: `UPDATE mail.waiting w SET state = 'held', last_reply = u.reply, updated_at = $4::bigint
         FROM unnest($1::text[], $2::text[], $3::text[]) AS u (queue_id, recipient, reply)
         WHERE w.queue_id = u.queue_id AND w.recipient = u.recipient`,
};
const release: Statement = {
  name: 'rows-release-lane',
  text: `UPDATE mail.waiting SET due_at = $3::bigint WHERE (queue_id, recipient) IN (
           SELECT queue_id, recipient FROM mail.waiting
           WHERE tenant = $1 AND lane = $2 AND state IN ('ready', 'deferred') AND state = 'deferred' AND site_failure AND due_at > $3::bigint
           LIMIT $4::int FOR UPDATE SKIP LOCKED)`,
};

export async function dueLanes(
  transaction: Transaction,
  after: { readonly tenant: string; readonly lane: string },
  nowMs: number,
  limits: { readonly lanes: number; readonly rows: number },
): Promise<DueLane[]> {
  const rows = await transaction.query<{ tenant: string; lane: string; due: number }>(lanes, [
    after.tenant,
    after.lane,
    nowMs,
    limits.lanes,
    limits.rows,
  ]);
  return rows;
}

export interface TakenColumns extends Record<string, unknown> {
  readonly queue_id: string;
  readonly recipient: string;
  readonly tenant: string;
  readonly lane: string;
  readonly state: string;
  readonly attempt: number;
  readonly grp: number;
  readonly item: Buffer;
  readonly body_id: string;
  readonly due_at: number;
  readonly expires_at: number;
  readonly last_reply: string;
  readonly delay_notified: boolean;
  readonly size: number;
}

function readItem(row: TakenColumns): { readonly item: Item; readonly unreadable: boolean } {
  try {
    const item = Item.decode(row.item);
    if (item.recipients.length > 0) return { item, unreadable: false };
  } catch {
    // Not an item: the same as an empty one.
  }
  const { queue_id: queueId, tenant, grp: group, attempt } = row;
  const recipients = [{ address: row.recipient, notify: [Notify.NEVER], originalRecipient: '' }];
  return { item: Item.fromPartial({ queueId, tenant, group, attempt, recipients }), unreadable: true };
}

export function takenRow(row: TakenColumns): TakenRow {
  return {
    ...readItem(row),
    queueId: row.queue_id,
    recipient: row.recipient,
    tenant: row.tenant,
    lane: row.lane,
    state: row.state,
    attempt: row.attempt,
    group: row.grp,
    bodyId: row.body_id,
    dueAt: row.due_at,
    expiresAt: row.expires_at,
    lastReply: row.last_reply,
    delayNotified: row.delay_notified,
    size: row.size,
  };
}

export async function takeDue(
  transaction: Transaction,
  quotas: readonly { readonly tenant: string; readonly lane: string; readonly count: number }[],
  nowMs: number,
): Promise<TakenRow[]> {
  const rows = await transaction.query<TakenColumns>(take, [
    quotas.map(({ tenant }) => tenant),
    quotas.map(({ lane }) => lane),
    quotas.map(({ count }) => count),
    nowMs,
  ]);
  return rows.map(takenRow);
}

export async function takeOverdue(transaction: Transaction, nowMs: number, limit: number): Promise<TakenRow[]> {
  const rows = await transaction.query<TakenColumns>(takeExpired, [nowMs, limit]);
  return rows.map(takenRow);
}

export async function markDispatched(
  transaction: Transaction,
  rows: readonly {
    readonly queueId: string;
    readonly recipient: string;
    readonly lane: string;
    readonly pool: string;
  }[],
  nowMs: number,
): Promise<void> {
  if (rows.length === 0) return;
  await transaction.run(dispatched, [
    rows.map(({ queueId }) => queueId),
    rows.map(({ recipient }) => recipient),
    rows.map(({ lane }) => lane),
    rows.map(({ pool }) => pool),
    nowMs,
  ]);
}

export async function postponeRows(
  transaction: Transaction,
  rows: readonly { readonly queueId: string; readonly recipient: string; readonly reason: string }[],
  dueAt: number,
): Promise<void> {
  if (rows.length === 0) return;
  await transaction.run(postpone, [
    rows.map(({ queueId }) => queueId),
    rows.map(({ recipient }) => recipient),
    rows.map(({ reason }) => reason),
    dueAt,
  ]);
}

/** What cannot be dispatched at all waits for an operator, or for its end. */
export async function holdRows(
  transaction: Transaction,
  rows: readonly { readonly queueId: string; readonly recipient: string; readonly reason: string }[],
  nowMs: number,
): Promise<void> {
  if (rows.length === 0) return;
  await transaction.run(hold, [
    rows.map(({ queueId }) => queueId),
    rows.map(({ recipient }) => recipient),
    rows.map(({ reason }) => reason),
    nowMs,
  ]);
}

/** Rows of a lane that failed for the destination's sake are due now; at most `limit`. */
export function releaseLane(
  transaction: Transaction,
  tenant: string,
  lane: string,
  nowMs: number,
  limit: number,
): Promise<number> {
  return transaction.run(release, [tenant, lane, nowMs, limit]);
}
