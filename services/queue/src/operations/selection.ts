/** A selection as a WHERE clause over `mail.waiting`, all values as parameters. The text depends only on which fields are given. */
import { createHash } from 'node:crypto';
import { PosternError } from '@postern/errors';
import type { Selection } from '@postern/proto/queue/v1/queue_service';
import type { Statement } from '../store/database.js';

export interface Condition {
  readonly where: string;
  readonly values: readonly unknown[];
}

const states = ['ready', 'deferred', 'held', 'quarantined', 'dispatched'];
const mostQueueIds = 1_000;

/** Addresses are meant however they were written: of what waits no index goes by them. `tenant` restricts besides the scope; empty = not. Values start at $1. */
export function conditionOf(selection: Selection | undefined, tenant: string, nowMs: number): Condition {
  const parts: string[] = [];
  const values: unknown[] = [];
  const add = (text: string, value: unknown): void => {
    values.push(value);
    parts.push(text.replace('?', `$${values.length}`));
  };
  if (tenant !== '') add('tenant = ?', tenant);
  if (selection !== undefined) {
    if (selection.queueIds.length > mostQueueIds)
      throw new PosternError('invalid-argument', `selection.queue_ids: at most ${mostQueueIds}`);
    if (selection.queueIds.length > 0) add('queue_id = ANY (?::text[])', selection.queueIds);
    if (selection.domain !== '') add('domain = ?', selection.domain.toLowerCase());
    if (selection.lane !== '') add('lane = ?', selection.lane);
    if (selection.recipient !== '') add('lower(recipient) = lower(?)', selection.recipient);
    if (selection.reversePath !== '') add('lower(reverse_path) = lower(?)', selection.reversePath);
    if (selection.state !== '') {
      if (!states.includes(selection.state))
        throw new PosternError('invalid-argument', `selection.state: one of ${states.join(', ')}`);
      add('state = ?', selection.state);
    }
    if (selection.olderThanMs > 0) add('accepted_at <= ?::bigint', nowMs - selection.olderThanMs);
  }
  return { where: parts.length === 0 ? 'true' : parts.join(' AND '), values };
}

/** An operation must say what it means: some field, or `all`. */
export function assertSelective(selection: Selection | undefined): void {
  const given =
    selection !== undefined &&
    (selection.all ||
      selection.queueIds.length > 0 ||
      selection.olderThanMs > 0 ||
      [selection.domain, selection.lane, selection.recipient, selection.reversePath, selection.state].some(
        (text) => text !== '',
      ));
  if (!given) throw new PosternError('invalid-argument', 'selection: give at least one field, or all');
}

/** One prepared statement per text. */
export const named = (text: string): Statement => ({
  name: `op-${createHash('sha256').update(text).digest('hex').slice(0, 24)}`,
  text,
});
