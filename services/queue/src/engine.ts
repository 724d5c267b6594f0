/**
 * The working parts of one queue pod over given connections: consumers of SPOOL and OUTCOMES and the background loops. Used by `wire.ts` with
 * real ones and by integration tests. Nothing runs before `start`; `drain` finishes what is in flight.
 */
import type { BodyStore } from '@postern/body-store';
import { type Clock, createUlidSource, type Random } from '@postern/clock';
import type { Outcome } from '@postern/proto/mail/v1/outcome';
import {
  type ConsumerDeclaration,
  type Consumption,
  consume,
  createPublisher,
  type Delivery,
  intakeConsumer,
  type LeftoverReader,
  outcomesConsumer,
  type StreamConnection,
  traceConsumer,
} from '@postern/stream';
import type { Telemetry } from '@postern/telemetry';
import { dispatchedBefore } from './before-now.js';
import { createBodyRemoval } from './body-removal.js';
import type { QueueConfig } from './config.js';
import { createDispatcher } from './dispatch.js';
import type { QueueEvent } from './events.js';
import { createIntake } from './intake.js';
import { groupNumber } from './item-id.js';
import { createLaneWindows } from './lanes.js';
import { ledgerShards } from './ledger.js';
import type { Loop } from './loop.js';
import { type LoopName, queueMetrics } from './metrics.js';
import { noticesRound } from './notices.js';
import type { OperateParts } from './operations/operate.js';
import { createOutcomeConsumer } from './outcome.js';
import { createOutcomePublisher } from './outcome-publisher.js';
import { createPark } from './park.js';
import type { ParkedParts } from './parked/parts.js';
import { createShelf } from './parked/shelf.js';
import { createPlacer } from './placer.js';
import type { PolicyInUse } from './policy-in-use.js';
import { createRenewal } from './renewal.js';
import { createRevival } from './revival.js';
import { createRounds, startRounds } from './rounds.js';
import { ruleFailures } from './rules/failure-rules.js';
import { createDeliveryRuling } from './rules/rule-observer.js';
import { type Settled, type SettleOptions, settle } from './settle.js';
import { createSettledObserver } from './settled-observer.js';
import type { Database, Transaction } from './store/database.js';
import { createStoreHealth } from './store/health.js';
import { leavePod } from './store/pods.js';
import type { LevelReader } from './stream-levels.js';
import { createTakeApart } from './take-apart.js';
import { createTraceIntake } from './trace/intake.js';
import { foldOutcomes, type UnitChange } from './unit-change.js';
import type { WorkScanner } from './work-scan.js';

/** Outcomes of intake are gathered this long before they become one message on OUTCOMES. */
const outcomePublishLingerMs = 20;

export interface EngineParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly connection: StreamConnection;
  readonly bodies: BodyStore;
  readonly database: Database;
  readonly levels: LevelReader;
  readonly scan: WorkScanner;
  readonly leftovers: LeftoverReader;
  readonly policy: () => PolicyInUse;
  readonly telemetry: Telemetry<QueueEvent>;
  readonly settings: QueueConfig['queue'];
  /** Resolves when schema `mail` is there; outcomes wait for it, first attempts do not. */
  readonly migrated: Promise<void>;
}

export interface Engine {
  start(): void;
  drain(): Promise<void>;
  /** PostgreSQL does not answer. */
  readonly storeAway: () => boolean;
  /** Rows of this lane were there when last looked at. */
  isLaneWaiting(tenant: string, lane: string): boolean;
  /** Rows changed by hand: look at once. */
  wakeDispatch(): void;
  readonly operateParts: () => OperateParts;
  readonly parkedParts: () => ParkedParts;
}

