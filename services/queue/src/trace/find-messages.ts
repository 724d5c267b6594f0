/**
 * Messages that were accepted, newest first: by an id, or by the addresses given, all of which must be right. Each statement goes by the index of the address that
 * is the most particular. Runs in the scope of whoever asks.
 */
import type { TraceRequest } from '@postern/proto/queue/v1/queue_service';
import type { Statement, Transaction } from '../store/database.js';
import { isAddress, spellingsOf } from '../store/folded-address.js';
import type { MessageRow } from './acceptance.js';

/** How a request asks for the null reverse-path. */
export const nullPath = '<>';

/** By name: a statement that stands goes on while the next release adds columns. */
const columns = (table: string): string =>
  [
    'queue_id',
    'session_id',
    'parent',
    'reverse_path',
    'accepted_at',
    'size',
    'unjudged',
    'message_id',
    'detail',
    'tenants',
  ]
    .map((column) => `${table}.${column}`)
    .join(', ');

const byId: Statement = {
  name: 'trace-by-id',
  text: `SELECT ${columns('messages')} FROM mail.messages WHERE queue_id = $1 OR session_id = $1 OR (message_id = $1 AND message_id <> '') ORDER BY queue_id DESC LIMIT $2::int`,
};
/** By the newest of what each condition finds; `from`: where the conditions look, with the messages as `n`. */
const by = (name: string, from: string, conditions: readonly string[], more = ''): Statement => ({
  name,
  text: `SELECT ${columns('m')} FROM mail.messages m WHERE m.queue_id IN (${conditions
    .map(
      (condition) => `(SELECT n.queue_id FROM ${from}
           WHERE ${condition} AND n.accepted_at >= $1::bigint AND n.accepted_at <= $2::bigint${more}
           ORDER BY n.queue_id DESC LIMIT $3::int)`,
    )
    .join(' UNION ')})
         ORDER BY m.queue_id DESC LIMIT $3::int`,
});
const messages = 'mail.messages n';
const isClient = "n.client_address = $4 AND n.client_address <> ''";
const byReversePath = by('trace-by-reverse-path', messages, spellingsOf('reverse_path', '$4::text', 'n.'));
const byClient = by('trace-by-client', messages, [isClient]);
const byClientAndReversePath = by('trace-by-client-and-reverse-path', messages, [
  `${isClient} AND ${isAddress('reverse_path', '$5::text', 'n.')}`,
]);
const byRecipient = by(
  'trace-by-recipient',
  'mail.recipients r JOIN mail.messages n ON n.queue_id = r.queue_id',
  spellingsOf('recipient', '$4::text', 'r.'),
  ` AND ($5 = '' OR ${isAddress('reverse_path', "replace($5, '<>', '')", 'n.')}) AND ($6 = '' OR n.client_address = $6)`,
);

export function findMessages(transaction: Transaction, request: TraceRequest, limit: number): Promise<MessageRow[]> {
  const { id, recipient, reversePath, clientAddress, fromMs, toMs } = request;
  if (id !== '') return transaction.query(byId, [id.replace(/^<(.*)>$/, '$1'), limit]);
  const bounds = [fromMs, toMs || Number.MAX_SAFE_INTEGER, limit];
  if (recipient !== '') return transaction.query(byRecipient, [...bounds, recipient, reversePath, clientAddress]);
  const sender = reversePath === nullPath ? '' : reversePath;
  if (clientAddress === '') return transaction.query(byReversePath, [...bounds, sender]);
  if (reversePath === '') return transaction.query(byClient, [...bounds, clientAddress]);
  return transaction.query(byClientAndReversePath, [...bounds, clientAddress, sender]);
}
