/** Metrics of the queue service. Labels are closed sets; tenant only on ledger and waiting gauges, at most 1,000 values. */
import { boundedLabel, type Metrics } from '@postern/telemetry';
import { createdTerms, finalStates } from './unit-change.js';

const openTerms = ['queued', 'deferred', 'held', 'quarantined'] as const;
export const loopNames = [
  'drops',
  'leftovers',
  'dispatch',
  'expiry',
  'notices',
  'ledger',
  'sweep',
  'history',
  'pods',
  'streams',
  'pools',
  'bodies',
  'revival',
] as const;
/** As many as may be declared. */
const mostPools = 256;
export type LoopName = (typeof loopNames)[number];

export function queueMetrics(metrics: Metrics) {
  return {
    streamDamaged: (read: () => number) =>
      metrics.gauge({
        name: 'postern_queue_stream_damaged',
        help: '1 while NATS could not write a stream and was not started again since: nothing it acknowledges counts as stored.',
        read,
      }),
    accepted: metrics.counter({
      name: 'postern_queue_messages_total',
      help: 'Messages taken from SPOOL and placed.',
    }),
    intakeDuration: metrics.histogram({
      name: 'postern_queue_intake_duration_seconds',
      help: 'From taking a message from SPOOL to its acknowledgement.',
    }),
    stalled: metrics.gauge({
      name: 'postern_queue_intake_stalled_messages',
      help: 'Mails taken from SPOOL that wait for room in a stream or for its answer.',
    }),
    batchesLeft: metrics.counter({
      name: 'postern_queue_batches_left_total',
      help: 'Messages of several mails that came back from SPOOL: left = left in WORK, to be taken apart; placed = WORK had the items of their mails.',
      labels: { fate: ['left', 'placed'] },
    }),
    batchesApart: metrics.counter({
      name: 'postern_queue_batches_apart_total',
      help: 'Messages left in WORK: whole = each mail is in SPOOL by itself; no_room = SPOOL had none for some of them, which are worked on as they are; no_answer = given back, SPOOL did not answer. And part = one mail of several that waited for room, put back by itself.',
      labels: { result: ['whole', 'no_room', 'no_answer', 'part'] },
    }),
    items: metrics.counter({
      name: 'postern_queue_items_total',
      help: 'Items made, by where they went: work = first attempt now, row = waits.',
      labels: { to: ['work', 'row'] },
    }),
    parked: metrics.counter({
      name: 'postern_queue_parked_total',
      help: 'Messages copied to PARKED, by stream; an operator decides.',
      labels: { stream: ['spool', 'outcomes'] },
    }),
    parkedNow: metrics.gauge({
      name: 'postern_queue_parked_messages',
      help: 'Messages in PARKED now, from all services; they wait for an operator.',
    }),
    poolMessages: metrics.gauge({
      name: 'postern_queue_pool_messages',
      help: 'Messages in WORK by egress pool, those in work included. Every pod shows the same numbers: take the maximum.',
      labels: { pool: boundedLabel(mostPools) },
    }),
    poolServed: metrics.gauge({
      name: 'postern_queue_pool_served',
      help: '0 while messages of the egress pool wait in WORK and no delivery pod asks for them; alert on it.',
      labels: { pool: boundedLabel(mostPools) },
    }),
    unreadable: metrics.counter({
      name: 'postern_queue_rows_unreadable_total',
      help: 'Rows put on hold because their item cannot be decoded.',
    }),
    units: metrics.counter({
      name: 'postern_queue_recipients_total',
      help: 'Ledger units created and closed by this pod, by term.',
      labels: { term: [...createdTerms, ...finalStates] },
    }),
    outcomeBatch: metrics.histogram({
      name: 'postern_queue_outcome_batch_outcomes',
      help: 'Outcomes committed in one transaction.',
      buckets: [1, 5, 10, 25, 50, 100, 250, 500, 1000],
    }),
    commitDuration: metrics.histogram({
      name: 'postern_queue_outcome_commit_duration_seconds',
      help: 'Duration of one outcomes transaction.',
    }),
    late: metrics.counter({
      name: 'postern_queue_outcomes_late_total',
      help: 'Outcomes for recipients that had already ended otherwise.',
    }),
    storeAway: metrics.gauge({
      name: 'postern_queue_store_away',
      help: '1 while PostgreSQL does not answer: outcomes wait in the stream.',
    }),
    dispatched: metrics.counter({
      name: 'postern_queue_rows_dispatched_total',
      help: 'Rows put into WORK.',
    }),
    notices: metrics.counter({
      name: 'postern_queue_notices_total',
      help: 'Reports to senders, by kind and what became of them.',
      labels: { kind: ['failure', 'delay', 'success'], result: ['sent', 'suppressed', 'failed'] },
    }),
    traceEvents: metrics.counter({
      name: 'postern_queue_trace_events_total',
      help: 'Trace events stored or dropped.',
      labels: { result: ['stored', 'dropped'] },
    }),
    bodiesRemoved: metrics.counter({
      name: 'postern_queue_bodies_removed_total',
      help: 'Bodies removed: closed = the last recipient ended, dropped = refused or cut off while it came, swept = nothing named it.',
      labels: { why: ['closed', 'swept', 'dropped'] },
    }),
    ledger: metrics.gauge({
      name: 'postern_queue_ledger',
      help: 'The conservation equation per tenant: created and closed terms from the counters, open terms counted from rows and streams.',
      labels: { tenant: boundedLabel(1000), term: [...createdTerms, ...finalStates, ...openTerms, 'difference'] },
    }),
    rules: metrics.counter({
      name: 'postern_queue_rule_decisions_total',
      help: 'What rules decided about recipients after acceptance, by event and action.',
      labels: {
        event: ['relay', 'temporary-failure', 'delivery-failure'],
        action: ['route', 'reject', 'tempfail', 'discard', 'hold', 'retrySchedule', 'ndrText'],
      },
    }),
    ruleFailures: metrics.counter({
      name: 'postern_queue_rule_failures_total',
      help: 'Rules about delivery that could not be computed or took too long.',
    }),
    orphans: metrics.gauge({
      name: 'postern_queue_orphans',
      help: 'Units open without a carrier for more than 5 minutes; must be 0.',
    }),
    waiting: metrics.gauge({
      name: 'postern_queue_waiting_recipients',
      help: 'Recipients open, by state, over all tenants.',
      labels: { state: ['queued', 'deferred', 'held', 'quarantined'] },
    }),
    loopFailures: metrics.counter({
      name: 'postern_queue_loop_failures_total',
      help: 'Failures of background loops; each goes on.',
      labels: { loop: loopNames },
    }),
    leftovers: metrics.counter({
      name: 'postern_queue_leftovers_total',
      help: 'Messages JetStream would never have delivered again: removed because they had been worked on, or worked on now.',
      labels: { fate: ['removed', 'worked'] },
    }),
    loopDuration: metrics.histogram({
      name: 'postern_queue_loop_duration_seconds',
      help: 'Duration of one round of a background loop.',
      labels: { loop: loopNames },
    }),
  };
}

export type QueueMetrics = ReturnType<typeof queueMetrics>;
