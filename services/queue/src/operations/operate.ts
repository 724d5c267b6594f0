/**
 * Hold, release, retry, bounce, delete what a selection names, in pages of one transaction each, within the scope of the caller. What is out for an
 * attempt can be held (it stays if the attempt fails) but not bounced or deleted: its attempt ends first. Every change is a trace event with
 * who and why. Released quarantine gets the lifetime of new mail.
 */
import { PosternError } from '@postern/errors';
import { type Outcome, OutcomeKind } from '@postern/proto/mail/v1/outcome';
import { type OperateRequest, type OperateResponse, Operation } from '@postern/proto/queue/v1/queue_service';
import { closeRow } from '../expiry.js';
import { decideNotice } from '../notice.js';
import type { Settled } from '../settle.js';
import type { Database, Transaction } from '../store/database.js';
import { recordTrace } from '../store/records.js';
import { type TakenColumns, takenColumns, takenRow } from '../store/rows.js';
import { printable } from '../unit-change.js';
import { assertSelective, type Condition, conditionOf, named } from './selection.js';
import { countUnfit, fits, type KnownOperation } from './unfit.js';

export interface OperateParts {
  readonly database: Database;
  readonly settle: (transaction: Transaction, outcomes: readonly Outcome[]) => Promise<Settled>;
  readonly onSettled: (outcomes: readonly Outcome[], settled: Settled) => void;
  readonly lifetimeMs: number;
}

const page = 500;
/** One call changes at most this many; the caller repeats. */
const mostPerCall = 100_000;
const longestReason = 300;

type RowOperation = Operation.RETRY | Operation.HOLD | Operation.RELEASE;
type CloseOperation = Operation.BOUNCE | Operation.DELETE;

const names = {
  [Operation.RETRY]: 'retry',
  [Operation.HOLD]: 'hold',
  [Operation.RELEASE]: 'release',
  [Operation.BOUNCE]: 'bounce',
  [Operation.DELETE]: 'delete',
} as const;

/** How rows are changed; `g` holds the time and the new end of what is released. What was due already stays so:
 * the time tells whether it may have been dispatched before. */
const changes: Record<RowOperation, string> = {
  [Operation.RETRY]: `due_at = least(due_at, g.now)`,
  [Operation.HOLD]: `state = 'held'`,
  [Operation.RELEASE]: `state = CASE WHEN out THEN 'dispatched' ELSE 'ready' END, due_at = g.now,
          expires_at = CASE WHEN attempt = 0 THEN g.fresh_end ELSE expires_at END`,
};

/** Numbers of a condition moved up by `by`, to stand behind other parameters. */
const shifted = (where: string, by: number): string =>
  where.replace(/\$(\d+)/g, (_, number) => `$${Number(number) + by}`);

export async function operate(
  parts: OperateParts,
  scope: string,
  request: OperateRequest,
  nowMs: number,
): Promise<OperateResponse> {
  assertSelective(request.selection);
  const operation = knownOperation(request.operation);
  const condition = conditionOf(request.selection, request.tenant, nowMs);
  const unfit = await parts.database.scoped(scope, (transaction) =>
    countUnfit(transaction, operation, request.selection, condition),
  );
  let changed = 0;
  const unreported: Record<string, number> = {};
  let after: readonly [string, string] = ['', ''];
  while (changed < mostPerCall) {
    const done = await parts.database.scoped(scope, (transaction) => {
      if (operation === Operation.BOUNCE || operation === Operation.DELETE)
        return closePage(parts, transaction, operation, condition, request, nowMs, after);
      return changePage(parts, transaction, operation, condition, request, nowMs, after);
    });
    changed += done.changed;
    for (const why of done.unreported ?? []) unreported[why] = (unreported[why] ?? 0) + 1;
    done.committed?.();
    if (done.last === undefined) break;
    after = done.last;
  }
  return { changed, unreported, unfit };
}

function knownOperation(operation: Operation): KnownOperation {
  switch (operation) {
    case Operation.RETRY:
    case Operation.HOLD:
    case Operation.RELEASE:
    case Operation.BOUNCE:
    case Operation.DELETE:
      return operation;
    default:
      throw new PosternError('invalid-argument', 'operation: one of retry, hold, release, bounce, delete');
  }
}

interface Page {
  readonly changed: number;
  /** Why senders of what was bounced get no report, each. */
  readonly unreported?: readonly string[];
  /** Where to go on; undefined = the end. */
  readonly last: readonly [string, string] | undefined;
  readonly committed?: () => void;
}

