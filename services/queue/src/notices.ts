/**
 * Notices that are owed become messages: built, placed like any mail, recorded as `generated`, and only then struck off the list, all while the
 * notice is locked, so that pods share the list. A crash between repeats the same message under the same queue id.
 */
import type { BodyStore } from '@postern/body-store';
import type { Clock } from '@postern/clock';
import { failpoint } from '@postern/lifecycle';
import type { Envelope } from '@postern/proto/mail/v1/envelope';
import { UnitKind } from '@postern/proto/mail/v1/item';
import { Outcome, OutcomeKind } from '@postern/proto/mail/v1/outcome';
import type { MetServer } from '@postern/stream';
import { buildDsn, type NoticeRow } from './dsn.js';
import type { LaneWindows } from './lanes.js';
import type { NoticeKind } from './notice.js';
import type { OutcomePublisher } from './outcome-publisher.js';
import { type Placement, placementOf } from './placement.js';
import type { Placer } from './placer.js';
import type { PolicyInUse } from './policy-in-use.js';
import type { AskRelay } from './rules/ruled-units.js';
import type { Database } from './store/database.js';
import { removeNotices, takeNotices } from './store/outbox.js';
import { recordTrace, type TraceRow } from './store/records.js';

export interface NoticeParts {
  readonly clock: Clock;
  readonly database: Database;
  readonly bodies: BodyStore;
  readonly placer: Placer;
  /** A report owed before that may be in WORK already. */
  readonly met: Pick<MetServer, 'isInDoubt' | 'doubt'>;
  readonly outcomes: OutcomePublisher;
  readonly windows: LaneWindows;
  readonly policy: () => PolicyInUse;
  readonly relay: (policy: PolicyInUse) => AskRelay | undefined;
  readonly returnLimit: number;
  readonly onNotice: (kind: NoticeKind, result: 'sent' | 'failed', queueId: string, detail: string) => void;
  /** Messages whose last report went out: their bodies may have become free. */
  readonly onDone: (queueIds: readonly string[]) => void;
}

const batch = 20;

export function noticesRound(parts: NoticeParts): () => Promise<boolean> {
  return async () => {
    const { taken, done } = await parts.database.service(async (transaction) => {
      const rows = await takeNotices(transaction, batch);
      const results = await Promise.all(rows.map(async (row) => ({ row, sent: await send(parts, row) })));
      const finished = results.filter(({ sent }) => sent !== undefined).map(({ row }) => row);
      if (finished.length > 0)
        await removeNotices(
          transaction,
          finished.map(({ noticeId }) => noticeId),
        );
      await recordTrace(
        transaction,
        results.flatMap(({ sent }) => sent ?? []),
      );
      return { taken: rows.length, done: finished };
    });
    parts.onDone(done.map(({ queueId }) => queueId));
    return taken >= batch && done.length > 0;
  };
}

/** Steps of the trace that name report and message to each other, none where nobody is to be told; undefined = not sent now. */
async function send(parts: NoticeParts, notice: NoticeRow): Promise<TraceRow[] | undefined> {
  const nowMs = parts.clock.now();
  const policy = parts.policy();
  try {
    const envelope = await buildDsn(notice, {
      hostname: policy.hostname,
      nowMs,
      returnLimit: parts.returnLimit,
      bodies: parts.bodies,
    });
    if (envelope === undefined) return [];
    const placement = generated(
      placementOf(envelope, {
        policy,
        relay: parts.relay(policy),
        nowMs,
        quarantineKeepMs: 0,
        admit: (tenant, lane) => parts.windows.admit(tenant, lane),
      }),
      notice.queueId,
    );
    const placed = await parts.placer.carryOut(envelope, placement, parts.met.isInDoubt(notice.atMs));
    if (placed.done) failpoint('queue.after-dsn-publish');
    else parts.met.doubt();
    const recorded = placed.done ? await parts.outcomes.publish(placement.outcomes) : placed;
    if (recorded.done) parts.onNotice(notice.kind, 'sent', notice.queueId, envelope.queueId);
    else parts.onNotice(notice.kind, 'failed', notice.queueId, recorded.reason);
    return recorded.done ? steps(notice, envelope, nowMs) : undefined;
  } catch (error) {
    parts.onNotice(notice.kind, 'failed', notice.queueId, error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

function steps(notice: NoticeRow, report: Envelope, at: number): TraceRow[] {
  const step = { at, event: 'queue.notice.sent', sessionId: '', tenant: notice.tenant, reply: '' };
  const sent = {
    ...step,
    queueId: notice.queueId,
    reversePath: report.forwardPaths[0]?.address ?? '',
    recipient: '',
    detail: { report: report.queueId, kind: notice.kind },
  };
  // Who submitted to another tenant sees no more of the end than that its sender was told.
  const submitter = Outcome.decode(notice.outcome).item?.submittingTenant ?? '';
  return [
    sent,
    ...(submitter === '' || submitter === notice.tenant ? [] : [{ ...sent, tenant: submitter }]),
    {
      ...step,
      queueId: report.queueId,
      reversePath: '',
      recipient: report.forwardPaths[0]?.address ?? '',
      detail: { about: notice.queueId, kind: notice.kind },
    },
  ];
}

/** The same placement with its units as generated here, from that message. */
function generated(placement: Placement, parentQueueId: string): Placement {
  return {
    ...placement,
    work: placement.work.map((item) => ({ ...item, unitKind: UnitKind.GENERATED })),
    outcomes: placement.outcomes.map((outcome) => ({
      ...outcome,
      parentQueueId,
      unitKind: UnitKind.GENERATED,
      kind: outcome.kind === OutcomeKind.ACCEPTED ? OutcomeKind.GENERATED : outcome.kind,
      item: outcome.item === undefined ? undefined : { ...outcome.item, unitKind: UnitKind.GENERATED },
    })),
  };
}
