/** Metric and log of what rules about delivery do. Decisions that only choose a way are told at debug level; they are in message trace as well. */
import type { Clock } from '@postern/clock';
import type { Logger } from '@postern/telemetry';
import type { QueueEvent } from '../events.js';
import type { QueueMetrics } from '../metrics.js';
import type { PolicyInUse } from '../policy-in-use.js';
import type { AppliedRule } from './applied-rule.js';
import { ruleDetail } from './applied-rule.js';
import { type RuleParts, relayed } from './relay-rules.js';
import type { AskRelay } from './ruled-units.js';

export interface DeliveryRuling {
  /** undefined = no rule speaks before an attempt. */
  relay(policy: PolicyInUse): AskRelay | undefined;
  /** For the recipients of one message: what rules say that ask nothing about the recipient is found once. */
  relayOfMessage(policy: PolicyInUse): AskRelay | undefined;
  parts(policy: PolicyInUse): RuleParts;
  applied(queueId: string, rules: readonly AppliedRule[]): void;
}

type Counted = Parameters<QueueMetrics['rules']['with']>[0]['action'];

const counted: ReadonlyMap<string, Counted> = new Map<string, Counted>(
  (['route', 'reject', 'tempfail', 'discard', 'hold', 'retrySchedule', 'ndrText'] as const).map((kind) => [kind, kind]),
);

export function createDeliveryRuling(clock: Clock, metrics: QueueMetrics, log: Logger<QueueEvent>): DeliveryRuling {
  const parts = ({ rules, router }: PolicyInUse): RuleParts => ({
    ...{ rules, router, clock },
    onFault(rule, message) {
      metrics.ruleFailures.inc();
      log.warn('queue.rule.failed', { rule, reason: message });
    },
  });
  return {
    parts,
    relay(policy) {
      if (!policy.rules.has('relay')) return undefined;
      const own = parts(policy);
      return (subject, before) => relayed(own, subject, before);
    },
    relayOfMessage(policy) {
      if (!policy.rules.has('relay')) return undefined;
      const own = { ...parts(policy), remembered: new Map() };
      return (subject, before) => relayed(own, subject, before);
    },
    applied(queueId, rules) {
      for (const applied of rules) {
        const action = counted.get(applied.action);
        if (action !== undefined) metrics.rules.with({ event: applied.event, action }).inc();
        if (log.debugging) log.debug('queue.rule.applied', { queue_id: queueId, ...ruleDetail(applied) });
      }
    },
  };
}
