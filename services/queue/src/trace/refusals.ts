/**
 * What was refused, and so has no message: by id, or by the addresses its steps name. A refusal before DATA is one of its session; a refused message
 * has a queue id of its own, also beside messages of the same session that were taken. A refused login is found by who tried, as a sender; of a
 * client every session without a message.
 * Bounded: the newest steps only are looked at.
 */
import type { TraceRequest } from '@postern/proto/queue/v1/queue_service';
import type { Statement, Transaction } from '../store/database.js';
import { isAddress, spellingsOf } from '../store/folded-address.js';

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

/** `$1` to `$3`: from, to, how many; `more`: what else holds of what is found. */
const statement = (name: string, conditions: readonly string[], more = ''): Statement => ({
  name,
  text: `WITH found AS (${conditions.map((condition) => steps(`${condition} AND at >= $1::bigint AND at <= $2::bigint`)).join(' UNION ALL ')})
         SELECT session_id, queue_id, max(at) AS last FROM found
         WHERE (queue_id = '' OR NOT EXISTS (SELECT 1 FROM mail.messages m WHERE m.queue_id = found.queue_id))${more}
         GROUP BY session_id, queue_id ORDER BY last DESC LIMIT $3::int`,
});

const byId = statement('trace-refused-id', ['session_id = $4', "queue_id = $4 AND queue_id <> ''"]);

const columns = { recipient: 'recipient', reversePath: 'reverse_path', clientAddress: 'client_address' } as const;
type Address = keyof typeof columns;

/** Steps of a client are not of refusals alone (a login): its messages tell of their own sessions. */
const withoutMessages = ` AND (queue_id <> '' OR NOT EXISTS (SELECT 1 FROM mail.messages m
           WHERE m.session_id = found.session_id AND m.accepted_at >= $1::bigint AND m.accepted_at <= $2::bigint))`;

/** Ways to find the address by an index, given first; then what else has to hold. */
function waysTo(address: Address, parameter: string): string[] {
  const column = columns[address];
  if (column === 'client_address') return [`${column} = ${parameter} AND ${column} <> ''`];
  return spellingsOf(column, parameter).map((spelling) => `${spelling} AND ${column} <> ''`);
}

/** By all the addresses that are given, `$4` and on. The kinds of steps apart: each has an index of its own. */
function byAddresses(given: readonly Address[]): Statement {
  const parameter = (address: Address): string => `$${4 + given.indexOf(address)}::text`;
  const is = (address: Address): string => {
    const column = columns[address];
    return column === 'client_address'
      ? `${column} = ${parameter(address)} AND ${column} <> ''`
      : `${isAddress(column, parameter(address))} AND ${column} <> ''`;
  };
  const [first, ...rest] = given;
  const ways = first === undefined ? [] : waysTo(first, parameter(first));
  const all = ways.map((way) => [way, ...rest.map(is)].join(' AND '));
  // Who tried to log in is a sender, and has named no recipient.
  const user = `lower(detail ->> 'user') = lower(${parameter('reversePath')})`;
  const others = given.filter((address) => address !== 'reversePath').map(is);
  const login = [user, ...others, "event IN ('edge.login.refused', 'edge.login.unavailable')"].join(' AND ');
  const hasLogin = given.includes('reversePath') && !given.includes('recipient');
  return statement(
    `trace-refused-${given.map((address) => columns[address]).join('-')}`,
    [
      ...all.map((condition) => `${condition} AND queue_id = ''`),
      ...all.map((condition) => `${condition} AND event = 'edge.message.rejected'`),
      ...(hasLogin ? [login] : []),
    ],
    given.length === 1 && given[0] === 'clientAddress' ? withoutMessages : '',
  );
}

/** Newest first, without what the steps of these sessions show already. */
export async function findRefusals(
  transaction: Transaction,
  request: TraceRequest,
  limit: number,
  shown: ReadonlySet<string>,
): Promise<Refusal[]> {
  const { id, fromMs, toMs } = request;
  // Of three rows at most one is a session of a message shown, and one a session of a refused message that is a row too.
  const most = 3 * limit;
  const given = (['recipient', 'reversePath', 'clientAddress'] as const).filter((address) => request[address] !== '');
  const rows =
    id === ''
      ? await transaction.query<Row>(byAddresses(given), [
          ...[fromMs, toMs || Number.MAX_SAFE_INTEGER, most],
          ...given.map((address) => request[address]),
        ])
      : await transaction.query<Row>(byId, [0, Number.MAX_SAFE_INTEGER, most, id]);
  const messages = rows.filter(({ queue_id }) => queue_id !== '');
  const covered = new Set([...shown, ...messages.map(({ session_id }) => session_id)]);
  return rows
    .filter(({ session_id, queue_id }) => queue_id !== '' || !covered.has(session_id))
    .map(({ session_id, queue_id, last }) => ({ sessionId: session_id, queueId: queue_id, atMs: last }));
}
