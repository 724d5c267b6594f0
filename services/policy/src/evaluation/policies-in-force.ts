/** Settings in force for a session as a whole, and the checks that are on by them; found once per settings. */
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

const active = new WeakMap<CheckPolicies, readonly CheckDefinition[]>();

/** Those that are on. One that speaks about recipients may be on for some of them: it looks at the settings of each itself. */
export function activeChecks(
  inForce: CheckPolicies,
  { policies, usersSetChecks }: Subject['snapshot'],
): readonly CheckDefinition[] {
  const known = active.get(inForce);
  if (known !== undefined) return known;
  const made = checks.filter((check) => {
    if (check.name === 'lists_user') return usersSetChecks;
    if (check.settings === 'lists' && isEmpty(inForce.lists)) return false;
    return inForce[check.settings].enabled || (check.concerns !== undefined && policies.differ);
  });
  active.set(inForce, made);
  return made;
}
