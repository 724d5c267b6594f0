/** Which rule made a limit what it is, for the event of a refusal by it. A tenant reads no rule of another one. */
import type { Finding } from '@postern/proto/policy/v1/policy_service';

export interface SaidBy {
  /** `id@version`. */
  readonly rule: string;
  /** undefined = the operator's. */
  readonly tenant: string | undefined;
}

/** `reader`: the tenant that is told; undefined = operators only. */
export function ruleNamed(by: SaidBy | undefined, reader?: string): { readonly rule?: string } {
  if (by === undefined) return {};
  return by.tenant === undefined || reader === undefined || by.tenant === reader ? { rule: by.rule } : {};
}

/** Among the findings of a verdict the rule that chose this limit. */
export function limitSource(
  findings: readonly Finding[],
  name: 'size' | 'recipients',
  limit: number,
): SaidBy | undefined {
  const found = findings.find(
    ({ check, action, evidence }) => check === 'rule' && action === 'setLimit' && evidence[name] === String(limit),
  );
  return found === undefined ? undefined : { rule: found.rule, tenant: found.evidence.tenant };
}
