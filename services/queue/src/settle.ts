/**
 * A batch of outcomes in one transaction: units, rows of what waits, ledger counters, message summaries, bodies, notices asked for, trace.
 * Idempotent: a unit is created once and closed once, a row moves on by attempt; what changes nothing counts nothing. Two pods may settle
 * outcomes of the same unit in any order. Invariant: first final state wins, and a counter moves only in the transaction that moves its unit.
 */
import { Item } from '@postern/proto/mail/v1/item';
import { type Outcome, OutcomeKind } from '@postern/proto/mail/v1/outcome';
import { LedgerChanges } from './ledger.js';
import { decideNotice, NoticeCollector, type NoticeDecision } from './notice.js';
import { ruleDetail } from './rules/applied-rule.js';
import { delayNoticeDue, nextAttemptAt, type Schedule } from './schedule.js';
import type { Transaction } from './store/database.js';
import { insertRecipients, lockRecipients, type RecipientRow, unitKey, updateRecipients } from './store/recipients.js';
import { recordBodies, recordMessages, recordNotices, recordTrace, type TraceRow } from './store/records.js';
import { removeWaiting, upsertWaiting, type WaitingRow } from './store/waiting.js';
import type { Final, UnitChange, Wait } from './unit-change.js';

export interface SettleOptions {
  readonly schedule: Schedule;
  /** Ledger shard of this pod. */
  readonly shard: number;
  /** In [0, 1). */
  readonly random: () => number;
  /** False inside a tenant's scope, which may not write bodies: those of rows that waited are recorded already. */
  readonly withBodies: boolean;
}

export interface Settled {
  readonly ledger: LedgerChanges;
  /** Queue ids of which a unit was closed: their bodies may have become free. */
  readonly closed: ReadonlySet<string>;
  readonly notices: number;
  readonly suppressed: readonly {
    readonly queueId: string;
    readonly recipient: string;
    readonly why: NoticeDecision;
  }[];
  /** Units whose end was already recorded otherwise: reported, not counted. */
  readonly late: number;
  readonly deferred: number;
}

/** Another transaction made one of these rows between look and insert: begin again. */
export class UnitRace extends Error {}

interface Merged {
  readonly row: RecipientRow;
  readonly change: UnitChange;
  readonly closedNow: Final | undefined;
  readonly waitsNow: Wait | undefined;
  /** A row in `waiting` may exist from before. */
  readonly waitedBefore: boolean;
}

const open = 'open';

function merge(change: UnitChange, before: RecipientRow | undefined): Merged {
  const { created, final, wait } = change;
  const wasOpen = before === undefined || before.state === open;
  const closedNow = wasOpen ? final : undefined;
  const waitsNow = wasOpen && final === undefined ? wait : undefined;
  const fresh = closedNow ?? waitsNow;
  const attempts = Math.max(before?.attempts ?? 0, closedNow?.attempt ?? 0, wait?.attempt ?? 0);
  return {
    change,
    closedNow,
    waitsNow,
    waitedBefore: before?.waited ?? false,
    row: {
      queueId: change.queueId,
      recipient: change.recipient,
      tenant: before?.tenant ?? change.tenant,
      unitKind: before?.unitKind ?? created ?? null,
      state: closedNow?.state ?? before?.state ?? open,
      attempts: wasOpen ? attempts : (before?.attempts ?? 0),
      reply: fresh?.reply ?? before?.reply ?? '',
      at: fresh?.atMs ?? before?.at ?? change.atMs,
      parent: before === undefined || before.parent === '' ? change.parent : before.parent,
      waited: (before?.waited ?? false) || waitsNow !== undefined,
    },
  };
}

const changed = (before: RecipientRow, after: RecipientRow): boolean =>
  before.unitKind !== after.unitKind ||
  before.state !== after.state ||
  before.attempts !== after.attempts ||
  before.at !== after.at ||
  before.waited !== after.waited;

