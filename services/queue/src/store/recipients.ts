/**
 * Rows of `mail.recipients`: one per ledger unit, made once, closed once. Statements only; what a change means is decided in `settle.ts`.
 */
import type { Statement, Transaction } from './database.js';
import { foldedOf } from './folded-address.js';

export interface RecipientRow {
  readonly queueId: string;
  readonly recipient: string;
  readonly tenant: string;
  readonly unitKind: string | null;
  readonly state: string;
  readonly attempts: number;
  readonly reply: string;
  readonly at: number;
  readonly parent: string;
  readonly waited: boolean;
}

const insert: Statement = {
  name: 'recipients-insert',
  text: `INSERT INTO mail.recipients (queue_id, recipient, tenant, unit_kind, state, attempts, reply, at, parent, waited, folded_recipient)
         SELECT *, ${foldedOf('recipient')}
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[], $8::bigint[], $9::text[], $10::boolean[])
           AS u (queue_id, recipient, tenant, unit_kind, state, attempts, reply, at, parent, waited)
         ON CONFLICT (queue_id, recipient) DO NOTHING
         RETURNING queue_id, recipient`,
};
const lock: Statement = {
  name: 'recipients-lock',
  text: `SELECT r.queue_id, r.recipient, r.tenant, r.unit_kind, r.state, r.attempts, r.reply, r.at, r.parent, r.waited
         FROM unnest($1::text[], $2::text[]) AS u (queue_id, recipient)
         JOIN mail.recipients r ON r.queue_id = u.queue_id AND r.recipient = u.recipient
         ORDER BY r.queue_id, r.recipient FOR UPDATE OF r`,
};
const update: Statement = {
  name: 'recipients-update',
  text: `UPDATE mail.recipients r
         SET unit_kind = u.unit_kind, state = u.state, attempts = u.attempts, reply = u.reply, at = u.at, parent = u.parent, waited = u.waited
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::bigint[], $8::text[], $9::boolean[])
           AS u (queue_id, recipient, unit_kind, state, attempts, reply, at, parent, waited)
         WHERE r.queue_id = u.queue_id AND r.recipient = u.recipient`,
};

export const unitKey = (queueId: string, recipient: string): string => `${queueId}\n${recipient}`;

/** Keys of those that were new. Rows must be in key order. */
export async function insertRecipients(transaction: Transaction, rows: readonly RecipientRow[]): Promise<Set<string>> {
  if (rows.length === 0) return new Set();
  const inserted = await transaction.query<{ queue_id: string; recipient: string }>(insert, [
    rows.map(({ queueId }) => queueId),
    rows.map(({ recipient }) => recipient),
    rows.map(({ tenant }) => tenant),
    rows.map(({ unitKind }) => unitKind),
    rows.map(({ state }) => state),
    rows.map(({ attempts }) => attempts),
    rows.map(({ reply }) => reply),
    rows.map(({ at }) => at),
    rows.map(({ parent }) => parent),
    rows.map(({ waited }) => waited),
  ]);
  return new Set(inserted.map(({ queue_id, recipient }) => unitKey(queue_id, recipient)));
}

/** Existing rows by key, locked until the transaction ends. */
export async function lockRecipients(
  transaction: Transaction,
  keys: readonly { readonly queueId: string; readonly recipient: string }[],
): Promise<Map<string, RecipientRow>> {
  if (keys.length === 0) return new Map();
  const rows = await transaction.query<{
    queue_id: string;
    recipient: string;
    tenant: string;
    unit_kind: string | null;
    state: string;
    attempts: number;
    reply: string;
    at: number;
    parent: string;
    waited: boolean;
  }>(lock, [keys.map(({ queueId }) => queueId), keys.map(({ recipient }) => recipient)]);
  return new Map(
    rows.map(({ queue_id: queueId, unit_kind: unitKind, ...rest }) => [
      unitKey(queueId, rest.recipient),
      { queueId, unitKind, ...rest },
    ]),
  );
}

export async function updateRecipients(transaction: Transaction, rows: readonly RecipientRow[]): Promise<void> {
  if (rows.length === 0) return;
  await transaction.run(update, [
    rows.map(({ queueId }) => queueId),
    rows.map(({ recipient }) => recipient),
    rows.map(({ unitKind }) => unitKind),
    rows.map(({ state }) => state),
    rows.map(({ attempts }) => attempts),
    rows.map(({ reply }) => reply),
    rows.map(({ at }) => at),
    rows.map(({ parent }) => parent),
    rows.map(({ waited }) => waited),
  ]);
}
