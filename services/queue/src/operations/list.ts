/** What waits, a page at a time by key: stable while rows come and go. */
import { PosternError } from '@postern/errors';
import type { ListItemsRequest, ListItemsResponse } from '@postern/proto/queue/v1/queue_service';
import type { Transaction } from '../store/database.js';
import { conditionOf, named } from './selection.js';

const defaultPage = 100;
const largestPage = 1_000;

/** Where the next page begins. */
function readToken(token: string): readonly [string, string] {
  if (token === '') return ['', ''];
  const text = Buffer.from(token, 'base64url').toString('utf8');
  const split = text.indexOf('\n');
  if (split < 0) throw new PosternError('invalid-argument', 'page_token: not one of ours');
  return [text.slice(0, split), text.slice(split + 1)];
}

export async function listItems(
  transaction: Transaction,
  request: ListItemsRequest,
  nowMs: number,
): Promise<ListItemsResponse> {
  const size = Math.min(request.pageSize || defaultPage, largestPage);
  const { where, values } = conditionOf(request.selection, request.tenant, nowMs);
  const next = values.length;
  const rows = await transaction.query<{
    queue_id: string;
    recipient: string;
    reverse_path: string;
    tenant: string;
    lane: string;
    state: string;
    attempt: number;
    due_at: number;
    expires_at: number;
    accepted_at: number;
    last_reply: string;
    size: number;
  }>(
    named(
      `SELECT queue_id, recipient, reverse_path, tenant, lane, state, attempt, due_at, expires_at, accepted_at, last_reply, size
       FROM mail.waiting WHERE ${where} AND (queue_id, recipient) > ($${next + 1}::text, $${next + 2}::text)
       ORDER BY queue_id, recipient LIMIT $${next + 3}::int`,
    ),
    [...values, ...readToken(request.pageToken), size],
  );
  const last = rows.length === size ? rows.at(-1) : undefined;
  return {
    items: rows.map((row) => ({
      queueId: row.queue_id,
      recipient: row.recipient,
      reversePath: row.reverse_path,
      tenant: row.tenant,
      lane: row.lane,
      state: row.state,
      attempts: row.attempt,
      dueAtMs: row.due_at,
      expiresAtMs: row.expires_at,
      acceptedAtMs: row.accepted_at,
      lastReply: row.last_reply,
      size: row.size,
    })),
    nextPageToken: last === undefined ? '' : Buffer.from(`${last.queue_id}\n${last.recipient}`).toString('base64url'),
  };
}