async function changePage(
  { lifetimeMs }: OperateParts,
  transaction: Transaction,
  operation: RowOperation,
  condition: Condition,
  request: OperateRequest,
  nowMs: number,
  after: readonly [string, string],
): Promise<Page> {
  const rows = await transaction.query<{ queue_id: string; recipient: string; tenant: string; reverse_path: string }>(
    named(
      `UPDATE mail.waiting w SET ${changes[operation]}, updated_at = g.now FROM (SELECT $1::bigint AS now, $2::bigint AS fresh_end) g, (
         SELECT queue_id, recipient FROM mail.waiting
         WHERE ${shifted(condition.where, 5)} AND ${fits[operation]} AND (queue_id, recipient) > ($3::text, $4::text)
         ORDER BY queue_id, recipient LIMIT $5::int FOR UPDATE) s
       WHERE w.queue_id = s.queue_id AND w.recipient = s.recipient
       RETURNING w.queue_id, w.recipient, w.tenant, w.reverse_path`,
    ),
    [nowMs, nowMs + lifetimeMs, ...after, page, ...condition.values],
  );
  await note(
    transaction,
    operation,
    request,
    nowMs,
    rows.map(({ queue_id, ...rest }) => ({ queueId: queue_id, ...rest })),
  );
  return {
    changed: rows.length,
    last: rows.length < page ? undefined : lastOf(rows.map((row) => [row.queue_id, row.recipient])),
  };
}

async function closePage(
  parts: OperateParts,
  transaction: Transaction,
  operation: CloseOperation,
  condition: Condition,
  request: OperateRequest,
  nowMs: number,
  after: readonly [string, string],
): Promise<Page> {
  const raw = await transaction.query<TakenColumns>(
    named(
      `SELECT ${takenColumns} FROM mail.waiting WHERE ${shifted(condition.where, 3)} AND ${fits[operation]} AND (queue_id, recipient) > ($1::text, $2::text)
       ORDER BY queue_id, recipient LIMIT $3::int FOR UPDATE`,
    ),
    [...after, page, ...condition.values],
  );
  const rows = raw.map(takenRow);
  if (rows.length === 0) return { changed: 0, last: undefined };
  const reason = printable(request.reason).slice(0, longestReason);
  const bounce = operation === Operation.BOUNCE;
  const outcomes = rows.map((row) =>
    closeRow(
      row,
      bounce ? OutcomeKind.BOUNCED : OutcomeKind.DELETED,
      nowMs,
      bounce ? reason || 'returned by the operator' : reason,
      bounce ? '5.7.1' : '',
      !bounce,
    ),
  );
  const settled = await parts.settle(transaction, outcomes);
  await note(
    transaction,
    operation,
    request,
    nowMs,
    rows.map(({ queueId, recipient, tenant, item }) => ({
      queueId,
      recipient,
      tenant,
      reverse_path: item.reversePath,
    })),
  );
  const decisions = bounce ? rows.map(({ item, recipient }) => decideNotice('failure', item, recipient)) : [];
  return {
    changed: rows.length,
    unreported: decisions.filter((decision) => decision !== 'send'),
    last: rows.length < page ? undefined : lastOf(rows.map((row) => [row.queueId, row.recipient])),
    committed: () => parts.onSettled(outcomes, settled),
  };
}

/** UPDATE ... RETURNING has no order of its own. */
function lastOf(keys: readonly (readonly [string, string])[]): readonly [string, string] | undefined {
  return keys.reduce(
    (last, key) => (last[0] > key[0] || (last[0] === key[0] && last[1] > key[1]) ? last : key),
    ['', ''],
  );
}

function note(
  transaction: Transaction,
  operation: RowOperation | CloseOperation,
  request: OperateRequest,
  nowMs: number,
  rows: readonly {
    readonly queueId: string;
    readonly recipient: string;
    readonly tenant: string;
    readonly reverse_path: string;
  }[],
): Promise<void> {
  return recordTrace(
    transaction,
    rows.map(({ queueId, recipient, tenant, reverse_path: reversePath }) => ({
      at: nowMs,
      event: 'queue.recipient.operated',
      sessionId: '',
      queueId,
      tenant,
      reversePath,
      recipient,
      reply: '',
      detail: {
        operation: names[operation],
        actor: printable(request.actor).slice(0, longestReason),
        reason: printable(request.reason).slice(0, longestReason),
      },
    })),
  );
}
