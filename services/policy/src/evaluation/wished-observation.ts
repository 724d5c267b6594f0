/** Checks that rules run, made once whatever the number of recipients they are wished for. */
import type { Stage } from '@postern/proto/policy/v1/policy_service';
import type { RuleEvent } from '@postern/rules';
import { type CheckDefinition, asked as forFacts, lastFinding } from '../check.js';
import { type CheckResult, runCheck } from '../check-runner.js';
import { forcedPolicies, forcedSubject, isFound } from '../forced-checks.js';
import { stageOf } from '../stage-event.js';
import { timeOf } from './ahead.js';
import type { EvaluationState } from './state.js';

export async function observeWished(state: EvaluationState, event: RuleEvent, stage: Stage): Promise<CheckResult[]> {
  const { wishes, skips, subject } = state;
  if (wishes.size === 0) return [];
  const made: CheckResult[] = [];
  for (const [check, recipients] of wishes) {
    if (stageOf(check.stage) > stage || skips.has(check.name)) continue;
    const open = [...recipients].filter((recipient) => isOpen(state, check, recipient, event));
    if (open.length === 0) continue;
    made.push(...(await observeForced(state, check, new Set(open), stage)));
  }
  for (const { finding } of made) subject.findings.push(finding);
  return made;
}

function isOpen(
  { subject, byAddress }: EvaluationState,
  check: CheckDefinition,
  recipient: string,
  event: RuleEvent,
): boolean {
  if (isFound(check, recipient, subject.findings)) return false;
  if (check.concerns !== undefined) return event === 'rcpt';
  return recipient === '' || byAddress.has(recipient);
}

async function observeForced(
  state: EvaluationState,
  check: CheckDefinition,
  wished: ReadonlySet<string>,
  stage: Stage,
): Promise<CheckResult[]> {
  const { services, subject: asked, policies: session, dryRun } = state;
  const policies = forcedPolicies(session, check.settings);
  const subject = forcedSubject(asked, check, wished);
  if (!check.applies(subject, policies)) return [];
  const known = lastFinding(asked.findings, check.name);
  const results =
    known === undefined || known.action === forFacts || wished.has('')
      ? await runCheck(services, { check, policies, stage, remainingMs: timeOf(state, stage), dryRun }, subject)
      : [{ check, policies, finding: known, expandsTo: [] }];
  if (check.concerns !== undefined || wished.has('')) return results;
  return [...wished].flatMap((recipient) =>
    results.map((result) => ({ ...result, finding: { ...result.finding, recipient, stage } })),
  );
}
