/** Turns what the parts of the service tell into metrics and log events. Children of the hot metrics are bound once. */
import type { DnsMetrics } from '@postern/dns';
import type { PosternError } from '@postern/errors';
import type { EvaluateRequest } from '@postern/proto/policy/v1/policy_service';
import { describeError, type Logger } from '@postern/telemetry';
import type { CheckObserver } from './check-runner.js';
import type { PolicyEvent } from './events.js';
import { type PolicyMetrics, ruleActions } from './metrics.js';
import type { RuleObserver } from './rules/rule-runner.js';
import type { ServerObserver } from './server.js';
import { eventOf } from './stage-event.js';

type Log = Logger<PolicyEvent>;

export function observeChecks(log: Log, metrics: PolicyMetrics): CheckObserver {
  const durations = new Map<string, { observe(value: number): void }>();
  return {
    observed(check, outcome, seconds) {
      metrics.check.with({ check, outcome }).inc();
      let duration = durations.get(check);
      if (duration === undefined) {
        duration = metrics.checkDuration.with({ check });
        durations.set(check, duration);
      }
      duration.observe(seconds);
    },
    failed(check, error) {
      metrics.failures.with({ kind: 'check' }).inc();
      log.error('policy.check.failed', { check, reason: describeError(error) });
    },
    unusable(zone, answer) {
      metrics.failures.with({ kind: 'dnsbl' }).inc();
      log.warn('policy.dnsbl.unusable', { zone, answer });
    },
    hurried(check, timeoutMs, deadlineMs) {
      log.warn('policy.check.hurried', { check, timeoutMs, deadlineMs });
    },
    apart(because) {
      if (because !== 'unfinished') {
        metrics.apart.with({ because }).inc();
        return;
      }
      metrics.failures.with({ kind: 'rule_time' }).inc();
      log.warn('policy.rule.unfinished', { stage: 'rcpt' });
    },
  };
}

export function observeRules(log: Log, metrics: PolicyMetrics): RuleObserver {
  return {
    failed(rule, message) {
      metrics.failures.with({ kind: 'rule' }).inc();
      log.warn('policy.rule.failed', { rule, reason: message });
    },
    unfinished(event) {
      metrics.failures.with({ kind: 'rule_time' }).inc();
      log.warn('policy.rule.unfinished', { stage: event });
    },
    decided(event, action) {
      const stage = stageLabels.find((label) => label === event);
      const counted = ruleActions.find((kind) => kind === action);
      if (stage !== undefined && counted !== undefined) metrics.rules.with({ event: stage, action: counted }).inc();
    },
  };
}

const rested = { stage: 'connect' } as const;
type StageLabel = 'connect' | 'ehlo' | 'auth' | 'mail' | 'rcpt' | 'headers' | 'body';
const stageLabels: readonly StageLabel[] = ['connect', 'ehlo', 'auth', 'mail', 'rcpt', 'headers', 'body'];

function stageLabel({ stages }: EvaluateRequest): { readonly stage: StageLabel } {
  const last = stages.at(-1);
  const event = last === undefined ? undefined : eventOf(last);
  const stage = stageLabels.find((label) => label === event);
  return stage === undefined ? rested : { stage };
}

export function observeServer(log: Log, metrics: PolicyMetrics): ServerObserver {
  return {
    opened(peer) {
      metrics.streams.inc();
      log.info('policy.stream.opened', { peer });
    },
    closed(peer) {
      metrics.streams.dec();
      log.info('policy.stream.closed', { peer });
    },
    failed(error: PosternError, request) {
      metrics.failures.with({ kind: 'request' }).inc();
      log.warn('policy.request.failed', {
        session_id: request?.sessionId ?? '',
        error_id: error.id,
        reason: error.detail === '' ? describeError(error.cause) : error.detail,
      });
    },
    answered(request, seconds) {
      const label = stageLabel(request);
      metrics.requests.with(label).inc();
      metrics.requestDuration.with(label).observe(seconds);
    },
  };
}

/** For one client: with the next one nothing is known of its servers. */
export function observeDns(log: Logger<PolicyEvent>, metrics: PolicyMetrics): DnsMetrics {
  metrics.dnsSilent.set(0);
  return {
    question(type, outcome, seconds) {
      metrics.dns.with({ type, outcome }).inc();
      metrics.dnsDuration.observe(seconds);
    },
    cache: (event) => metrics.dnsCache.with({ event }).inc(),
    attempt: (transport, outcome) => metrics.dnsAttempts.with({ transport, outcome }).inc(),
    cacheSize(entries, bytes) {
      metrics.dnsCacheEntries.set(entries);
      metrics.dnsCacheBytes.set(bytes);
    },
    secondTierFailed: () => metrics.dnsSecondTierFailures.inc(),
    silent(isSilent, lastedMs) {
      metrics.dnsSilent.set(isSilent ? 1 : 0);
      const seconds = Math.round(lastedMs / 1_000);
      if (isSilent) log.error('policy.dns.silent', { seconds });
      else log.info('policy.dns.answering', { seconds });
    },
  };
}
