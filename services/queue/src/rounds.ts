/**
 * The background work of one queue pod: what is looked at again and again, how often, and with which parts. Each round is its own file; this one
 * only says which there are. All but those that read streams wait for schema `mail`.
 */

import type { BodyStore } from '@postern/body-store';
import type { Clock } from '@postern/clock';
import type { Outcome } from '@postern/proto/mail/v1/outcome';
import type { Delivery, LeftoverReader, Publisher } from '@postern/stream';
import type { Logger } from '@postern/telemetry';
import type { BodyRemoval } from './body-removal.js';
import type { QueueConfig } from './config.js';
import type { Dispatcher } from './dispatch.js';
import type { QueueEvent } from './events.js';
import { expiryRound } from './expiry.js';
import type { LaneWindows } from './lanes.js';
import { ledgerRound } from './ledger-gauges.js';
import { createLeftoverRound } from './leftovers.js';
import { type Loop, startLoop } from './loop.js';
import { type LoopName, loopNames, type QueueMetrics } from './metrics.js';
import type { Shelf } from './parked/shelf.js';
import { poolRound } from './pool-gauges.js';
import type { PoolWatch } from './pool-watch.js';
import type { Revival } from './revival.js';
import type { Settled } from './settle.js';
import type { Database, Transaction } from './store/database.js';
import { beatPod } from './store/pods.js';
import type { LevelReader } from './stream-levels.js';
import { createSweep } from './sweep.js';
import { historyRound } from './trace/partitions.js';
import type { WorkScanner } from './work-scan.js';

/** How often bodies that an edge gave up are removed, and how many at once. */
const dropsEveryMs = 5_000;
const dropsPerRound = 500;

/** How often work queues are looked through for what a killed server left behind. */
const leftoversEveryMs = 5_000;

export interface RoundParts {
  readonly clock: Clock;
  readonly log: Logger<QueueEvent>;
  readonly metrics: QueueMetrics;
  readonly bodies: BodyStore;
  readonly database: Database;
  readonly levels: LevelReader;
  readonly scan: WorkScanner;
  readonly leftovers: LeftoverReader;
  readonly pools: PoolWatch;
  readonly shelf: Shelf;
  readonly publisher: Publisher;
  readonly windows: LaneWindows;
  readonly dispatcher: Dispatcher;
  readonly removal: BodyRemoval;
  readonly revival: Revival;
  readonly notices: () => Promise<boolean>;
  readonly settings: QueueConfig['queue'];
  settle(transaction: Transaction, outcomes: readonly Outcome[]): Promise<Settled>;
  /** The same for what has come to its end. */
  settleOverdue(transaction: Transaction, outcomes: readonly Outcome[]): Promise<Settled>;
  onSettled(outcomes: readonly Outcome[], settled: Settled): void;
  takeIn(batch: readonly Delivery[]): Promise<void>;
  takeOutcomes(batch: readonly Delivery[]): Promise<void>;
}

interface Round {
  readonly everyMs: number;
  /** True when there is more to do at once. */
  readonly round: () => Promise<boolean>;
}

export type Rounds = Readonly<Record<LoopName, Round>>;

export function createRounds(parts: RoundParts): Rounds {
  const { clock, bodies, database, levels, scan, publisher, windows, settings, metrics, log } = parts;
  const { dispatcher, removal, revival, settleOverdue, onSettled } = parts;
  let pods = 1;
  return {
    streams: {
      everyMs: 500,
      round: async () => {
        windows.observe((await levels('WORK')).messages, pods);
        return false;
      },
    },
    pools: { everyMs: 5_000, round: poolRound(parts.pools, { metrics, log }) },
    dispatch: { everyMs: settings.dispatchEvery, round: () => dispatcher.round() },
    expiry: { everyMs: 5_000, round: expiryRound({ clock, database, settle: settleOverdue, onSettled }) },
    notices: { everyMs: 500, round: parts.notices },
    bodies: { everyMs: 250, round: () => removal.round() },
    revival: { everyMs: 500, round: () => revival.round() },
    pods: {
      everyMs: 10_000,
      round: async () => {
        pods = await beatPod(database, settings.podName, clock.now());
        return false;
      },
    },
    ledger: { everyMs: settings.ledgerEvery, round: ledgerRound({ clock, database, levels, scan, metrics, log }) },
    history: { everyMs: 600_000, round: historyRound(database, clock, settings.traceKeep) },
    drops: {
      everyMs: dropsEveryMs,
      round: async () => {
        const count = await bodies.removeDropped(dropsPerRound);
        metrics.bodiesRemoved.with({ why: 'dropped' }).inc(count);
        return count === dropsPerRound;
      },
    },
    leftovers: {
      everyMs: leftoversEveryMs,
      round: createLeftoverRound({
        clock,
        database,
        reader: parts.leftovers,
        publisher,
        intake: (batch) => parts.takeIn(batch),
        outcomes: (batch) => parts.takeOutcomes(batch),
        onLeftover: (stream, fate, count) => {
          metrics.leftovers.with({ fate }).inc(count);
          log.warn('queue.leftover.found', { stream, fate, count });
        },
      }),
    },
    sweep: {
      everyMs: settings.sweepEvery,
      round: createSweep({
        clock,
        database,
        bodies,
        levels,
        parkedBodies: () => parts.shelf.bodies(),
        unfinishedMs: settings.sweepAge,
        unknownMs: settings.sweepUnknownAge,
        onRemoved: (count) => {
          metrics.bodiesRemoved.with({ why: 'swept' }).inc(count);
          log.info('queue.body.removed', { count });
        },
      }),
    },
  };
}

const needsStore = (name: LoopName): boolean => name !== 'streams' && name !== 'drops' && name !== 'pools';

export interface LoopParts extends Pick<RoundParts, 'clock' | 'log' | 'metrics'> {
  /** Resolves when schema `mail` is there. */
  readonly migrated: Promise<void>;
}

export function startRounds(rounds: Rounds, { clock, log, metrics, migrated }: LoopParts): Map<LoopName, Loop> {
  const begin = (name: LoopName): Loop =>
    startLoop({
      name,
      clock,
      everyMs: rounds[name].everyMs,
      round: async () => {
        if (needsStore(name)) await migrated;
        return rounds[name].round();
      },
      onRound: (which, ms) => metrics.loopDuration.with({ loop: which }).observe(ms / 1000),
      onFailure: (which, error) => {
        metrics.loopFailures.with({ loop: which }).inc();
        log.warn('queue.loop.failed', { loop: which, error });
      },
    });
  return new Map(loopNames.map((name) => [name, begin(name)]));
}
