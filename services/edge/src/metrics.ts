/** Metrics of the edge, declared once. Label sets are closed; the help text is the documentation. */

import { errorKinds } from '@postern/flow-control';
import { limitNames, limitSetters } from '@postern/flow-control/session';
import { bytesBuckets, type Metrics } from '@postern/telemetry';
import { abortReasons } from './abort-reason.js';
import { suspicions } from './misconfiguration.js';

const replyClasses = ['2xx', '4xx', '5xx'] as const;

export const sessionEvents = ['connect', 'ehlo', 'auth', 'mail', 'rcpt'] as const;
/** What the session itself does of what a rule says. */
export const sessionActions = [
  ...(['greeting', 'auth', 'requireTls', 'allowRelay', 'allowLocal', 'setLimit'] as const),
  // Told at the command, before policy is asked.
  ...(['reject', 'tempfail', 'close'] as const),
] as const;

export type ReplyClass = (typeof replyClasses)[number];

export const replyClass = (code: number): ReplyClass => (code >= 500 ? '5xx' : code >= 400 ? '4xx' : '2xx');

export function edgeMetrics(metrics: Metrics) {
  return {
    streamDamaged: (read: () => number) =>
      metrics.gauge({
        name: 'postern_edge_stream_damaged',
        help: '1 while NATS could not write a stream and was not started again since: nothing it acknowledges counts as stored.',
        merge: 'max',
        read,
      }),
    sessions: (read: () => number) =>
      metrics.gauge({ name: 'postern_edge_sessions_open', help: 'SMTP sessions open now.', read }),
    policyPods: (read: () => number) =>
      metrics.gauge({ name: 'postern_edge_policy_pods', help: 'Policy pods with an open stream.', merge: 'max', read }),
    snapshotVersion: metrics.gauge({
      name: 'postern_edge_snapshot_version',
      help: 'Version of the configuration snapshot in use; 0 = none yet.',
      merge: 'min',
    }),
    snapshotRefused: metrics.counter({
      name: 'postern_edge_snapshot_refused_total',
      help: 'Snapshots that could not be taken.',
    }),
    connections: metrics.counter({
      name: 'postern_edge_connections_total',
      help: 'Connections by what admission decided.',
      labels: { outcome: ['admitted', 'access', 'banned', 'overload', 'limit', 'not_ready'] },
    }),
    proxyRefused: metrics.counter({
      name: 'postern_edge_proxy_refused_total',
      help: 'Connections ended for a missing, untrusted or malformed PROXY header.',
    }),
    suspicions: metrics.counter({
      name: 'postern_edge_suspicions_total',
      help: 'Signs that the network in front of a listener is not as its settings say, counted once a minute while they go on.',
      labels: { kind: suspicions },
    }),
    tlsFailures: metrics.counter({
      name: 'postern_edge_tls_failures_total',
      help: 'TLS handshakes that came to nothing: wrong protocol, version, cipher or client certificate.',
    }),
    certificates: metrics.counter({
      name: 'postern_edge_certificates_replaced_total',
      help: 'Times that changed certificate or ticket key files were taken into use.',
    }),
    certificatesRefused: metrics.counter({
      name: 'postern_edge_certificates_refused_total',
      help: 'Times that changed certificate or ticket key files could not be used; those before stay.',
    }),
    certificatesStale: (read: () => number) =>
      metrics.gauge({
        name: 'postern_edge_certificates_stale',
        help: '1 while changed certificate or ticket key files cannot be used and those before serve.',
        merge: 'max',
        read,
      }),
    listenersRefused: metrics.counter({
      name: 'postern_edge_listener_refusals_total',
      help: 'Times that settings of a listener could not be carried out, or do not fit the pod.',
    }),
    listenersAstray: (read: () => number) =>
      metrics.gauge({
        name: 'postern_edge_listeners_astray',
        help: 'Listeners whose settings are not in use as they are written: refused, for another role, or a port that cannot be opened.',
        merge: 'max',
        read,
      }),
    certificateEnd: (read: () => number) =>
      metrics.gauge({
        name: 'postern_edge_certificate_expiry_timestamp_seconds',
        help: 'When the first of the certificates ends, seconds since 1970; 0 = there is none.',
        merge: 'max',
        read,
      }),
    logins: metrics.counter({
      name: 'postern_edge_logins_total',
      help: 'AUTH exchanges by outcome.',
      labels: { outcome: ['succeeded', 'refused', 'unavailable'] },
    }),
    kerberosSeconds: metrics.histogram({
      name: 'postern_edge_kerberos_duration_seconds',
      help: 'Time of one call of the Kerberos library; failed = it could not be made, late = beyond its deadline, busy = not made, too many were under way.',
      labels: { outcome: ['done', 'failed', 'late', 'busy'] },
    }),
    recipients: metrics.counter({
      name: 'postern_edge_recipients_total',
      help: 'RCPT commands by reply class; 2xx are accepted, with those named again in a message.',
      labels: { reply_class: replyClasses },
    }),
    duplicatesPossible: metrics.counter({
      name: 'postern_edge_duplicates_possible_total',
      help: 'Messages the client may send again although they are stored: publish_unknown = answered 451 without knowing, reply_lost = gone before its 250.',
      labels: { reason: ['publish_unknown', 'reply_lost'] },
    }),
    messages: metrics.counter({
      name: 'postern_edge_messages_total',
      help: 'Messages by the reply to their final dot; 2xx are accepted.',
      labels: { reply_class: replyClasses },
    }),
    messageBytes: metrics.histogram({
      name: 'postern_edge_message_bytes',
      help: 'Size of accepted messages as received.',
      buckets: bytesBuckets,
    }),
    aborted: metrics.counter({
      name: 'postern_edge_sessions_aborted_total',
      help: 'Sessions we ended with 421, by the limit that was passed or what else it was; refused: policy, a rule, a command.',
      labels: { reason: abortReasons },
    }),
    answersDelayed: metrics.histogram({
      name: 'postern_edge_answer_delay_seconds',
      help: 'How late answers came on purpose: to errors (tarpit), to failed logins (login).',
      labels: { kind: ['tarpit', 'login'] },
    }),
    spoolSeconds: metrics.histogram({
      name: 'postern_edge_spool_seconds',
      help: 'Time of the durable write before 250.',
      labels: { outcome: ['stored', 'full', 'unknown'] },
    }),
    spooledTogether: metrics.histogram({
      name: 'postern_edge_spooled_together_messages',
      help: 'Mails of one durable write (ADR 10).',
      buckets: [1, 2, 4, 8, 16, 32, 64],
    }),
    policySeconds: metrics.histogram({
      name: 'postern_edge_policy_seconds',
      help: 'Time to an answer of policy, waiting and asking again included.',
      labels: { outcome: ['verdict', 'failed', 'late', 'away'] },
    }),
    policyBypassed: metrics.counter({
      name: 'postern_edge_policy_bypassed_total',
      help: 'Decisions taken without policy: 451, or admitted unjudged where configured.',
    }),
    rules: metrics.counter({
      name: 'postern_edge_rule_decisions_total',
      help: 'What rules decided for a session without asking policy, by event and action.',
      labels: { event: sessionEvents, action: sessionActions },
    }),
    ruleFaults: metrics.counter({
      name: 'postern_edge_rule_faults_total',
      help: 'Rules a session could not compute, or whose event ran out of time; counted once for a session and rule.',
      labels: { kind: ['failed', 'unfinished'] },
    }),
    traceDropped: metrics.counter({
      name: 'postern_edge_trace_dropped_total',
      help: 'Trace events dropped because the stream was away or too many came; up to 1,000 about what became of a message wait instead.',
    }),
    bans: metrics.counter({
      name: 'postern_edge_bans_total',
      help: 'Addresses this pod had banned for their errors.',
      labels: { kind: errorKinds },
    }),
    bansKnown: (read: () => number) =>
      metrics.gauge({ name: 'postern_edge_bans', help: 'Bans this pod knows.', merge: 'max', read }),
    loginsBarred: metrics.counter({
      name: 'postern_edge_logins_barred_total',
      help: 'Logins not heard because their account had too many failures.',
    }),
    limitRefusals: metrics.counter({
      name: 'postern_edge_limit_refusals_total',
      help: 'Connections, sessions, commands and messages refused by a limit: which, and whether a rule made it what it is. Of an interval, a session, a message; see docs/architecture/flow-control.md.',
      labels: { limit: limitNames, set_by: limitSetters },
    }),
    limitsLocal: metrics.gauge({
      name: 'postern_edge_limits_local',
      help: '1 while limits are decided by this pod alone because Redis is away.',
      merge: 'max',
    }),
    memory: metrics.gauge({
      name: 'postern_edge_memory_ratio',
      help: 'Memory in use, heap and outside it, of what this process may have (its control group, edge.memoryLimit, the machine).',
      merge: 'max',
    }),
    collections: metrics.histogram({
      name: 'postern_edge_memory_collection_seconds',
      help: 'Time of a collection of unused memory that was asked for because memory was beyond its mark.',
    }),
    overloaded: metrics.gauge({
      name: 'postern_edge_overloaded',
      help: '1 while the process sheds strangers, 2 while it sheds everybody.',
      merge: 'max',
    }),
  };
}

export type EdgeMetrics = ReturnType<typeof edgeMetrics>;
