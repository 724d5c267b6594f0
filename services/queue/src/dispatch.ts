/**
 * Rows that are due into WORK: round-robin by weighted tenant, then lane, within each lane's window (design.md, step 6). Rows are taken with
 * SKIP LOCKED, published with Msg-Id = item id, then marked in the same transaction; a crash between repeats the publish under the same id, and where that may
 * have been forgotten (`MetServer`) the item says so.
 * Waiting mail follows the routes of the snapshot in use now. Invariant: a row is marked only when WORK has its item.
 */
import type { Clock } from '@postern/clock';
import { failpoint } from '@postern/lifecycle';
import { type Item, LaneClass, type Route, UnitKind } from '@postern/proto/mail/v1/item';
import { type Outcome, OutcomeKind } from '@postern/proto/mail/v1/outcome';
import type { MetServer, Publisher } from '@postern/stream';
import { closeRow } from './expiry.js';
import { shareOut } from './fairness.js';
import { groupNumber, groupOf, itemId } from './item-id.js';
import { recipientsPerItem } from './items.js';
import type { LaneWindows } from './lanes.js';
import { publishItem } from './placer.js';
import type { PolicyInUse } from './policy-in-use.js';
import { ruleDetail } from './rules/applied-rule.js';
import type { DeliveryRuling } from './rules/rule-observer.js';
import { type RuledRow, ruleRow } from './rules/ruled-rows.js';
import type { Settled } from './settle.js';
import type { Database, Transaction } from './store/database.js';
import { recordTrace } from './store/records.js';
import {
  type DueLane,
  dueLanes,
  holdRows,
  markDispatched,
  postponeRows,
  type TakenRow,
  takeDue,
} from './store/rows.js';

export interface DispatchParts {
  readonly clock: Clock;
  readonly database: Database;
  readonly publisher: Publisher;
  readonly met: Pick<MetServer, 'isInDoubt' | 'doubt'>;
  readonly windows: LaneWindows;
  readonly policy: () => PolicyInUse;
  readonly batch: number;
  readonly ruling: DeliveryRuling;
  readonly settle: (transaction: Transaction, outcomes: readonly Outcome[]) => Promise<Settled>;
  readonly onSettled: (outcomes: readonly Outcome[], settled: Settled) => void;
  readonly onDispatched: (rows: number, items: number) => void;
  /** A row whose item cannot be read was put on hold. */
  readonly onUnreadable: (queueId: string, recipient: string) => void;
}

export interface Dispatcher {
  /** True: there is more to do now. */
  round(): Promise<boolean>;
  /** Lanes that had rows when last looked at. */
  isWaiting(tenant: string, lane: string): boolean;
}

const lanesPerRound = 500;
const rowsCountedPerLane = 200;
/** A publish inside a transaction may not hold it long. */
const publishDeadlineMs = 5_000;

const start = { tenant: '', lane: '' };

export function createDispatcher(parts: DispatchParts): Dispatcher {
  let after = start;
  let rounds = 0;
  let seen = new Set<string>();
  let seenBefore = new Set<string>();
  const key = (tenant: string, lane: string): string => `${tenant}\n${lane}`;

  const look = async (nowMs: number): Promise<DueLane[]> => {
    const lanes = await parts.database.service((transaction) =>
      dueLanes(transaction, after, nowMs, { lanes: lanesPerRound, rows: rowsCountedPerLane }),
    );
    for (const { tenant, lane } of lanes) seen.add(key(tenant, lane));
    const last = lanes.at(-1);
    after = last === undefined || lanes.length < lanesPerRound ? start : { tenant: last.tenant, lane: last.lane };
    if (after === start) {
      seenBefore = seen;
      seen = new Set();
    }
    return lanes;
  };
  return {
    isWaiting: (tenant, lane) => seenBefore.has(key(tenant, lane)) || seen.has(key(tenant, lane)),
    async round() {
      const policy = parts.policy();
      const nowMs = parts.clock.now();
      const lanes = await look(nowMs);
      const demands = lanes
        .filter(({ tenant, due }) => due > 0 && !policy.isSuspended(tenant))
        .map(({ tenant, lane, due }) => ({ tenant, lane, wanted: Math.min(due, parts.windows.room(tenant, lane)) }));
      const quotas = shareOut(demands, policy.weightOf, parts.batch, rounds++);
      if (quotas.length === 0) return after !== start;
      const { taken, committed } = await parts.database.service((transaction) =>
        dispatchRows(parts, policy, transaction, quotas, nowMs),
      );
      committed?.();
      return after !== start || taken >= parts.batch;
    },
  };
}