/** Writes units; returns what happened to each. */
async function writeUnits(
  transaction: Transaction,
  changes: readonly UnitChange[],
  ledger: LedgerChanges,
): Promise<Merged[]> {
  const ordered = [...changes].sort(byKey);
  const fresh = ordered.filter(({ created }) => created !== undefined).map((change) => merge(change, undefined));
  const inserted = await insertRecipients(
    transaction,
    fresh.map(({ row }) => row),
  );
  const done = fresh.filter(({ row }) => inserted.has(unitKey(row.queueId, row.recipient)));
  const rest = ordered.filter(({ queueId, recipient }) => !inserted.has(unitKey(queueId, recipient)));
  const before = await lockRecipients(transaction, rest);
  const updates: RecipientRow[] = [];
  const overtaking: RecipientRow[] = [];
  for (const change of rest) {
    const known = before.get(unitKey(change.queueId, change.recipient));
    const merged = merge(change, known);
    if (known === undefined) overtaking.push(merged.row);
    else if (changed(known, merged.row)) updates.push(merged.row);
    if (merged.row.unitKind !== null && (known?.unitKind ?? null) === null) countCreated(ledger, merged);
    done.push(merged);
  }
  for (const merged of fresh)
    if (inserted.has(unitKey(merged.row.queueId, merged.row.recipient))) countCreated(ledger, merged);
  for (const { closedNow, row } of done) if (closedNow !== undefined) ledger.add(row.tenant, closedNow.state);
  await updateRecipients(transaction, updates);
  const overtaken = await insertRecipients(transaction, overtaking);
  if (overtaken.size !== overtaking.length) throw new UnitRace('a unit was created at the same time');
  return done;
}

function countCreated(ledger: LedgerChanges, { row, change }: Merged): void {
  if (change.created !== undefined) ledger.add(row.tenant, change.created);
}

const byKey = (a: UnitChange, b: UnitChange): number => {
  if (a.queueId !== b.queueId) return a.queueId < b.queueId ? -1 : 1;
  if (a.recipient === b.recipient) return 0;
  return a.recipient < b.recipient ? -1 : 1;
};

export async function settle(
  transaction: Transaction,
  outcomes: readonly Outcome[],
  changes: readonly UnitChange[],
  options: SettleOptions,
): Promise<Settled> {
  const ledger = new LedgerChanges();
  const units = await writeUnits(transaction, changes, ledger);
  const notices = new NoticeCollector();
  const suppressed: { queueId: string; recipient: string; why: NoticeDecision }[] = [];
  const trace: TraceRow[] = [];
  const rows: WaitingRow[] = [];
  const closed = new Set<string>();
  let late = 0;
  for (const unit of units) {
    if (unit.closedNow !== undefined) {
      closed.add(unit.row.queueId);
      reportEnd(unit, unit.closedNow, notices, suppressed, trace);
    } else if (unit.change.final !== undefined && unit.change.final.state !== unit.row.state) late++;
    if (unit.closedNow !== undefined || unit.waitsNow !== undefined) reportRules(unit, trace);
    if (unit.waitsNow !== undefined) rows.push(waitingRow(unit, unit.waitsNow, notices, trace, options));
  }
  await upsertWaiting(transaction, rows);
  await removeWaiting(
    transaction,
    units.filter(({ closedNow, waitedBefore }) => closedNow !== undefined && waitedBefore).map(({ row }) => row),
  );
  await recordMessages(transaction, outcomes);
  if (options.withBodies) await recordBodies(transaction, outcomes);
  const asked = notices.notices();
  await recordNotices(transaction, asked);
  await recordTrace(transaction, trace);
  await ledger.write(transaction, options.shard);
  return { ledger, closed, notices: asked.length, suppressed, late, deferred: rows.length };
}

const recordedAs: Partial<Record<Final['state'], OutcomeKind>> = {
  bounced: OutcomeKind.BOUNCED,
  expired: OutcomeKind.EXPIRED,
  delivered: OutcomeKind.DELIVERED,
};

