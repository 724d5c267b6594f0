/** Settings in force for a session as a whole, and the checks that are on by them; found once per settings. */

import type { RuleEvent } from '@postern/rules';
import type { CheckDefinition } from '../check.js';
import { checks } from '../checks/index.js';
import { isEmpty } from '../lists/list-matcher.js';
import type { CheckPolicies } from '../snapshot/check-policy.js';
import { domainOf, type Subject } from '../subject.js';

/** Of the login's domain, else of the tenant a relay client submits for, else the operator's. */
export function sessionPolicies({ snapshot, origin, facts }: Subject): CheckPolicies {
  const { policies } = snapshot;
  if (!policies.differ) return policies.server;
  if (origin.authenticatedUser !== '') return policies.ofDomain(domainOf(origin.authenticatedUser));
  return facts.submittingTenant === '' ? policies.server : policies.ofTenant(facts.submittingTenant);
}

const sessionEvents: readonly RuleEvent[] = ['connect', 'ehlo', 'auth', 'mail', 'rcpt'];

/**
 * Whether what an outsider is refused for at connect, ehlo and mail waits for the recipient. An allow list of anybody's, settings of a tenant or a rule
 * could have another word there. The verdict is the same either way, in the order of checks: that of a recipient never depends on
 * what others have set. Only where nobody could say anything, the first refusal ends it, and nothing further is asked.
 */
export function decidesPerRecipient({ isOutsider, snapshot }: Subject): boolean {
  const { policies, rules, usersSetChecks } = snapshot;
  const isListed = policies.server.lists.enabled && policies.server.lists.allow.length > 0;
  return (
    isOutsider && (policies.differ || usersSetChecks || isListed || sessionEvents.some((event) => rules.has(event)))
  );
}

const active = new WeakMap<CheckPolicies, readonly CheckDefinition[]>();

/** Those that are on. One that speaks about recipients may be on for some of them: it looks at the settings of each itself. */
export function activeChecks(
  inForce: CheckPolicies,
  { policies, usersSetChecks }: Subject['snapshot'],
): readonly CheckDefinition[] {
  const known = active.get(inForce);
  if (known !== undefined) return known;
  const made = checks.filter((check) => {
    if (check.name === 'lists_user' || check.name === 'lists_user_from') return usersSetChecks;
    if (check.settings === 'lists' && isEmpty(inForce.lists)) return false;
    return inForce[check.settings].enabled || (check.concerns !== undefined && policies.differ);
  });
  active.set(inForce, made);
  return made;
}
