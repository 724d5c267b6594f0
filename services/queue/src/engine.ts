/**
 * The working parts of one queue pod over given connections: consumers of SPOOL and OUTCOMES and the background loops. Used by `wire.ts` with
 * real ones and by integration tests. Nothing runs before `start`; `drain` finishes what is in flight.
 */
import type { BodyStore } from '@postern/body-store';
import { type Clock, createUlidSource, type Random } from '@postern/clock';
import type { Outcome } from '@postern/proto/mail/v1/outcome';
import {
  type Consumption,
  consume,
  createPublisher,
  intakeConsumer,
  outcomesConsumer,
  type StreamConnection,
} from '@postern/stream';
import type { Telemetry } from '@postern/telemetry';
import type { QueueConfig } from './config.js';
import { createDispatcher } from './dispatch.js';
import type { QueueEvent } from './events.js';
import { expiryRound } from './expiry.js';
import { createIntake } from './intake.js';
import { groupNumber } from './item-id.js';
import { createLaneWindows } from './lanes.js';
import { ledgerShards } from './ledger.js';
import { type Loop, startLoop } from './loop.js';
import { type LoopName, queueMetrics } from './metrics.js';
import { createOutcomeConsumer } from './outcome.js';
import { createOutcomePublisher } from './outcome-publisher.js';
import { createPark } from './park.js';
import { createPlacer } from './placer.js';
import type { PolicyInUse } from './policy-in-use.js';
import { createRenewal } from './renewal.js';
import { type Settled, type SettleOptions, settle } from './settle.js';
import type { Database, Transaction } from './store/database.js';
import { createStoreHealth } from './store/health.js';
import { foldOutcomes } from './unit-change.js';

export interface EngineParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly connection: StreamConnection;
  readonly bodies: BodyStore;
  readonly database: Database;
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
}

export function createEngine(parts: EngineParts): Engine {
  const { clock, random, connection, bodies, database, policy, settings } = parts;
  const { log } = parts.telemetry;
  const metrics = queueMetrics(parts.telemetry.metrics);
  const publisher = createPublisher(connection, clock);
  const outcomePublisher = createOutcomePublisher(publisher, createUlidSource(clock, random));
  const windows = createLaneWindows({ size: settings.window, busyAt: settings.windowFrom });
  const renewal = createRenewal(clock);
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
  });
  const settleNow = async (transaction: Transaction, outcomes: readonly Outcome[]): Promise<Settled> => {
    const folded = foldOutcomes(outcomes);
    if (!folded.ok) throw new RangeError(folded.reason);
    return settle(transaction, outcomes, folded.changes, settleOptions());
  };
  const onSettled = (outcomes: readonly Outcome[], settled: Settled): void => {
    metrics.outcomeBatch.observe(outcomes.length);
    for (const { term, count } of settled.ledger.all()) metrics.units.with({ term }).inc(count);
    metrics.late.inc(settled.late);
    if (settled.late > 0) log.warn('queue.outcome.late', { recipients: settled.late });
    for (const { queueId, recipient, why } of settled.suppressed) {
      metrics.notices.with({ kind: 'failure', result: 'suppressed' }).inc();
      log.info('queue.notice.suppressed', { queue_id: queueId, recipient, why });
    }
    for (const { attempt, tenant, item, recipients } of outcomes) {
      const [first] = recipients;
      if (attempt === 0 || first === undefined) continue;
      const route = policy().router.route(tenant, first.address);
      const lane = item?.route?.lane ?? (route.kind === 'routed' ? route.route.lane : '');
      windows.finish(tenant, lane);
    }
  };
  const intake = createIntake({
    clock,
    placer: createPlacer(publisher, bodies),
    outcomes: outcomePublisher,
    windows,
    renewal,
    park: createPark('spool', publisher, log, metrics),
    policy,
    quarantineKeepMs: settings.quarantineKeep,
    observer: {
      placed(envelope, placement) {
        metrics.accepted.inc();
        metrics.items.with({ to: 'work' }).inc(placement.work.length);
        metrics.items.with({ to: 'row' }).inc(placement.waiting);
        if (log.debugging)
          log.debug('queue.message.accepted', {
            queue_id: envelope.queueId,
            session_id: envelope.sessionId,
            items: placement.work.length,
          });
      },
      stalled: (step, reason) => log.warn('queue.intake.stalled', { step, reason }),
    },
  });
  const outcomeConsumer = createOutcomeConsumer({
    clock,
    renewal,
    park: createPark('outcomes', publisher, log, metrics),
    health,
    settle: async (outcomes, changes) => {
      const began = clock.monotonic();
      await parts.migrated;
      const settled = await database.service((transaction) => settle(transaction, outcomes, changes, settleOptions()));
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
    windows,
    policy,
    batch: settings.dispatchBatch,
    onDispatched: (rows, items) => {
      metrics.dispatched.inc(rows);
      if (rows > 0) log.debug('queue.rows.dispatched', { rows, items });
    },
  });
  const expiry = expiryRound({ clock, database, settle: settleNow, onSettled });

  let consumptions: Consumption[] = [];
  let loops: Loop[] = [];
  const consumerFailed = (stream: string) => (error: Error) =>
    log.warn('queue.consumer.failed', { stream, reason: error.message });
  const loop = (name: LoopName, everyMs: number, round: () => Promise<boolean>): Loop =>
    startLoop({
      name,
      clock,
      everyMs,
      round: async () => {
        await parts.migrated;
        return round();
      },
      onRound: (which, ms) => metrics.loopDuration.with({ loop: which }).observe(ms / 1000),
      onFailure: (which, error) => {
        metrics.loopFailures.with({ loop: which }).inc();
        log.warn('queue.loop.failed', { loop: which, error });
      },
    });
  return {
    storeAway: () => health.away,
    start() {
      consumptions = [
        consume(
          connection,
          clock,
          intakeConsumer,
          { maxInFlight: settings.intakeInFlight, maxBatch: settings.intakeBatch, onError: consumerFailed('SPOOL') },
          (batch) => intake.handle(batch),
        ),
        consume(
          connection,
          clock,
          outcomesConsumer,
          {
            maxInFlight: settings.outcomeBatch * 2,
            maxBatch: settings.outcomeBatch,
            onError: consumerFailed('OUTCOMES'),
          },
          (batch) => outcomeConsumer.handle(batch),
        ),
      ];
      loops = [loop('dispatch', settings.dispatchEvery, () => dispatcher.round()), loop('expiry', 5_000, expiry)];
    },
    async drain() {
      intake.abort();
      const [spool, ...others] = consumptions;
      await Promise.all([spool?.stop(), ...loops.map((running) => running.stop())]);
      outcomeConsumer.abort();
      await Promise.all(others.map((consumption) => consumption.stop()));
      renewal.stop();
    },
  };
}
