/**
 * Checks that a rule runs where settings leave them off: the same check with the same settings, switched on, for whoever the rule speaks about, a
 * client that is logged in included. Which are wished is told by findings, so that any pod knows it at a later stage.
 */
import type { Finding } from '@postern/proto/policy/v1/policy_service';
import { asked, type CheckDefinition, type SettingsName } from './check.js';
import { checks } from './checks/index.js';
import { carriedAction } from './rules/rule-finding.js';
import type { CheckPolicies } from './snapshot/check-policy.js';
import type { Subject } from './subject.js';

const byName: ReadonlyMap<string, CheckDefinition> = new Map(checks.map((check) => [check.name, check]));

export const checkNamed = (name: string): CheckDefinition | undefined => byName.get(name);

/** Recipients each check is wished for; '' = for all of the session or message. */
export type RunWishes = Map<CheckDefinition, Set<string>>;

export function addWish(wishes: RunWishes, name: string, recipient: string): void {
  const check = byName.get(name);
  if (check === undefined) return;
  const wished = wishes.get(check);
  if (wished === undefined) wishes.set(check, new Set([recipient]));
  else wished.add(recipient);
}

/** Names of the checks that rules have asked for so far. */
export function wishedChecks(findings: readonly Finding[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const finding of findings) {
    const action = carriedAction(finding);
    if (action?.kind === 'run') names.add(action.check);
  }
  return names;
}

const forced = new WeakMap<CheckPolicies, Map<SettingsName, CheckPolicies>>();

export function forcedPolicies(policies: CheckPolicies, name: SettingsName): CheckPolicies {
  const known = forced.get(policies)?.get(name);
  if (known !== undefined) return known;
  const made: CheckPolicies = policies[name].enabled
    ? policies
    : { ...policies, [name]: { ...policies[name], enabled: true } };
  const list = forced.get(policies) ?? new Map<SettingsName, CheckPolicies>();
  forced.set(policies, list.set(name, made));
  return made;
}

/** The subject as the check shall see it; of the recipients asked only those it is wished for. */
export function forcedSubject(subject: Subject, { settings }: CheckDefinition, wished: ReadonlySet<string>): Subject {
  const { policies } = subject.snapshot;
  return {
    ...subject,
    isOutsider: true,
    asked: wished.has('') ? subject.asked : subject.asked.filter(({ address }) => wished.has(address)),
    snapshot: {
      ...subject.snapshot,
      policies: {
        differ: true,
        server: forcedPolicies(policies.server, settings),
        ofDomain: (name) => forcedPolicies(policies.ofDomain(name), settings),
        ofTenant: (name) => forcedPolicies(policies.ofTenant(name), settings),
      },
    },
  };
}

/** Is what was wished found already? */
export function isFound(check: CheckDefinition, recipient: string, findings: readonly Finding[]): boolean {
  return findings.some(
    (finding) =>
      finding.check === check.name &&
      finding.action !== asked &&
      (finding.recipient === recipient || (recipient === '' && check.concerns !== undefined)),
  );
}