async function dispatchRows(
  parts: DispatchParts,
  policy: PolicyInUse,
  transaction: Transaction,
  quotas: Parameters<typeof takeDue>[1],
  nowMs: number,
): Promise<Dispatched> {
  const taken = await takeDue(transaction, quotas, nowMs);
  const unreadable = taken.filter((row) => row.unreadable);
  const ask = parts.ruling.relay(policy);
  const ruled = taken.filter((row) => !row.unreadable).map((row) => ruleRow(row, policy, ask));
  const { items, unrouted } = itemsOf(ruled.filter(({ kind }) => kind === 'go'));
  const sent = await Promise.all(
    items.map(async (made) => {
      const step = await publishItem(parts.publisher, made.item, {
        deadlineMs: publishDeadlineMs,
        again: made.rows.some(({ dueAt }) => parts.met.isInDoubt(dueAt)),
      });
      if (step.done) parts.windows.take(made.item.tenant, made.route.lane, 1);
      else parts.met.doubt();
      return step.done ? made : undefined;
    }),
  );
  failpoint('queue.after-dispatch-publish');
  const placed = sent.filter((made) => made !== undefined);
  const marks = placed.flatMap(({ rows: members, route }) =>
    members.map(({ queueId, recipient }) => ({ queueId, recipient, lane: route.lane, pool: route.egressPool })),
  );
  await markDispatched(transaction, marks, nowMs);
  const put = (kind: RuledRow['kind']): Unrouted[] =>
    ruled
      .filter((one) => one.kind === kind)
      .map(({ row, text }) => ({ queueId: row.queueId, recipient: row.recipient, reason: text }));
  await postponeRows(transaction, [...unrouted, ...put('defer')], nowMs + policy.schedule.firstMs);
  const held = unreadable.map(({ queueId, recipient }) => ({
    queueId,
    recipient,
    reason: 'the stored item is unreadable',
  }));
  await holdRows(transaction, [...held, ...put('hold')], nowMs);
  const committed = ask === undefined ? undefined : await endRuled(parts, transaction, ruled, nowMs);
  for (const { queueId, recipient } of unreadable) parts.onUnreadable(queueId, recipient);
  parts.onDispatched(marks.length, placed.length);
  // Nothing could be published: WORK is full or away. Pause instead of trying the same rows at once.
  return { taken: placed.length === 0 && items.length > 0 ? 0 : taken.length, committed };
}

interface Dispatched {
  readonly taken: number;
  /** To be done when the transaction stands. */
  readonly committed: (() => void) | undefined;
}

/** What rules end here, and the trace of all they decided. */
async function endRuled(
  { settle, onSettled, ruling }: DispatchParts,
  transaction: Transaction,
  ruled: readonly RuledRow[],
  nowMs: number,
): Promise<() => void> {
  const outcomes = ruled.flatMap(({ row, kind, text, enhanced }) => {
    if (kind === 'bounce') return [closeRow(row, OutcomeKind.BOUNCED, nowMs, text, enhanced, false)];
    return kind === 'discard' ? [closeRow(row, OutcomeKind.DISCARDED, nowMs, text, enhanced, true)] : [];
  });
  const settled = outcomes.length === 0 ? undefined : await settle(transaction, outcomes);
  await recordTrace(
    transaction,
    ruled.flatMap(({ row, applied }) =>
      applied.map((rule) => ({
        at: nowMs,
        event: 'queue.rule.applied',
        sessionId: row.item.sessionId,
        queueId: row.queueId,
        tenant: row.tenant,
        reversePath: row.item.reversePath,
        recipient: row.recipient,
        reply: '',
        detail: ruleDetail(rule),
      })),
    ),
  );
  return () => {
    for (const { row, applied } of ruled) ruling.applied(row.queueId, applied);
    if (settled !== undefined) onSettled(outcomes, settled);
  };
}

interface MadeItem {
  readonly item: Item;
  readonly route: Route;
  readonly rows: readonly TakenRow[];
}

interface Unrouted {
  readonly queueId: string;
  readonly recipient: string;
  readonly reason: string;
}

/** Rows of one message, group, attempt and lane leave together. */
export function itemsOf(rows: readonly Pick<RuledRow, 'row' | 'result'>[]): {
  readonly items: MadeItem[];
  readonly unrouted: Unrouted[];
} {
  const groups = new Map<string, { route: Route; rows: TakenRow[] }[]>();
  const unrouted: Unrouted[] = [];
  for (const { row, result } of rows) {
    if (result.kind === 'unrouted') {
      unrouted.push({ queueId: row.queueId, recipient: row.recipient, reason: result.reason });
      continue;
    }
    const { route } = result;
    const schedule = row.item.retryDelaysMs.length === 0 ? '' : `\n${row.item.retryDelaysMs.join()}`;
    const end = schedule === '' ? '' : `\n${row.item.expiresAtMs}`;
    const key = `${row.queueId}\n${row.group}\n${row.attempt}\n${route.egressPool}\n${route.lane}\n${route.domain}${schedule}${end}`;
    const list = groups.get(key);
    const last = list?.at(-1);
    if (last !== undefined && last.rows.length < recipientsPerItem) last.rows.push(row);
    else if (list !== undefined) list.push({ route, rows: [row] });
    else groups.set(key, [{ route, rows: [row] }]);
  }
  const items: MadeItem[] = [];
  for (const [key, list] of groups)
    for (const { route, rows: members } of list) items.push(toItem(key, route, members));
  return { items, unrouted };
}

function toItem(key: string, route: Route, rows: readonly TakenRow[]): MadeItem {
  const sorted = [...rows].sort((a, b) => (a.recipient < b.recipient ? -1 : 1));
  const [first] = sorted;
  if (first === undefined) throw new RangeError('an item needs a recipient');
  const attempt = first.attempt + 1;
  const addresses = sorted.map(({ recipient }) => recipient);
  const isWhole = groupOf(first.tenant, first.item.route ?? route, addresses) === first.group;
  // All that intake had planned together make the item that it makes of them when the message comes from SPOOL again.
  const group = isWhole ? groupOf(first.tenant, route, addresses) : groupNumber([key, ...addresses]);
  const laneClass = first.item.unitKind === UnitKind.GENERATED ? LaneClass.DSN : route.laneClass;
  return {
    rows: sorted,
    route,
    item: {
      ...first.item,
      itemId: itemId(first.queueId, group, attempt),
      group,
      attempt,
      route: { ...route, laneClass },
      recipients: sorted.flatMap(({ item }) => item.recipients),
      body: { place: { $case: 'bodyId', value: first.bodyId } },
      delayNotified: sorted.every(({ delayNotified }) => delayNotified),
    },
  };
}
