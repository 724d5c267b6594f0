/**
 * Whose word counts about a finding: that of the session's settings for all, or each recipient's own. Of client, greeting and sender either all checks are
 * left to the recipients or none; of the content those which a tenant, an allow list or a rule may see otherwise.
 */
import { sessionChecks, spareable } from '../actions.js';
import type { CheckDefinition } from '../check.js';
import type { EvaluationState } from './state.js';

export function isLeftToRecipients(
  { subject, policies, perRecipient }: EvaluationState,
  check: CheckDefinition,
): boolean {
  if (!subject.isOutsider) return false;
  if (sessionChecks.has(check.name)) return perRecipient;
  const { snapshot } = subject;
  if (snapshot.rules.skipsSingly) return true;
  if (!snapshot.policies.differ && !snapshot.usersSetChecks) return false;
  return policies[check.settings].tenantsMay === 'anything' || spareable.has(check.name);
}
