/** A refusal of policy that is a limit of a rule about single recipients (`setLimit`): which one, for the count of refusals by limits. */
import type { LimitName, SaidBy } from '@postern/flow-control/session';
import type { Decision, Finding } from '@postern/proto/policy/v1/policy_service';

const names: ReadonlyMap<string, LimitName> = new Map([
  ['452 4.5.3', 'recipients_per_message'],
  ['552 5.3.4', 'message_size'],
]);

export interface RuleLimit {
  readonly limit: LimitName;
  readonly by: SaidBy;
}

/** `findings` as far as they may have to do with it; undefined where the rule refuses by itself, or none does. */
export function refusingRuleLimit(
  { decidedBy, replyCode, enhancedCode }: Decision,
  findings: readonly Finding[],
): RuleLimit | undefined {
  const limit = names.get(`${replyCode} ${enhancedCode}`);
  if (limit === undefined) return undefined;
  const ofRule = findings.filter(({ check, rule }) => check === 'rule' && rule === decidedBy);
  const setting = ofRule.find(({ action }) => action === 'setLimit');
  if (setting === undefined || ofRule.some(({ action }) => action === 'reject' || action === 'tempfail'))
    return undefined;
  return { limit, by: { rule: setting.rule, tenant: setting.evidence.tenant } };
}
