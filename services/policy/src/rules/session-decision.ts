/**
 * What the session decides by itself from rules (services/edge/src/rules), said once more here: real mail never comes this far with such a
 * refusal open, a simulation does, and must say the same (invariant 10).
 */
import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import { Action, type Decision, type Finding, type RecipientFacts } from '@postern/proto/policy/v1/policy_service';
import type { Action as RuleAction } from '@postern/rules';
import { decision } from '../verdict/decision.js';
import { ruleCheck } from './rule-finding.js';

/** RFC 3207 §4. */
export function tlsDemand(action: RuleAction, tlsVersion: string, by: string): Decision | undefined {
  if (action.kind !== 'requireTls' || tlsVersion !== '') return undefined;
  return decision({ action: Action.REJECT, code: 530, enhanced: '5.7.0', text: action.text }, by);
}

/** The last word of the rules about relaying, or local delivery, of this recipient. */
export function rightTaken(
  findings: readonly Finding[],
  { address, recipientClass }: RecipientFacts,
  authenticatedUser: string,
): Decision | undefined {
  const relays = recipientClass !== RecipientClass.LOCAL;
  const kind = relays ? 'allowRelay' : 'allowLocal';
  const last = findings.findLast(
    ({ check, action, recipient }) =>
      check === ruleCheck && action === kind && (recipient === '' || recipient === address),
  );
  const clientele = last?.evidence.for;
  const isOpen = clientele !== 'none' && (clientele !== 'authenticated' || authenticatedUser !== '');
  if (last === undefined || isOpen) return undefined;
  if (relays)
    return decision({ action: Action.REJECT, code: 550, enhanced: '5.7.1', text: 'relaying denied' }, last.rule);
  const refusal =
    clientele === 'none'
      ? { action: Action.REJECT, code: 550, enhanced: '5.7.1', text: 'access denied' }
      : { action: Action.REJECT, code: 530, enhanced: '5.7.0', text: 'authentication required' };
  return decision(refusal, last.rule);
}
