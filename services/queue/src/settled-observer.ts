/** What follows a committed batch of outcomes: counts, log, room in the lanes, bodies that nothing needs any more. Never fails the batch. */
import { type Outcome, OutcomeKind } from '@postern/proto/mail/v1/outcome';
import type { Logger } from '@postern/telemetry';
import type { QueueEvent } from './events.js';
import type { LaneWindows } from './lanes.js';
import type { QueueMetrics } from './metrics.js';
import type { PolicyInUse } from './policy-in-use.js';
import type { Settled } from './settle.js';

export interface SettledParts {
  readonly log: Logger<QueueEvent>;
  readonly metrics: QueueMetrics;
  readonly policy: () => PolicyInUse;
  readonly windows: LaneWindows;
  /** Nothing of these is open any more. */
  onClosed(queueIds: Settled['closed']): void;
  onDelivered(tenant: string, lane: string): void;
}

export function createSettledObserver(parts: SettledParts): (outcomes: readonly Outcome[], settled: Settled) => void {
  const { log, metrics, policy, windows } = parts;
  return (outcomes, settled) => {
    metrics.outcomeBatch.observe(outcomes.length);
    for (const { term, count } of settled.ledger.all()) metrics.units.with({ term }).inc(count);
    metrics.late.inc(settled.late);
    if (settled.late > 0) log.warn('queue.outcome.late', { recipients: settled.late });
    for (const { queueId, recipient, why } of settled.suppressed) {
      metrics.notices.with({ kind: 'failure', result: 'suppressed' }).inc();
      log.info('queue.notice.suppressed', { queue_id: queueId, recipient, why });
    }
    parts.onClosed(settled.closed);
    for (const { kind, attempt, tenant, item, recipients, lane: ruledLane } of outcomes) {
      const [first] = recipients;
      if (attempt === 0 || first === undefined) continue;
      const route = policy().router.route(first.address);
      const lane = item?.route?.lane ?? (ruledLane || (route.kind === 'routed' ? route.route.lane : ''));
      windows.finish(tenant, lane);
      if (kind === OutcomeKind.DELIVERED) parts.onDelivered(tenant, lane);
    }
  };
}
