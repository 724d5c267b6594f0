/** Rows of `mail.notices` and `mail.bodies` as work lists: what is still to be reported, and what may be removed. */
import type { NoticeRow } from '../dsn.js';
import type { NoticeKind } from '../notice.js';
import type { Statement, Transaction } from './database.js';

const take: Statement = {
  name: 'notices-take',
  text: `SELECT notice_id, queue_id, tenant, kind, outcome, at FROM mail.notices ORDER BY notice_id LIMIT $1::int FOR UPDATE SKIP LOCKED`,
};
const remove: Statement = {
  name: 'notices-remove',
  text: `DELETE FROM mail.notices WHERE notice_id = ANY ($1::text[])`,
};

/** Bodies of which no unit is open, none is still unknown, and no report is owed: such a message has ended. */
const free = `NOT EXISTS (SELECT 1 FROM mail.recipients r WHERE r.queue_id = b.queue_id AND (r.state = 'open' OR r.unit_kind IS NULL))
           AND EXISTS (SELECT 1 FROM mail.recipients r WHERE r.queue_id = b.queue_id)
           AND NOT EXISTS (SELECT 1 FROM mail.notices n WHERE n.queue_id = b.queue_id)`;
const freeBodies: Statement = {
  name: 'bodies-free',
  text: `SELECT b.body_id FROM mail.bodies b WHERE b.queue_id = ANY ($1::text[]) AND ${free}`,
};
const freeAfter: Statement = {
  name: 'bodies-free-after',
  text: `SELECT b.body_id, ${free} AS free FROM (SELECT body_id, queue_id FROM mail.bodies WHERE body_id > $1 ORDER BY body_id LIMIT $2::int) b
         ORDER BY b.body_id`,
};
const forget: Statement = { name: 'bodies-forget', text: `DELETE FROM mail.bodies WHERE body_id = ANY ($1::text[])` };
const known: Statement = {
  name: 'bodies-known',
  text: `SELECT u.body_id FROM unnest($1::text[]) AS u (body_id)
         WHERE EXISTS (SELECT 1 FROM mail.bodies b WHERE b.body_id = u.body_id)
            OR EXISTS (SELECT 1 FROM mail.waiting w WHERE w.queue_id = u.body_id)
            OR EXISTS (SELECT 1 FROM mail.recipients r WHERE r.queue_id = u.body_id AND r.state = 'open')`,
};

export async function takeNotices(transaction: Transaction, limit: number): Promise<NoticeRow[]> {
  const rows = await transaction.query<{
    notice_id: string;
    queue_id: string;
    tenant: string;
    kind: NoticeKind;
    outcome: Buffer;
    at: number;
  }>(take, [limit]);
  return rows.map((row) => ({
    noticeId: row.notice_id,
    queueId: row.queue_id,
    tenant: row.tenant,
    kind: row.kind,
    outcome: row.outcome,
    atMs: row.at,
  }));
}

export const removeNotices = (transaction: Transaction, ids: readonly string[]): Promise<number> =>
  transaction.run(remove, [ids]);

export async function findFreeBodies(transaction: Transaction, queueIds: readonly string[]): Promise<string[]> {
  return (await transaction.query<{ body_id: string }>(freeBodies, [queueIds])).map(({ body_id }) => body_id);
}

/** A page of all bodies after an id; `free` ones may be removed. */
export async function pageBodies(
  transaction: Transaction,
  after: string,
  limit: number,
): Promise<{ readonly bodyId: string; readonly free: boolean }[]> {
  const rows = await transaction.query<{ body_id: string; free: boolean }>(freeAfter, [after, limit]);
  return rows.map(({ body_id: bodyId, free: isFree }) => ({ bodyId, free: isFree }));
}

export const forgetBodies = (transaction: Transaction, ids: readonly string[]): Promise<number> =>
  transaction.run(forget, [ids]);

/** Which of these something in the database names. */
export async function namedBodies(transaction: Transaction, ids: readonly string[]): Promise<Set<string>> {
  return new Set((await transaction.query<{ body_id: string }>(known, [ids])).map(({ body_id }) => body_id));
}
