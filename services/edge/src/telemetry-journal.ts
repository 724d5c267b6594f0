/**
 * The journal over log, metrics and trace. Every event of a session becomes one log line and one trace event with the same facts (evidence of checks
 * only in the trace; a refused message for several has a trace event for each), so that
 * `posternctl trace` explains a refusal by session id, address or queue id. Opened and closed sessions without incident are debug lines only.
 */
import type { Clock } from '@postern/clock';
import type { TraceEvent } from '@postern/proto/mail/v1/trace';
import { formatReply, type Reply } from '@postern/smtp-core';
import type { LogFields, Logger } from '@postern/telemetry';
import { abortReason } from './abort-reason.js';
import type { EdgeLogEvent } from './events.js';
import type { EdgeEventFacts, EdgeEventName, Journal } from './journal.js';
import { type EdgeMetrics, replyClass } from './metrics.js';
import type { Session } from './session.js';
import { ToldRefusals } from './told-refusals.js';
import type { TraceBatcher } from './trace-batcher.js';

export interface TelemetryJournalOptions {
  readonly clock: Clock;
  readonly log: Logger<EdgeLogEvent>;
  readonly metrics: EdgeMetrics;
  readonly trace: TraceBatcher;
}

const quiet: ReadonlySet<EdgeEventName> = new Set([
  'edge.recipient.accepted',
  'edge.session.opened',
  'edge.session.closed',
  'edge.tls.established',
  'edge.answer.delayed',
]);
const loud: ReadonlySet<EdgeEventName> = new Set([
  'edge.login.unavailable',
  'edge.policy.bypassed',
  'edge.proxy.refused',
  'edge.rule.failed',
  'edge.rule.unfinished',
]);

/** In the log; quiet ones are not in the trace. */
export const journalLevel = (event: EdgeEventName): 'debug' | 'info' | 'warn' =>
  quiet.has(event) ? 'debug' : loud.has(event) ? 'warn' : 'info';

const lineOf = (reply: Reply): string => formatReply(reply).trimEnd().replaceAll('\r\n', ' / ');

type Counting = (metrics: EdgeMetrics, facts: EdgeEventFacts) => void;

const counted: Partial<Record<EdgeEventName, Counting>> = {
  'edge.proxy.refused': (metrics) => metrics.proxyRefused.inc(),
  'edge.tls.failed': (metrics) => metrics.tlsFailures.inc(),
  'edge.login.succeeded': (metrics) => metrics.logins.with({ outcome: 'succeeded' }).inc(),
  'edge.login.refused': (metrics) => metrics.logins.with({ outcome: 'refused' }).inc(),
  'edge.login.unavailable': (metrics) => metrics.logins.with({ outcome: 'unavailable' }).inc(),
  'edge.recipient.accepted': (metrics) => metrics.recipients.with({ reply_class: '2xx' }).inc(),
  'edge.recipient.rejected': (metrics, { reply }) =>
    metrics.recipients.with({ reply_class: replyClass(reply?.code ?? 550) }).inc(),
  'edge.message.accepted': (metrics, { detail }) => {
    metrics.messageBytes.observe(Number(detail?.size ?? 0));
    metrics.messages.with({ reply_class: '2xx' }).inc();
  },
  'edge.message.uncertain': (metrics, { detail }) =>
    metrics.duplicatesPossible
      .with({ reason: detail?.reason === 'reply_lost' ? 'reply_lost' : 'publish_unknown' })
      .inc(),
  'edge.message.rejected': (metrics, { reply }) =>
    metrics.messages.with({ reply_class: replyClass(reply?.code ?? 550) }).inc(),
  'edge.session.aborted': (metrics, { limit, passed, ending }) =>
    metrics.aborted.with({ reason: abortReason(passed ?? limit?.name, ending) }).inc(),
  'edge.answer.delayed': (metrics, { detail }) =>
    metrics.answersDelayed.with({ kind: 'tarpit' }).observe(Number(detail?.delay_ms ?? 0) / 1_000),
  'edge.policy.bypassed': (metrics) => metrics.policyBypassed.inc(),
  'edge.rule.failed': (metrics) => metrics.ruleFaults.with({ kind: 'failed' }).inc(),
  'edge.rule.unfinished': (metrics) => metrics.ruleFaults.with({ kind: 'unfinished' }).inc(),
};

function logFields(session: Session, facts: EdgeEventFacts): LogFields {
  return {
    session_id: session.id,
    listener: session.listener.name,
    client: session.clientAddress,
    ...(facts.queueId === undefined ? {} : { queue_id: facts.queueId }),
    ...(facts.reversePath === undefined ? {} : { reverse_path: facts.reversePath }),
    ...(facts.recipient === undefined ? {} : { recipient: facts.recipient }),
    ...(facts.reply === undefined ? {} : { reply: lineOf(facts.reply) }),
    ...facts.detail,
  };
}

function traceEvent(atMs: number, event: string, session: Session, facts: EdgeEventFacts, nth?: number): TraceEvent {
  const reply = facts.shownReply ?? facts.reply;
  return {
    atMs,
    event,
    sessionId: session.id,
    queueId: facts.queueId ?? '',
    tenant: facts.tenant ?? session.login?.tenant ?? 'system',
    reversePath: facts.reversePath ?? '',
    recipient: facts.recipient ?? '',
    reply: reply === undefined ? '' : lineOf(reply),
    detail: {
      client: session.clientAddress,
      listener: session.listener.name,
      ...(session.greeting === undefined ? {} : { helo: session.greeting.name }),
      ...facts.evidence,
      ...facts.detail,
      ...(nth === undefined ? {} : { nth: String(nth) }),
    },
  };
}

export function createTelemetryJournal(options: TelemetryJournalOptions): Journal {
  const { log, metrics, trace, clock } = options;
  const told = new ToldRefusals();
  const journal: Journal = {
    record(event, session, facts = {}) {
      counted[event]?.(metrics, facts);
      if (facts.limit !== undefined)
        metrics.limitRefusals.with({ limit: facts.limit.name, set_by: facts.limit.setBy }).inc();
      const untold = event === 'edge.session.closed' ? told.untold(session) : undefined;
      if (untold !== undefined) journal.record('edge.refusals.untold', session, { detail: untold });
      const room = told.take(event, session, facts.each?.length ?? 1);
      if (room === 0 && facts.each?.length !== 0) return;
      const level = journalLevel(event);
      if (level === 'debug') {
        if (log.debugging) log.debug(event, logFields(session, facts));
        return;
      }
      log[level](event, logFields(session, facts));
      if (facts.untraced === true) return;
      const atMs = clock.now();
      if (facts.each === undefined) trace.add(traceEvent(atMs, event, session, facts, told.nth(event, session)));
      else
        for (const one of facts.each.slice(0, room)) trace.add(traceEvent(atMs, event, session, { ...facts, ...one }));
    },
  };
  return journal;
}
