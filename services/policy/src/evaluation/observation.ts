/** The checks of one stage, all at the same time: those that are on, those of earlier stages nobody told about, and what scopes see differently. */
import { type Finding, Stage } from '@postern/proto/policy/v1/policy_service';
import type { RuleEvent } from '@postern/rules';
import { asked, type CheckDefinition, lastFinding } from '../check.js';
import { type CheckResult, runCheck, skippedFinding } from '../check-runner.js';
import { checks } from '../checks/index.js';
import { observeScopes } from '../scope-checks.js';
import { stageOf } from '../stage-event.js';
import { settle, timeOf } from './ahead.js';
import { isLeftToRecipients } from './left-to-recipients.js';
import type { EvaluationState } from './state.js';

const ownStages: Readonly<Record<'rcpt' | 'body', ReadonlySet<RuleEvent>>> = {
  rcpt: new Set<RuleEvent>(['connect', 'ehlo', 'auth', 'mail', 'rcpt']),
  body: new Set<RuleEvent>(['headers', 'body']),
};

/** Checks of earlier stages whose findings are not in the facts are asked again, without consequence: their stage is over. */
export async function catchUp(state: EvaluationState, first: Stage): Promise<void> {
  const { active, subject, policies, skips } = state;
  const missed = active.filter((check) => {
    if (stageOf(check.stage) >= first || check.stage === 'rcpt' || skips.has(check.name)) return false;
    return lastFinding(subject.findings, check.name) === undefined && check.applies(subject, policies);
  });
  await observe(state, missed, undefined, timeOf(state, Stage.UNSPECIFIED));
}

export function observeDue(state: EvaluationState, event: RuleEvent, stage: Stage): Promise<CheckResult[]> {
  const { active, subject, policies } = state;
  const due = active.filter((check) => check.stage === event && check.applies(subject, policies));
  return observe(state, due, stage, timeOf(state, stage, asksScopes(state, event)));
}

async function observe(
  state: EvaluationState,
  due: readonly CheckDefinition[],
  stage: Stage | undefined,
  remainingMs: number,
): Promise<CheckResult[]> {
  if (due.length === 0) return [];
  const { services, subject, policies, skips, dryRun, ahead } = state;
  const { findings } = subject;
  const runs: Promise<CheckResult[]>[] = [];
  for (const check of due) {
    const own = stage ?? stageOf(check.stage);
    if (skips.has(check.name)) findings.push({ ...skippedFinding(check, own), action: 'skipped' });
    else
      runs.push(
        ahead.get(check.name) ?? runCheck(services, { check, policies, stage: own, remainingMs, dryRun }, subject),
      );
  }
  const results = await settle(state, runs, stage ?? Stage.UNSPECIFIED);
  for (const { finding } of results) findings.push(finding);
  return results;
}

/** Whether scopes are asked at this event at all. */
export function asksScopes({ subject, perRecipient }: EvaluationState, event: RuleEvent): event is 'rcpt' | 'body' {
  if (event === 'rcpt') return perRecipient;
  const { policies, rules, usersSetChecks } = subject.snapshot;
  return event === 'body' && subject.isOutsider && (policies.differ || usersSetChecks || rules.skipsSingly);
}

/** What tenants and domains see differently: at RCPT the checks up to there, at the end of data those of the content. */
export async function observeOwn(state: EvaluationState, event: 'rcpt' | 'body', stage: Stage): Promise<CheckResult[]> {
  const { services, subject, policies, judged, skips, wishes, dryRun, remainingMs } = state;
  const results = await observeScopes(services, {
    ...{ subject, server: policies, stage, remainingMs, dryRun },
    addresses: judged.map(({ recipient }) => recipient.address),
    checks: checks.filter((check) => ownStages[event].has(check.stage) && !skips.has(check.name)),
    isLeft: (check) => isLeftToRecipients(state, check),
    isWished: (check) => wishes.get(check)?.has('') === true,
  });
  for (const { finding } of results) {
    forgetAsked(subject.findings, finding, state.known);
    subject.findings.push(finding);
    state.spare(finding);
  }
  return results;
}

/** What was found for a condition is told with its consequence, not twice. */
function forgetAsked(findings: Finding[], { check, recipient }: Finding, from: number): void {
  const at = findings.findIndex(
    (one, index) => index >= from && one.check === check && one.recipient === recipient && one.action === asked,
  );
  if (at >= 0) findings.splice(at, 1);
}

const ranks = new Map(checks.map(({ name }, rank) => [name, rank]));

/** Of several refusals the first check's stands, whoever set it. */
export function inOrder(results: CheckResult[], own: readonly CheckResult[]): CheckResult[] {
  if (own.length === 0) return results;
  const rankOf = ({ check }: CheckResult): number => ranks.get(check.name) ?? 0;
  return [...results, ...own].sort((one, other) => rankOf(one) - rankOf(other));
}