export function createEngine(parts: EngineParts): Engine {
  const { clock, random, connection, bodies, database, policy, settings } = parts;
  const { log } = parts.telemetry;
  const metrics = queueMetrics(parts.telemetry.metrics);
  metrics.streamDamaged(() => Number(connection.guard.damage() !== undefined));
  const publisher = createPublisher(connection, clock);
  const outcomePublisher = createOutcomePublisher({
    publisher,
    newId: createUlidSource(clock, random),
    clock,
    lingerMs: outcomePublishLingerMs,
  });
  const placer = createPlacer(publisher, bodies);
  const before = dispatchedBefore(connection, clock);
  const windows = createLaneWindows({ size: settings.window, busyAt: settings.windowFrom });
  const renewal = createRenewal(clock);
  const ruling = createDeliveryRuling(clock, metrics, log);
  const ruleFailed = (changes: readonly UnitChange[]): void => ruleFailures(ruling.parts(policy()), changes);
  const health = createStoreHealth((away, reason) => {
    metrics.storeAway.set(away ? 1 : 0);
    windows.suspend(away);
    if (away) log.error('queue.store.lost', { reason });
    else log.info('queue.store.recovered');
  });
  const settleOptions = (): SettleOptions => ({
    schedule: settings.delayNotice ? policy().schedule : { ...policy().schedule, delayNoticeMs: 0 },
    shard: groupNumber([settings.podName]) % ledgerShards,
    random: () => random.float(),
    withBodies: true,
  });
  /** Rows that end here: their bodies are recorded already, and a tenant's scope may not write them. */
  const settleNow = (transaction: Transaction, outcomes: readonly Outcome[]): Promise<Settled> =>
    settleWith(transaction, outcomes, { ...settleOptions(), withBodies: false });
  const shelf = createShelf(parts.leftovers, database);
  /** Rows whose lifetime is over: rules about failures speak. */
  const settleOverdue = async (transaction: Transaction, outcomes: readonly Outcome[]): Promise<Settled> => {
    const folded = foldOutcomes(outcomes);
    if (!folded.ok) throw new RangeError(folded.reason);
    ruleFailed(folded.changes);
    const settled = await settle(transaction, outcomes, folded.changes, { ...settleOptions(), withBodies: false });
    for (const { queueId, ruled } of folded.changes) ruling.applied(queueId, ruled);
    return settled;
  };
  const removal = createBodyRemoval(database, bodies, (count) =>
    metrics.bodiesRemoved.with({ why: 'closed' }).inc(count),
  );
  const onSettled = createSettledObserver({
    log,
    metrics,
    policy,
    windows,
    onClosed: (queueIds) => removal.closed(queueIds),
    onDelivered: (tenant, lane) => revival.delivered(tenant, lane),
  });
  let stalled = 0;
  const intake = createIntake({
    clock,
    placer,
    outcomes: outcomePublisher,
    windows,
    renewal,
    park: createPark('spool', publisher, clock, log, metrics),
    takeApart: createTakeApart(publisher),
    policy,
    relay: (current) => ruling.relayOfMessage(current),
    quarantineKeepMs: settings.quarantineKeep,
    observer: {
      placed(envelope, placement) {
        metrics.accepted.inc();
        if (placement.ruled.length > 0) ruling.applied(envelope.queueId, placement.ruled);
        metrics.items.with({ to: 'work' }).inc(placement.work.length);
        metrics.items.with({ to: 'row' }).inc(placement.waiting);
        if (log.debugging)
          log.debug('queue.message.accepted', {
            queue_id: envelope.queueId,
            session_id: envelope.sessionId,
            items: placement.work.length,
          });
      },
      stalled(step, reason) {
        metrics.stalled.set(++stalled);
        log.warn('queue.intake.stalled', { step, reason });
      },
      unstalled: () => metrics.stalled.set(--stalled),
    },
  });
  const takeIn = async (batch: readonly Delivery[]): Promise<void> => {
    const began = clock.monotonic();
    await intake.handle(batch);
    metrics.intakeDuration.observe((clock.monotonic() - began) / 1000);
  };
  const outcomeConsumer = createOutcomeConsumer({
    clock,
    renewal,
    park: createPark('outcomes', publisher, clock, log, metrics),
    health,
    settle: async (outcomes, changes) => {
      const began = clock.monotonic();
      await parts.migrated;
      ruleFailed(changes);
      const settled = await database.service((transaction) => settle(transaction, outcomes, changes, settleOptions()));
      for (const { queueId, ruled } of changes) if (ruled.length > 0) ruling.applied(queueId, ruled);
      metrics.commitDuration.observe((clock.monotonic() - began) / 1000);
      return settled;
    },
    onSettled,
    onRetry: (reason) => log.warn('queue.outcome.retried', { reason }),
    maxOutcomes: settings.outcomeBatch,
    lingerMs: settings.outcomeLinger,
  });
  const dispatcher = createDispatcher({
    clock,
    database,
    publisher,
    before,
    windows,
    policy,
    batch: settings.dispatchBatch,
    ruling,
    settle: settleNow,
    onSettled,
    onDispatched: (rows, items) => {
      metrics.dispatched.inc(rows);
      if (rows > 0) log.debug('queue.rows.dispatched', { rows, items });
    },
    onUnreadable: (queueId, recipient) => {
      metrics.unreadable.inc();
      log.error('queue.row.unreadable', { queue_id: queueId, recipient });
    },
  });
  const revival = createRevival({
    clock,
    database,
    isWaiting: (tenant, lane) => dispatcher.isWaiting(tenant, lane),
    onReleased: (tenant, lane, rows) => log.info('queue.lane.released', { tenant, lane, rows }),
  });
  const notices = noticesRound({
    clock,
    database,
    bodies,
    placer,
    before,
    outcomes: outcomePublisher,
    windows,
    policy,
    relay: (current) => ruling.relayOfMessage(current),
    returnLimit: settings.dsnReturnLimit,
    onNotice(kind, result, queueId, detail) {
      metrics.notices.with({ kind, result }).inc();
      if (result === 'sent') log.info('queue.notice.sent', { kind, queue_id: queueId, dsn_queue_id: detail });
      else log.warn('queue.notice.failed', { kind, queue_id: queueId, reason: detail });
    },
    onDone: (queueIds) => removal.closed(queueIds),
  });
  const traceIntake = createTraceIntake({
    clock,
    database,
    maxEvents: settings.traceBatch,
    onResult: (result, events) => metrics.traceEvents.with({ result }).inc(events),
  });
  const rounds = createRounds({
    ...parts,
    log,
    metrics,
    publisher,
    windows,
    dispatcher,
    shelf,
    removal,
    revival,
    notices,
    settle: settleNow,
    settleOverdue,
    onSettled,
    takeIn,
    takeOutcomes: (batch) => outcomeConsumer.handle(batch),
  });

  let consumptions: Consumption[] = [];
  let loops = new Map<LoopName, Loop>();
  const consumeFrom = (
    declaration: ConsumerDeclaration,
    limits: { readonly maxInFlight: number; readonly maxBatch: number },
    handle: (batch: readonly Delivery[]) => Promise<void>,
  ): Consumption =>
    consume(
      connection,
      clock,
      declaration,
      {
        ...limits,
        onError: (error) => log.warn('queue.consumer.failed', { stream: declaration.stream, reason: error.message }),
      },
      handle,
    );
  return {
    storeAway: () => health.away,
    isLaneWaiting: (tenant, lane) => dispatcher.isWaiting(tenant, lane),
    wakeDispatch: () => loops.get('dispatch')?.wake(),
    operateParts: () => ({ database, settle: settleNow, onSettled, lifetimeMs: policy().schedule.lifetimeMs }),
    parkedParts: () => ({
      shelf,
      database,
      publisher,
      bodies,
      settle: (transaction, outcomes) => settleWith(transaction, outcomes, settleOptions()),
      onSettled,
      lifetimeMs: policy().schedule.lifetimeMs,
    }),
    start() {
      const { intakeInFlight, outcomeBatch, traceBatch } = settings;
      consumptions = [
        // Each by itself: one that waits for room keeps no other from being recorded.
        consumeFrom(intakeConsumer, { maxInFlight: intakeInFlight, maxBatch: 1 }, (batch) => takeIn(batch)),
        consumeFrom(outcomesConsumer, { maxInFlight: outcomeBatch * 2, maxBatch: outcomeBatch }, (batch) =>
          outcomeConsumer.handle(batch),
        ),
        consumeFrom(traceConsumer, { maxInFlight: traceBatch, maxBatch: traceBatch }, (batch) =>
          traceIntake.handle(batch),
        ),
      ];
      loops = startRounds(rounds, { clock, log, metrics, migrated: parts.migrated });
    },
    async drain() {
      intake.abort();
      const [spool, ...others] = consumptions;
      await Promise.all([spool?.stop(), ...[...loops.values()].map((running) => running.stop())]);
      outcomeConsumer.abort();
      await Promise.all(others.map((consumption) => consumption.stop()));
      renewal.stop();
      if (!health.away) await leavePod(database, settings.podName).catch(() => undefined);
    },
  };
}

async function settleWith(
  transaction: Transaction,
  outcomes: readonly Outcome[],
  options: SettleOptions,
): Promise<Settled> {
  const folded = foldOutcomes(outcomes);
  if (!folded.ok) throw new RangeError(folded.reason);
  return settle(transaction, outcomes, folded.changes, options);
}
