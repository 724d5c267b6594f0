/**
 * Keeps history bounded: one partition of trace events a day, made ahead and dropped by age; closed recipients and message summaries older than
 * that deleted a page at a time by the range of their ids. One pod at a time does it, under an advisory lock.
 */
import type { Clock } from '@postern/clock';
import type { Database, Statement, Transaction } from '../store/database.js';
import { ulidFloor } from '../ulid-time.js';

const dayMs = 86_400_000;
const daysAhead = 2;
const page = 5_000;

const alone: Statement = { name: 'history-lock', text: 'SELECT pg_try_advisory_xact_lock(1835100525) AS mine' };
const partitions: Statement = {
  name: 'history-partitions',
  text: `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'mail.trace_events'::regclass`,
};
const pruneRecipients: Statement = {
  name: 'history-recipients',
  text: `DELETE FROM mail.recipients WHERE (queue_id, recipient) IN (
           SELECT queue_id, recipient FROM mail.recipients WHERE queue_id < $1 AND state <> 'open' AND unit_kind IS NOT NULL
           ORDER BY queue_id LIMIT $2::int)`,
};
const pruneMessages: Statement = {
  name: 'history-messages',
  text: `DELETE FROM mail.messages WHERE queue_id IN (
           SELECT m.queue_id FROM mail.messages m WHERE m.queue_id < $1
             AND NOT EXISTS (SELECT 1 FROM mail.recipients r WHERE r.queue_id = m.queue_id)
           ORDER BY m.queue_id LIMIT $2::int)`,
};
const pruneOther: Statement = {
  name: 'history-other',
  text: 'DELETE FROM mail.trace_events_other WHERE at < $1::bigint',
};

const prefix = 'trace_events_';
const dayName = (day: number): string =>
  `${prefix}${new Date(day * dayMs).toISOString().slice(0, 10).replaceAll('-', '')}`;

/** The day a partition holds; undefined = not a day's. */
export function dayOf(name: string): number | undefined {
  const [, year, month, date] = /^trace_events_(\d{4})(\d{2})(\d{2})$/.exec(name) ?? [];
  return year === undefined ? undefined : Math.floor(Date.parse(`${year}-${month}-${date}T00:00:00Z`) / dayMs);
}

async function makeDays(transaction: Transaction, present: ReadonlySet<string>, today: number): Promise<void> {
  const days = Array.from({ length: daysAhead + 2 }, (_, index) => today - 1 + index).filter(
    (day) => !present.has(dayName(day)),
  );
  // Writers wait these few milliseconds: a row on its way into the last partition would be refused when its day takes over.
  if (days.length > 0) await transaction.script('LOCK TABLE mail.trace_events IN SHARE ROW EXCLUSIVE MODE');
  for (const day of days) {
    const name = dayName(day);
    const [from, to] = [day * dayMs, (day + 1) * dayMs];
    // Rows of that day that came before its partition move in, else the partition could not be made.
    await transaction.script(
      `CREATE TABLE mail.${name} (LIKE mail.trace_events INCLUDING DEFAULTS);
       WITH moved AS (DELETE FROM mail.trace_events_other WHERE at >= ${from} AND at < ${to} RETURNING *) INSERT INTO mail.${name} SELECT * FROM moved;
       ALTER TABLE mail.${name} ENABLE ROW LEVEL SECURITY;
       ALTER TABLE mail.${name} FORCE ROW LEVEL SECURITY;
       CREATE POLICY tenant_scope ON mail.${name}
         USING (tenant = current_setting('app.tenant', true) OR current_setting('app.tenant', true) = '*');
       ALTER TABLE mail.trace_events ATTACH PARTITION mail.${name} FOR VALUES FROM (${from}) TO (${to})`,
    );
  }
}

/** True: there is more to prune now. */
export function historyRound(database: Database, clock: Clock, keepMs: number): () => Promise<boolean> {
  return () =>
    database.service(async (transaction) => {
      const [lock] = await transaction.query<{ mine: boolean }>(alone);
      if (lock?.mine !== true) return false;
      const nowMs = clock.now();
      const names = (await transaction.query<{ name: string }>(partitions)).map(({ name }) => name);
      await makeDays(transaction, new Set(names), Math.floor(nowMs / dayMs));
      for (const name of names) {
        const day = dayOf(name);
        if (day !== undefined && (day + 1) * dayMs < nowMs - keepMs)
          await transaction.script(`DROP TABLE mail.${name}`);
      }
      await transaction.run(pruneOther, [nowMs - keepMs]);
      const before = ulidFloor(nowMs - keepMs);
      const recipients = await transaction.run(pruneRecipients, [before, page]);
      const messages = await transaction.run(pruneMessages, [before, page]);
      return recipients >= page || messages >= page;
    });
}
