/** The ledger as gauges, counted every few seconds, and the alarm for units open without a carrier. Every pod shows the same numbers: take the maximum. */
import type { Clock } from '@postern/clock';
import type { Logger } from '@postern/telemetry';
import type { QueueEvent } from './events.js';
import { ledgerReport } from './ledger-report.js';
import type { QueueMetrics } from './metrics.js';
import type { Database } from './store/database.js';
import type { LevelReader } from './stream-levels.js';
import { createdTerms, finalStates } from './unit-change.js';
import type { WorkScanner } from './work-scan.js';

export interface GaugeParts {
  readonly clock: Clock;
  readonly database: Database;
  readonly levels: LevelReader;
  readonly scan: WorkScanner;
  readonly metrics: QueueMetrics;
  readonly log: Logger<QueueEvent>;
}

const openTerms = ['queued', 'deferred', 'held', 'quarantined'] as const;
const waitingStates = ['deferred', 'held', 'quarantined'] as const;

export function ledgerRound({ clock, database, levels, scan, metrics, log }: GaugeParts): () => Promise<boolean> {
  let suspected = new Set<string>();
  return async () => {
    const report = await database.service((transaction) =>
      ledgerReport(transaction, () => true, { levels, scan, nowMs: clock.now(), withOrphans: true }),
    );
    metrics.parkedNow.set((await levels('PARKED')).messages);
    const waiting = { deferred: 0, held: 0, quarantined: 0, queued: 0 };
    for (const { tenant, created, closed, open, difference } of report.rows) {
      for (const term of createdTerms) metrics.ledger.with({ tenant, term }).set(created[term] ?? 0);
      for (const term of finalStates) metrics.ledger.with({ tenant, term }).set(closed[term] ?? 0);
      for (const term of openTerms) {
        metrics.ledger.with({ tenant, term }).set(open[term] ?? 0);
        waiting[term] += open[term] ?? 0;
      }
      metrics.ledger.with({ tenant, term: 'difference' }).set(difference);
    }
    for (const state of waitingStates) metrics.waiting.with({ state }).set(waiting[state]);
    metrics.waiting.with({ state: 'queued' }).set(waiting.queued);
    // An outcome may be on its way: only what two counts in a row find has no carrier.
    const keys = report.orphans.map(({ queueId, recipient }) => `${queueId} ${recipient}`);
    const confirmed = keys.filter((key) => suspected.has(key));
    suspected = new Set(keys);
    metrics.orphans.set(confirmed.length);
    if (confirmed.length > 0)
      log.error('queue.ledger.orphaned', { count: confirmed.length, first: confirmed.slice(0, 10) });
    return false;
  };
}
