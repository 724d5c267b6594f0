/**
 * Limits that hold for single recipients: those a rule of a tenant, a domain or a user set about its own recipient, and those of an operator's rule that
 * asks who the recipient is. Read from findings, which the edge carries from request to request; what any other rule sets holds for the message.
 */
import type { Finding } from '@postern/proto/policy/v1/policy_service';
import { ruleCheck } from '../rules/rule-finding.js';

export interface OwnLimit {
  readonly value: number;
  /** `id@version`. */
  readonly rule: string;
  /** undefined = the operator's. */
  readonly tenant: string | undefined;
  /** Its domain or user; empty for the whole tenant. */
  readonly target: string;
}

export interface OwnLimits {
  /** The tightest. */
  readonly size: OwnLimit | undefined;
  /** All of them: they count different recipients. */
  readonly recipients: readonly OwnLimit[];
}

export const isOwnLimit = ({ check, action, recipient, evidence }: Finding): boolean =>
  check === ruleCheck &&
  action === 'setLimit' &&
  recipient !== '' &&
  (evidence.tenant !== undefined || evidence.of === 'recipient');

export const hasOwnLimit = (findings: readonly Finding[]): boolean => findings.some(isOwnLimit);

/** Undefined where it is not set; 0 leaves it as it is. */
function limitOf({ rule, evidence }: Finding, name: 'size' | 'recipients'): OwnLimit | undefined {
  const value = Number(evidence[name] ?? 0);
  return value > 0 ? { value, rule, tenant: evidence.tenant, target: evidence.scope ?? '' } : undefined;
}

const tighter = (one: OwnLimit | undefined, other: OwnLimit | undefined): OwnLimit | undefined =>
  one === undefined || (other !== undefined && other.value < one.value) ? other : one;

/** By recipient; who has none is not in it. */
export function ownLimitsOf(findings: readonly Finding[]): ReadonlyMap<string, OwnLimits> {
  const limits = new Map<string, OwnLimits>();
  for (const finding of findings) {
    if (!isOwnLimit(finding)) continue;
    const before = limits.get(finding.recipient);
    const counted = limitOf(finding, 'recipients');
    limits.set(finding.recipient, {
      size: tighter(before?.size, limitOf(finding, 'size')),
      recipients: [...(before?.recipients ?? []), ...(counted === undefined ? [] : [counted])],
    });
  }
  return limits;
}
