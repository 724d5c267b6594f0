/**
 * Rows in PostgreSQL that no code wrote: an item that cannot be decoded, an empty one, absurd numbers, in the very lane real mail waits in. Expected:
 * said in the log or counted, passed over, mail that waits beside them goes on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { asDatabaseAdmin, logOf } from './cluster-files.js';
import { type AttackContext, checkMailGoesOn, sendOne, waitArrived } from './mail-goes-on.js';
import { watchProcesses } from './process-watch.js';

interface BadRow {
  readonly name: string;
  /** Columns that differ from those of a real row, as SQL. */
  readonly columns: Readonly<Record<string, string>>;
}

const undecodable = `decode('0aff', 'hex')`;
const badRows: readonly BadRow[] = [
  { name: 'an item that cannot be decoded', columns: { item: undecodable } },
  { name: 'an empty item', columns: { item: `''::bytea` } },
  { name: 'noise for an item', columns: { item: `decode('ffffffffffffffffffff01', 'hex')` } },
  { name: 'an expired row that cannot be decoded', columns: { item: undecodable, expires_at: '1' } },
  { name: 'absurd numbers', columns: { attempt: '2147483647', grp: '9223372036854775807', due_at: '-1' } },
  { name: 'a pool and a lane with wildcards', columns: { egress_pool: `'a.b.>'`, lane: `'* >'` } },
  { name: 'a body that is not there', columns: { body_id: `'no-such-body'` } },
  { name: 'a body id with wildcards', columns: { body_id: `'bad.id.>'` } },
  { name: 'a tenant that is not there', columns: { tenant: `'no-such-tenant'` } },
];

/** A row of real mail that waits, put back for an hour, so that it can be copied. */
async function holdRealRow(context: AttackContext, client: pg.Client): Promise<string> {
  context.book.allowCopies(await sendOne(context, true));
  for (let left = 100; left > 0; left--) {
    const found = await client.query<{ queue_id: string }>(
      `UPDATE mail.waiting SET due_at = due_at + 3600000 WHERE recipient LIKE 'later-%' AND state = 'deferred' RETURNING queue_id`,
    );
    const queueId = found.rows[0]?.queue_id;
    if (queueId !== undefined) return queueId;
    await sleep(50);
  }
  throw new Error('no row of deferred mail was seen');
}

async function columnsOf(client: pg.Client): Promise<string[]> {
  const found = await client.query<{ column_name: string }>(
    `SELECT column_name FROM information_schema.columns WHERE table_schema = 'mail' AND table_name = 'waiting' ORDER BY ordinal_position`,
  );
  return found.rows.map(({ column_name }) => column_name);
}

export async function fuzzRows(context: AttackContext): Promise<void> {
  const { report, cluster } = context;
  const watch = await watchProcesses(cluster);
  const client = await asDatabaseAdmin(cluster);
  try {
    const real = await holdRealRow(context, client);
    const columns = await columnsOf(client);
    const before = (await logOf(cluster, 'queue-0')).length;
    for (const [number, row] of badRows.entries()) {
      const differing: Record<string, string> = {
        queue_id: `'badrow${number}'`,
        state: `'ready'`,
        out: 'false',
        due_at: '1',
        ...row.columns,
      };
      const values = columns.map((name) => differing[name] ?? name);
      await client.query(
        `INSERT INTO mail.waiting (${columns.join(', ')}) SELECT ${values.join(', ')} FROM mail.waiting WHERE queue_id = $1`,
        [real],
      );
    }
    await checkMailGoesOn(context, `${badRows.length} bad rows`);
    const log = (await logOf(cluster, 'queue-0')).slice(before);
    const said = /badrow0/.test(log) ? [] : ['the log of queue-0 does not name the row that cannot be decoded'];
    report.check('a bad row is reported by its id', said);
    await client.query(`UPDATE mail.waiting SET due_at = 1 WHERE queue_id = $1`, [real]);
    const stuck = context.book.missing();
    for (const token of stuck) {
      if (!(await waitArrived(context, token, 60_000))) report.check('the mail whose row was copied arrives', [token]);
    }
    await client.query(`DELETE FROM mail.waiting WHERE queue_id LIKE 'badrow%'`);
  } finally {
    await client.end();
  }
  watch.stop();
  report.check('no process ended by bad rows', await watch.changes());
}
