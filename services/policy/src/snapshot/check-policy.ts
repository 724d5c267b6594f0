/** What the operator set for each check, with defaults filled in. A check nobody configured is off; recipients is never off. */
import type { CheckSettings, Checks } from '@postern/proto/config/v1/snapshot';
import type { CheckName } from '../check.js';

export interface CheckPolicy {
  readonly enabled: boolean;
  /** Refuse on failure; false = mark only. */
  readonly rejects: boolean;
  /** 0 = the check's own. */
  readonly timeoutMs: number;
  readonly zones: readonly string[];
}

export type CheckPolicies = Readonly<Record<CheckName, CheckPolicy>>;

function policyOf(settings: CheckSettings | undefined, zones: readonly string[] = []): CheckPolicy {
  return {
    enabled: settings?.enabled ?? false,
    rejects: settings?.onFail === 'reject',
    timeoutMs: settings?.timeoutMs ?? 0,
    zones,
  };
}

export function checkPolicies(checks: Checks | undefined): CheckPolicies {
  const dnsbl = policyOf(checks?.dnsbl, checks?.dnsblZones);
  return {
    dnsbl: { ...dnsbl, enabled: dnsbl.enabled && dnsbl.zones.length > 0 },
    spf: policyOf(checks?.spf),
    dkim: policyOf(checks?.dkim),
    dmarc: policyOf(checks?.dmarc),
    recipients: { enabled: true, rejects: true, timeoutMs: 0, zones: [] },
  };
}
