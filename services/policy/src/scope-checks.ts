/**
 * Checks as tenants and domains want them, for the recipients of one evaluation: where a scope sets a check differently its own settings decide,
 * on the finding there is if the question is the same, else on one of its own. One run per distinct settings, whatever the number of recipients.
 */
import type { Finding, Stage } from '@postern/proto/policy/v1/policy_service';
import { spareable } from './actions.js';
import { type CheckDefinition, lastFinding } from './check.js';
import { type CheckResult, type CheckServices, runCheck } from './check-runner.js';
import type { CheckPolicies } from './snapshot/check-policy.js';
import { domainOf, type Subject } from './subject.js';

export interface ScopeQuestion {
  readonly subject: Subject;
  readonly server: CheckPolicies;
  readonly addresses: readonly string[];
  readonly checks: readonly CheckDefinition[];
  readonly stage: Stage;
  readonly remainingMs: number;
  readonly dryRun: boolean;
}

type Settings = CheckPolicies[CheckDefinition['settings']];

export async function observeScopes(services: CheckServices, question: ScopeQuestion): Promise<CheckResult[]> {
  const { subject, server, addresses, checks } = question;
  const runs: Promise<CheckResult[]>[] = [];
  for (const check of checks) {
    if (check.concerns !== undefined) continue;
    const bySettings = new Map<Settings, { readonly policies: CheckPolicies; readonly addresses: string[] }>();
    for (const address of addresses) {
      const policies = subject.snapshot.policies.ofDomain(domainOf(address));
      const own = policies[check.settings];
      const isLeft = subject.snapshot.rules.tenantsSkip || isLeftToScopes(check, server);
      if (!own.enabled || (own === server[check.settings] && !isLeft)) continue;
      const group = bySettings.get(own) ?? { policies, addresses: [] };
      group.addresses.push(address);
      bySettings.set(own, group);
    }
    for (const { policies, addresses: some } of bySettings.values())
      if (check.applies(subject, policies)) runs.push(observe(services, question, check, policies, some));
  }
  return (await Promise.all(runs)).flat();
}

const isLeftToScopes = (check: CheckDefinition, server: CheckPolicies): boolean =>
  server[check.settings].tenantsMay === 'anything' || spareable.has(check.name);

async function observe(
  services: CheckServices,
  { subject, server, stage, remainingMs, dryRun }: ScopeQuestion,
  check: CheckDefinition,
  policies: CheckPolicies,
  addresses: readonly string[],
): Promise<CheckResult[]> {
  const known = lastFinding(subject.findings, check.name);
  const found: readonly Finding[] =
    known !== undefined && isSameQuestion(server[check.settings], policies[check.settings])
      ? [known]
      : (await runCheck(services, { check, policies, stage, remainingMs, dryRun }, subject)).map(
          ({ finding }) => finding,
        );
  return addresses.flatMap((recipient) =>
    found.map((finding) => ({ check, policies, finding: { ...finding, recipient, stage }, expandsTo: [] })),
  );
}

/** Differ they only in what is done about it? */
export function isSameQuestion(one: Settings, other: Settings): boolean {
  if (one === other) return true;
  const question = ({ tenantsMay: _tenantsMay, ...rest }: Settings): string =>
    JSON.stringify(Object.entries(rest).filter(([field]) => !/^on[A-Z]/.test(field)));
  return one.enabled && question(one) === question(other);
}
