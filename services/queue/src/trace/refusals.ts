/**
 * What was refused, and so has no message: by id, or by the addresses its steps name. A refusal before DATA is one of its session; a refused message
 * has a queue id of its own, also beside messages of the same session that were taken. A refused login is found by who tried, as a sender.
 * Bounded: the newest steps only are looked at.
 */
import type { TraceRequest } from '@postern/proto/queue/v1/queue_service';
import type { Statement, Transaction } from '../store/database.js';

/** Steps looked at of each kind; several are of one refusal. */
const newest = 2_000;

export interface Refusal {
  readonly sessionId: string;
  /** Of the message that was refused, or was taken and is not queued; empty = nothing came to DATA. */
  readonly queueId: string;
  readonly atMs: number;
}

interface Row extends Record<string, unknown> {
  readonly session_id: string;
  readonly queue_id: string;
  readonly last: number;
}

const steps = (condition: string): string =>
  `(SELECT session_id, queue_id, at FROM mail.trace_events WHERE session_id <> '' AND ${condition} ORDER BY at DESC LIMIT ${newest})`;

const statement = (name: string, limit: string, ...conditions: readonly string[]): Statement => ({
  name,
  text: `WITH found AS (${conditions.map(steps).join(' UNION ALL ')})
         SELECT session_id, queue_id, max(at) AS last FROM found
         WHERE queue_id = '' OR NOT EXISTS (SELECT 1 FROM mail.messages m WHERE m.queue_id = found.queue_id)
         GROUP BY session_id, queue_id ORDER BY last DESC LIMIT ${limit}::int`,
});

const byId = statement('trace-refused-id', '$2', 'session_id = $1', "queue_id = $1 AND queue_id <> ''");

/** The kinds of steps apart: each has an index of its own. */
const byAddress = (name: string, address: string, ...more: readonly string[]): Statement =>
  statement(
    name,
    '$5',
    ...[`${address} AND queue_id = ''`, `${address} AND event = 'edge.message.rejected'`, ...more].map(
      (condition) => `${condition} AND at >= $3::bigint AND at <= $4::bigint`,
    ),
  );
const isRecipient = "recipient = $1 AND recipient <> ''";
const isReversePath = "reverse_path = $2 AND reverse_path <> ''";
const isLogin = "detail ->> 'user' = $2 AND event IN ('edge.login.refused', 'edge.login.unavailable')";

const byRecipient = byAddress('trace-refused-recipient', `${isRecipient} AND $2 = ''`);
const byReversePath = byAddress('trace-refused-reverse-path', `${isReversePath} AND $1 = ''`, isLogin);
const byBoth = byAddress('trace-refused-both', `${isRecipient} AND ${isReversePath}`);

function statementFor({ recipient, reversePath }: TraceRequest): Statement {
  if (recipient === '') return byReversePath;
  return reversePath === '' ? byRecipient : byBoth;
}

/** Newest first, without what the steps of these sessions show already. */
export async function findRefusals(
  transaction: Transaction,
  request: TraceRequest,
  limit: number,
  shown: ReadonlySet<string>,
): Promise<Refusal[]> {
  const { id, recipient, reversePath, fromMs, toMs } = request;
  // Of three rows at most one is a session of a message shown, and one a session of a refused message that is a row too.
  const most = 3 * limit;
  const rows =
    id === ''
      ? await transaction.query<Row>(statementFor(request), [
          recipient,
          reversePath,
          fromMs,
          toMs || Number.MAX_SAFE_INTEGER,
          most,
        ])
      : await transaction.query<Row>(byId, [id, most]);
  const messages = rows.filter(({ queue_id }) => queue_id !== '');
  const covered = new Set([...shown, ...messages.map(({ session_id }) => session_id)]);
  return rows
    .filter(({ session_id, queue_id }) => queue_id !== '' || !covered.has(session_id))
    .map(({ session_id, queue_id, last }) => ({ sessionId: session_id, queueId: queue_id, atMs: last }));
}
