/**
 * OUTCOMES to PostgreSQL: gathers what arrives for a short while, settles it in one transaction, then acknowledges. One transaction at a time per
 * pod; what arrives meanwhile forms the next. With PostgreSQL away nothing is acknowledged, the same batch is tried again with back-off and
 * kept ours; first attempts are not touched. What cannot be recorded even alone is parked and never ends the process.
 */
import type { Clock, Timer } from '@postern/clock';
import { failpoint } from '@postern/lifecycle';
import { type Outcome, OutcomeBatch } from '@postern/proto/mail/v1/outcome';
import type { Delivery } from '@postern/stream';
import type { Park } from './park.js';
import type { Renewal } from './renewal.js';
import type { Settled } from './settle.js';
import { UnitRace } from './settle.js';
import type { StoreHealth } from './store/health.js';
import { failureKind } from './store/health.js';
import { foldOutcomes, type UnitChange } from './unit-change.js';

export interface OutcomeParts {
  readonly clock: Clock;
  readonly renewal: Renewal;
  readonly park: Park;
  readonly health: StoreHealth;
  /** One transaction. */
  readonly settle: (outcomes: readonly Outcome[], changes: readonly UnitChange[]) => Promise<Settled>;
  readonly onSettled: (outcomes: readonly Outcome[], settled: Settled) => void;
  readonly onRetry: (reason: string) => void;
  readonly maxOutcomes: number;
  readonly lingerMs: number;
}

export interface OutcomeConsumer {
  /** Resolves when every message of the batch is acknowledged, parked or given back. */
  handle(batch: readonly Delivery[]): Promise<void>;
  /** Gives back what is still not committed. */
  abort(): void;
}

interface Entry {
  readonly message: Delivery;
  readonly outcomes: readonly Outcome[];
  readonly finished: () => void;
}

const firstPauseMs = 200;
const longestPauseMs = 5_000;

export function createOutcomeConsumer(parts: OutcomeParts): OutcomeConsumer {
  const { clock, renewal } = parts;
  const aborted = new AbortController();
  let gathered: Entry[] = [];
  let count = 0;
  let timer: Timer | undefined;
  let busy = false;

  const finish = (entries: readonly Entry[], acknowledge: boolean): void => {
    for (const { message, finished } of entries) {
      if (acknowledge) message.ack();
      else message.nak();
      renewal.release(message);
      finished();
    }
  };
  const parkOne = async ({ message, finished }: Entry, reason: string): Promise<void> => {
    await parts.park(message, reason);
    renewal.release(message);
    finished();
  };
  /** Commits, or finds the ones that cannot be; loops while the database is away. */
  const commit = async (entries: readonly Entry[]): Promise<void> => {
    let pauseMs = firstPauseMs;
    for (;;) {
      const outcomes = entries.flatMap((entry) => entry.outcomes);
      const folded = foldOutcomes(outcomes);
      if (!folded.ok) return apart(entries, folded.reason);
      try {
        const settled = await parts.settle(outcomes, folded.changes);
        failpoint('queue.after-outcomes-commit');
        parts.health.succeeded();
        finish(entries, true);
        parts.onSettled(outcomes, settled);
        return;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        const kind = error instanceof UnitRace ? 'conflict' : failureKind(error);
        if (kind === 'data') return apart(entries, reason);
        if (kind === 'away') parts.health.failed(reason);
        parts.onRetry(reason);
      }
      await clock.sleep(pauseMs, aborted.signal).catch(() => undefined);
      if (aborted.signal.aborted) return finish(entries, false);
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
  };
  const apart = async (entries: readonly Entry[], reason: string): Promise<void> => {
    const [only] = entries;
    if (entries.length === 1 && only !== undefined) return parkOne(only, reason);
    const middle = entries.length >> 1;
    await commit(entries.slice(0, middle));
    await commit(entries.slice(middle));
  };
  const flush = async (): Promise<void> => {
    timer?.cancel();
    timer = undefined;
    if (busy || gathered.length === 0) return;
    busy = true;
    do {
      const entries = gathered;
      gathered = [];
      count = 0;
      if (aborted.signal.aborted) finish(entries, false);
      else await commit(entries);
    } while (count >= parts.maxOutcomes);
    busy = false;
    if (gathered.length > 0) schedule();
  };
  const schedule = (): void => {
    timer ??= clock.setTimer(parts.lingerMs, () => {
      timer = undefined;
      void flush();
    });
  };
  const take = (message: Delivery): Promise<void> | undefined => {
    const read = readBatch(message.data);
    if ('reason' in read) return parts.park(message, read.reason);
    renewal.hold(message);
    return new Promise((finished) => {
      gathered.push({ message, outcomes: read.outcomes, finished });
      count += read.outcomes.length;
      if (busy) return;
      if (count >= parts.maxOutcomes) void flush();
      else schedule();
    });
  };
  return {
    async handle(batch) {
      await Promise.all(batch.map(take));
    },
    abort: () => aborted.abort(),
  };
}

function readBatch(data: Uint8Array): { readonly outcomes: readonly Outcome[] } | { readonly reason: string } {
  try {
    return { outcomes: OutcomeBatch.decode(data).outcomes };
  } catch (error) {
    return { reason: `not outcomes: ${error instanceof Error ? error.message : String(error)}` };
  }
}