function reportEnd(
  { row, change }: Merged,
  final: Final,
  notices: NoticeCollector,
  suppressed: { queueId: string; recipient: string; why: NoticeDecision }[],
  trace: TraceRow[],
): void {
  const kind = recordedAs[final.state];
  if (kind === undefined) return;
  const { outcome, result, atMs } = final;
  const noticeKind = final.state === 'delivered' ? 'success' : 'failure';
  const decision = decideNotice(noticeKind, outcome.item, change.recipient);
  if (decision === 'send') notices.add({ kind: noticeKind, outcome, result, atMs, recordedAs: kind });
  if (final.state === 'delivered') return;
  if (decision !== 'send' && decision !== 'not-asked')
    suppressed.push({ queueId: row.queueId, recipient: row.recipient, why: decision });
  trace.push({
    at: atMs,
    event: `queue.recipient.${final.state}`,
    sessionId: outcome.item?.sessionId ?? '',
    queueId: row.queueId,
    tenant: row.tenant,
    reversePath: outcome.item?.reversePath ?? '',
    recipient: row.recipient,
    reply: final.reply,
    detail: { attempt: String(final.attempt), notice: decision },
  });
}

function reportRules({ row, change }: Merged, trace: TraceRow[]): void {
  const { outcome, atMs } = change.final ?? change.wait ?? {};
  for (const applied of change.ruled)
    trace.push({
      at: atMs ?? row.at,
      event: 'queue.rule.applied',
      sessionId: outcome?.item?.sessionId ?? '',
      queueId: row.queueId,
      tenant: row.tenant,
      reversePath: outcome?.item?.reversePath ?? '',
      recipient: row.recipient,
      reply: '',
      detail: ruleDetail(applied),
    });
}

/** What waits for a person has no next attempt, only its end. */
function whenOf(state: Wait['state'], dueAt: number, expiresAt: number): Record<string, string> {
  return state === 'held' || state === 'quarantined'
    ? { kept_until: new Date(expiresAt).toISOString() }
    : { next_attempt_at: new Date(dueAt).toISOString() };
}

function waitingRow(
  { row }: Merged,
  wait: Wait,
  notices: NoticeCollector,
  trace: TraceRow[],
  { schedule, random }: SettleOptions,
): WaitingRow {
  const { item, attempt, atMs, state } = wait;
  const recipients = item.recipients.filter(({ address }) => address === row.recipient);
  const dueAt =
    state === 'ready' ? atMs : nextAttemptAt(schedule, attempt, atMs, item.expiresAtMs, random(), item.retryDelaysMs);
  const delayed =
    state === 'deferred' &&
    delayNoticeDue(schedule, item.acceptedAtMs, atMs, item.delayNotified) &&
    decideNotice('delay', item, row.recipient) === 'send';
  if (delayed)
    notices.add({ kind: 'delay', outcome: wait.outcome, result: wait.result, atMs, recordedAs: OutcomeKind.DEFERRED });
  if (state !== 'ready')
    trace.push({
      at: atMs,
      event: `queue.recipient.${state}`,
      sessionId: item.sessionId,
      queueId: row.queueId,
      tenant: row.tenant,
      reversePath: item.reversePath,
      recipient: row.recipient,
      reply: wait.reply,
      detail: {
        attempt: String(attempt),
        lane: item.route?.lane ?? '',
        ...whenOf(state, dueAt, item.expiresAtMs),
      },
    });
  return {
    queueId: row.queueId,
    recipient: row.recipient,
    tenant: row.tenant,
    lane: item.route?.lane ?? '',
    egressPool: item.route?.egressPool ?? '',
    state,
    dueAt,
    expiresAt: item.expiresAtMs,
    acceptedAt: item.acceptedAtMs,
    attempt,
    group: item.group,
    item: Item.encode({ ...item, recipients, body: undefined, delayNotified: item.delayNotified || delayed }).finish(),
    bodyId: item.body?.place?.$case === 'bodyId' ? item.body.place.value : '',
    reversePath: item.reversePath,
    domain: row.recipient.slice(row.recipient.lastIndexOf('@') + 1).toLowerCase(),
    size: item.size,
    lastReply: wait.reply,
    siteFailure: wait.siteFailure,
    delayNotified: item.delayNotified || delayed,
    updatedAt: atMs,
  };
}
