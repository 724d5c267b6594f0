/**
 * The working parts of one queue pod over given connections: consumers of SPOOL and OUTCOMES and the background loops. Used by `wire.ts` with
 * real ones and by integration tests. Nothing runs before `start`; `drain` finishes what is in flight.
 */
import type { BodyStore } from '@postern/body-store';
import { type Clock, createUlidSource, type Random } from '@postern/clock';
import {
  backConsumer,
  type ConsumerDeclaration,
  type Consumption,
  consume,
  createPublisher,
  type Delivery,
  intakeConsumer,
  type LeftoverReader,
  MetServer,
  outcomesConsumer,
  type StreamConnection,
  traceConsumer,
} from '@postern/stream';
import type { Telemetry } from '@postern/telemetry';
import { createBatchObserver } from './batch-observer.js';
import { createBodyRemoval } from './body-removal.js';
import type { QueueConfig } from './config.js';
import { createDispatcher } from './dispatch.js';
import type { QueueEvent } from './events.js';
import { createIntake } from './intake.js';
import { createIntakeObserver } from './intake-observer.js';
import { createLaneWindows } from './lanes.js';
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
import type { PoolWatch } from './pool-watch.js';
import { createRenewal } from './renewal.js';
import { createRevival } from './revival.js';
import { createRounds, startRounds } from './rounds.js';
import { createDeliveryRuling } from './rules/rule-observer.js';
import { createSettledObserver } from './settled-observer.js';
import { createSettlements } from './settlements.js';
import type { Database } from './store/database.js';
import { createStoreHealth } from './store/health.js';
import { leavePod } from './store/pods.js';
import type { LevelReader } from './stream-levels.js';
import { createTakeApart } from './take-apart.js';
import { createTakeOver } from './take-over.js';
import { createTraceIntake } from './trace/intake.js';
import type { WorkScanner } from './work-scan.js';

/** Outcomes of intake are gathered this long before they become one message on OUTCOMES. */
const outcomePublishLingerMs = 20;
/** Batches of SPOOL that came back, in work at once; small, and taken apart in moments. */
const backInFlight = 16;

export interface EngineParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly connection: StreamConnection;
  readonly bodies: BodyStore;
  readonly database: Database;
  readonly levels: LevelReader;
  readonly scan: WorkScanner;
  readonly leftovers: LeftoverReader;
  readonly pools: PoolWatch;
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
  // Apart from that of intake: a publish of these that is not known to be stored says nothing about what SPOOL gives out.
  const metForRows = new MetServer(connection, clock);
  const windows = createLaneWindows({ size: settings.window, busyAt: settings.windowFrom });
  const renewal = createRenewal(clock);
  const ruling = createDeliveryRuling(clock, metrics, log);
  const health = createStoreHealth((away, reason) => {
    metrics.storeAway.set(away ? 1 : 0);
    windows.suspend(away);
    if (away) log.error('queue.store.lost', { reason });
    else log.info('queue.store.recovered');
  });
  const shelf = createShelf(parts.leftovers, database);
  const settlements = createSettlements({ database, random, policy, ruling, settings });
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
  const batches = createBatchObserver(metrics, log);
  const intake = createIntake({
    clock,
    placer,
    outcomes: outcomePublisher,
    windows,
    renewal,
    park: createPark('spool', publisher, clock, log, metrics),
    takeApart: createTakeApart(publisher, batches),
    takeOver: createTakeOver(publisher, parts.leftovers, batches),
    met: new MetServer(connection, clock),
    policy,
    relay: (current) => ruling.relayOfMessage(current),
    quarantineKeepMs: settings.quarantineKeep,
    observer: createIntakeObserver(metrics, log, ruling),
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
      const settled = await settlements.fromStream(outcomes, changes);
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
    met: metForRows,
    windows,
    policy,
    batch: settings.dispatchBatch,
    ruling,
    settle: settlements.rows,
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
    met: metForRows,
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
    settle: settlements.rows,
    settleOverdue: settlements.overdue,
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
    operateParts: () => ({ database, settle: settlements.rows, onSettled, lifetimeMs: policy().schedule.lifetimeMs }),
    parkedParts: () => ({
      shelf,
      database,
      publisher,
      bodies,
      settle: settlements.parked,
      onSettled,
      lifetimeMs: policy().schedule.lifetimeMs,
    }),
    start() {
      const { intakeInFlight, outcomeBatch, traceBatch } = settings;
      consumptions = [
        consumeFrom(backConsumer, { maxInFlight: backInFlight, maxBatch: 1 }, async (batch) => {
          for (const message of batch) await intake.handleLeft(message);
        }),
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
      const [back, spool, ...others] = consumptions;
      await Promise.all([back?.stop(), spool?.stop(), ...[...loops.values()].map((running) => running.stop())]);
      outcomeConsumer.abort();
      await Promise.all(others.map((consumption) => consumption.stop()));
      renewal.stop();
      if (!health.away) await leavePod(database, settings.podName).catch(() => undefined);
    },
  };
}
