/** Rows that are due, as relay rules decide: where each goes now, or that it does not. What an operator released is not held again by the same words. */
import type { Item } from '@postern/proto/mail/v1/item';
import type { PolicyInUse } from '../policy-in-use.js';
import type { RouteResult } from '../route.js';
import type { TakenRow } from '../store/rows.js';
import type { AppliedRule } from './applied-rule.js';
import { rescheduled, subjectOf } from './failure-rules.js';
import type { Relayed } from './relay-rules.js';
import type { AskRelay } from './ruled-units.js';

export interface RuledRow {
  readonly row: TakenRow;
  readonly result: RouteResult;
  readonly kind: Relayed['kind'];
  readonly text: string;
  readonly enhanced: string;
  readonly applied: readonly AppliedRule[];
}

const unruled = { kind: 'go', text: '', enhanced: '', applied: [] } as const;

export function ruleRow(row: TakenRow, policy: PolicyInUse, ask: AskRelay | undefined): RuledRow {
  const before = policy.router.routeAgain(row.recipient, row.item.route);
  if (ask === undefined) return { row, result: before, ...unruled };
  const route = before.kind === 'routed' ? before.route : undefined;
  const said = ask({ ...subjectOf(row.item, row.recipient, row.attempt + 1), route }, before);
  const item: Item = rescheduled(row.item, said.retry);
  const kind = said.kind === 'hold' && row.lastReply === said.text ? 'go' : said.kind;
  const { text, enhanced, applied } = said;
  return { row: { ...row, item }, result: said.route, kind, text, enhanced, applied };
}
