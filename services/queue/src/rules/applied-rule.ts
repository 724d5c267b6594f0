/** What a rule did to one recipient after acceptance: for trace, metric and log. */
import type { FindingSummary } from '@postern/proto/mail/v1/envelope';
import type { Action, Decision, DeliveryEvent } from '@postern/rules';

export interface AppliedRule {
  readonly event: DeliveryEvent;
  /** `id@version`. */
  readonly rule: string;
  readonly action: Action['kind'];
  /** Tenant whose rule it is; `system` = the operator's. */
  readonly tenant: string;
  /** Tenant, domain or user whose rule it is; empty = the operator's. */
  readonly owner: string;
  readonly detail: string;
  /** Milliseconds rules took up to this decision. */
  readonly tookMs: number;
}

/** `hidesText`: mail of one tenant that another one's user submitted, and words that tell who. */
export type DeliveryDecision = Decision & { readonly hidesText?: true };

export function appliedRule(event: DeliveryEvent, decided: DeliveryDecision): AppliedRule {
  const { ruleId, version, tenant, target, action, fault, hidesText, tookMs = 0 } = decided;
  const owner = target === undefined || target === '' ? (tenant ?? '') : target;
  const rule = `${ruleId}@${version}`;
  const done = hidesText === true && action.kind === 'ndrText' ? '' : detailOf(action);
  const detail = fault === undefined ? done : `${done} (${fault.slice(0, 200)})`;
  return { event, rule, action: action.kind, tenant: tenant ?? 'system', owner, detail, tookMs };
}

/** Texts are the operator's or tenant's own words and bounded when the rule is saved. */
function detailOf(action: Action): string {
  switch (action.kind) {
    case 'route': {
      const { next } = action;
      const to = next.kind === 'named' ? next.name : next.kind === 'host' ? `${next.host}:${next.port}` : '';
      return [
        to,
        action.tls ?? '',
        action.tlsVersions.join('+'),
        action.sourceAddress === undefined ? '' : `from ${action.sourceAddress}`,
        action.helo === undefined ? '' : `as ${action.helo}`,
      ]
        .filter((part) => part !== '')
        .join(' ');
    }
    case 'reject':
    case 'tempfail':
      return `${action.code} ${action.enhanced} ${action.text}`;
    case 'hold':
      return action.reason;
    case 'retrySchedule':
      return [
        action.delays.map((seconds) => `${seconds}s`).join(' '),
        action.giveUpAfter === undefined ? '' : `until ${action.giveUpAfter}s`,
      ]
        .join(' ')
        .trim();
    case 'ndrText':
      return action.text;
    default:
      return '';
  }
}

export const ruleEvidence = ({ rule, event, action, owner, detail }: AppliedRule): string =>
  [rule, `at ${event}`, action, detail, owner === '' ? '' : `of ${owner}`].filter((part) => part !== '').join(' ');

export function ruleSummary(recipient: string, applied: AppliedRule): FindingSummary {
  const { action, tenant, rule } = applied;
  return {
    ...{ check: 'rule', outcome: action, evidence: ruleEvidence(applied) },
    ...{ recipient, tenant, rule, action, durationUs: Math.ceil(applied.tookMs * 1_000), evidenceForOthers: '' },
  };
}

/** Of a trace event. */
export function ruleDetail({ rule, event, action, owner, detail }: AppliedRule): Record<string, string> {
  return { rule, at: event, action, ...(owner === '' ? {} : { owner }), ...(detail === '' ? {} : { detail }) };
}
