/**
 * Checks as tenants and domains want them, for the recipients of one evaluation: where a scope sets a check differently its own settings decide,
 * on the finding there is if the question is the same, else on one of its own. One run per distinct settings, whatever the number of recipients.
 * A finding that nothing is done about is not told once more for each of them.
 */
import type { Finding, Stage } from '@postern/proto/policy/v1/policy_service';
import { hasConsequence, spareable } from './actions.js';
import { type CheckDefinition, lastFinding } from './check.js';
import { type CheckResult, type CheckServices, runCheck } from './check-runner.js';
import { forcedPolicies } from './forced-checks.js';
import { ruleCheck } from './rules/rule-finding.js';
import type { CheckPolicies } from './snapshot/check-policy.js';
import { stageOf } from './stage-event.js';
import { domainOf, type Subject } from './subject.js';

export interface ScopeQuestion {
  readonly subject: Subject;
  readonly server: CheckPolicies;
  readonly addresses: readonly string[];
  readonly checks: readonly CheckDefinition[];
  /** Its consequence was not taken for the whole. */
  readonly isLeft: (check: CheckDefinition) => boolean;
  /** A rule runs it for the whole session. */
  readonly isWished: (check: CheckDefinition) => boolean;
  readonly stage: Stage;
  readonly remainingMs: number;
  readonly dryRun: boolean;
}

type Settings = CheckPolicies[CheckDefinition['settings']];

/** Recipients with the same settings of one check. */
interface Scope {
  readonly policies: CheckPolicies;
  readonly addresses: string[];
}

export async function observeScopes(services: CheckServices, question: ScopeQuestion): Promise<CheckResult[]> {
  const { subject, checks } = question;
  const accepted = acceptedStages(subject.findings);
  const runs: (CheckResult[] | Promise<CheckResult[]>)[] = [];
  for (const check of checks) {
    if (check.concerns !== undefined || accepted.has(stageOf(check.stage))) continue;
    const known = lastFinding(subject.findings, check.name);
    const isLeft = question.isLeft(check);
    const server = inForce(question, check, question.server);
    for (const scope of scopesOf(question, check)) {
      const own = scope.policies[check.settings];
      if (known !== undefined && isSameQuestion(server[check.settings], own)) {
        if (own.enabled && (isLeft || own !== server[check.settings])) runs.push(told(question, check, known, scope));
        continue;
      }
      // What the operator does not let them loosen stands beside what they ask themselves.
      if (known !== undefined && isLeft && server[check.settings].enabled && !mayLoosen(check, server))
        runs.push(told(question, check, known, { ...scope, policies: server }));
      if (own.enabled && check.applies(subject, scope.policies)) runs.push(observe(services, question, check, scope));
    }
  }
  return runs.length === 0 ? [] : (await Promise.all(runs)).flat();
}

const inForce = ({ isWished }: ScopeQuestion, check: CheckDefinition, set: CheckPolicies): CheckPolicies =>
  isWished(check) ? forcedPolicies(set, check.settings) : set;

function scopesOf(question: ScopeQuestion, check: CheckDefinition): Iterable<Scope> {
  const bySettings = new Map<Settings, Scope>();
  const { policies: all } = question.subject.snapshot;
  for (const address of question.addresses) {
    const policies = inForce(question, check, all.ofDomain(domainOf(address)));
    const scope = bySettings.get(policies[check.settings]) ?? { policies, addresses: [] };
    scope.addresses.push(address);
    bySettings.set(policies[check.settings], scope);
  }
  return bySettings.values();
}

/** At which a rule accepted for the whole session: checks there have no say, at RCPT either. */
function acceptedStages(findings: readonly Finding[]): ReadonlySet<Stage> {
  const stages = new Set<Stage>();
  for (const { check, action, recipient, stage } of findings)
    if (check === ruleCheck && action === 'accept' && recipient === '') stages.add(stage);
  return stages;
}

const mayLoosen = (check: CheckDefinition, server: CheckPolicies): boolean =>
  server[check.settings].tenantsMay === 'anything' || spareable.has(check.name);

/** What is known, said of the recipients where something is done about it. */
function told(
  { stage }: ScopeQuestion,
  check: CheckDefinition,
  known: Finding,
  { policies, addresses }: Scope,
): CheckResult[] {
  if (!hasConsequence(check, known, policies)) return [];
  return addresses.map((recipient) => ({
    ...{ check, policies, expandsTo: [] },
    finding: { ...known, recipient, stage },
  }));
}

async function observe(
  services: CheckServices,
  { subject, stage, remainingMs, dryRun }: ScopeQuestion,
  check: CheckDefinition,
  { policies, addresses }: Scope,
): Promise<CheckResult[]> {
  const found = await runCheck(services, { check, policies, stage, remainingMs, dryRun }, subject);
  return addresses.flatMap((recipient) =>
    found.map(({ finding }) => ({ check, policies, finding: { ...finding, recipient, stage }, expandsTo: [] })),
  );
}

/** Differ they only in what is done about it? */
export function isSameQuestion(one: Settings, other: Settings): boolean {
  if (one === other) return true;
  const question = ({ tenantsMay: _tenantsMay, ...rest }: Settings): string =>
    JSON.stringify(Object.entries(rest).filter(([field]) => !/^on[A-Z]/.test(field)));
  return one.enabled && question(one) === question(other);
}
