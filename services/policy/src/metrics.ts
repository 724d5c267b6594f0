/** Metrics of the policy service. Labels are closed sets; never an address, domain or zone. */
import { recordTypes } from '@postern/dns';
import type { Metrics } from '@postern/telemetry';
import { skipped } from './check.js';
import { checks } from './checks/index.js';
import { bodyEndings } from './content/thread-digests.js';

const checkNames = checks.map(({ name }) => name);
const outcomes = [...new Set([...checks.flatMap((check) => check.outcomes), skipped])];
const stages = ['connect', 'ehlo', 'auth', 'mail', 'rcpt', 'headers', 'body'] as const;
const dnsOutcomes = [
  'answer',
  'nodata',
  'nxdomain',
  'servfail',
  'refused',
  'timeout',
  'unreachable',
  'budget',
  'aborted',
  'invalid',
] as const;
const cacheEvents = [
  'hit',
  'negative_hit',
  'failure_hit',
  'stale_hit',
  'second_tier_hit',
  'miss',
  'coalesced',
] as const;

/** What rules may do before acceptance. */
export const ruleActions = [
  ...(['accept', 'reject', 'tempfail', 'close', 'discard', 'quarantine', 'hold'] as const),
  ...(['greeting', 'auth', 'requireTls', 'allowRelay', 'allowLocal', 'setLimit', 'skip', 'run'] as const),
  ...(['addHeader', 'addHeaderIfAbsent', 'changeHeader', 'removeHeader', 'tag'] as const),
  ...(['addRecipient', 'dropRecipient', 'redirect', 'changeSender'] as const),
] as const;

export function policyMetrics(metrics: Metrics) {
  return {
    check: metrics.counter({
      name: 'postern_policy_check_total',
      help: 'Findings of checks, by check and outcome.',
      labels: { check: checkNames, outcome: outcomes },
    }),
    checkDuration: metrics.histogram({
      name: 'postern_policy_check_duration_seconds',
      help: 'Time one run of a check took, by check.',
      labels: { check: checkNames },
    }),
    rules: metrics.counter({
      name: 'postern_policy_rule_decisions_total',
      help: 'What rules decided before acceptance, by event and action; simulations included.',
      labels: { event: stages, action: ruleActions },
    }),
    apart: metrics.counter({
      name: 'postern_policy_recipients_apart_total',
      help: 'Recipients told 452 4.5.3 to come in a transaction of their own, by what could refuse their content otherwise than that of the recipients before.',
      labels: { because: ['rule', 'check', 'both'] },
    }),
    requests: metrics.counter({
      name: 'postern_policy_requests_total',
      help: 'Evaluations answered, by the last stage asked.',
      labels: { stage: stages },
    }),
    requestDuration: metrics.histogram({
      name: 'postern_policy_request_duration_seconds',
      help: 'From an evaluation request to its verdict, by the last stage asked.',
      labels: { stage: stages },
    }),
    failures: metrics.counter({
      name: 'postern_policy_failures_total',
      help: 'What went wrong in this pod, by kind: requests the edge got a failure for, checks that threw, rules that could not be computed or finished or compiled, lookups of recipients, lists that answer nonsense or fail their test, settings or databases of countries or autonomous systems that cannot be used, Redis away, threads that died.',
      labels: {
        kind: [
          'request',
          'check',
          'rule',
          'rule_time',
          'rule_refused',
          'directory',
          'dnsbl',
          'snapshot',
          'settings',
          'country',
          'asn',
          'greylist',
          'redis',
          'thread',
        ],
      },
    }),
    bodies: metrics.counter({
      name: 'postern_policy_large_bodies_total',
      help: 'Large bodies hashed for DKIM and ARC: on a thread, inline because none was to be had, lost with a thread that died, late because a thread stopped answering.',
      labels: { how: bodyEndings },
    }),
    bodiesOnThreads: (read: () => number) =>
      metrics.gauge({
        name: 'postern_policy_bodies_on_threads',
        help: 'Large bodies being hashed on threads now.',
        read,
      }),
    directory: metrics.counter({
      name: 'postern_policy_directory_lookups_total',
      help: 'Recipients looked up, by where the answer came from.',
      labels: { from: ['cache', 'bucket'] },
    }),
    dns: metrics.counter({
      name: 'postern_policy_dns_questions_total',
      help: 'DNS questions of checks, by type and outcome, answers from the cache included.',
      labels: { type: recordTypes, outcome: dnsOutcomes },
    }),
    dnsCache: metrics.counter({
      name: 'postern_policy_dns_cache_total',
      help: 'What the DNS cache had for a question.',
      labels: { event: cacheEvents },
    }),
    dnsDuration: metrics.histogram({
      name: 'postern_policy_dns_question_duration_seconds',
      help: 'From a DNS question of a check to its answer, answers from the cache included.',
    }),
    dnsAttempts: metrics.counter({
      name: 'postern_policy_dns_attempts_total',
      help: 'Packets sent to DNS servers, by transport and how it ended; superseded = another server was faster.',
      labels: { transport: ['udp', 'tcp'], outcome: [...dnsOutcomes, 'alias', 'superseded'] },
    }),
    dnsSilent: metrics.gauge({
      name: 'postern_policy_dns_silent',
      help: '1 while no DNS server answers anything.',
    }),
    dnsCacheEntries: metrics.gauge({ name: 'postern_policy_dns_cache_entries', help: 'Answers kept in memory now.' }),
    dnsCacheBytes: metrics.gauge({ name: 'postern_policy_dns_cache_bytes', help: 'Memory these answers take.' }),
    dnsSecondTierFailures: metrics.counter({
      name: 'postern_policy_dns_second_tier_failures_total',
      help: 'Times Redis gave no answer about an answer in time; the servers were asked.',
    }),
    recordings: metrics.counter({
      name: 'postern_policy_recordings_total',
      help: 'Steps of sessions that tenants have recorded: kept, or dropped because Redis was away or a bound was reached.',
      labels: { result: ['kept', 'dropped'] },
    }),
    streams: metrics.gauge({ name: 'postern_policy_streams_open', help: 'Streams of edges now.' }),
    inFlight: (read: () => number) =>
      metrics.gauge({ name: 'postern_policy_requests_in_flight', help: 'Evaluations running now.', read }),
    directoryEntries: (read: () => number) =>
      metrics.gauge({ name: 'postern_policy_directory_entries', help: 'Recipients kept in memory now.', read }),
    rulesStale: metrics.gauge({
      name: 'postern_policy_rules_stale',
      help: "1 while the operator's rules of the snapshot cannot be used and those from before are.",
    }),
    snapshotVersion: metrics.gauge({ name: 'postern_policy_snapshot_version', help: 'Snapshot in use; 0 = none yet.' }),
  };
}

export type PolicyMetrics = ReturnType<typeof policyMetrics>;
