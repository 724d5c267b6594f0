/** From a finding to its consequence: whose course it changes, and what keeps it from having one. A rule's `accept` or `skip` takes the consequence, never the finding. */
import type { FailureAction } from '@postern/check-settings';
import type { Finding } from '@postern/proto/policy/v1/policy_service';
import { actionFor, consequenceOf, hasConsequence, sessionChecks } from '../actions.js';
import type { CheckDefinition } from '../check.js';
import type { CheckResult } from '../check-runner.js';
import { domainOf } from '../subject.js';
import type { Course } from '../verdict/course.js';
import { actionName } from '../verdict/decision.js';
import { isLeftToRecipients } from './left-to-recipients.js';
import type { EvaluationState, Judged } from './state.js';

/** `wished` by a rule: it counts for whom the rule speaks about, whatever scopes would say. */
export function conclude(
  state: EvaluationState,
  { check, policies, finding, expandsTo }: CheckResult,
  wished = false,
): void {
  const { byAddress, whole, skips, subject } = state;
  const judged = byAddress.get(finding.recipient);
  const course = judged?.course ?? whole;
  if (judged !== undefined && check.name === 'recipients') judged.expandsTo = expandsTo;
  // What a rule accepts at RCPT is not what client and sender were looked at for, but where a rule ran it there.
  const isOfEvent = wished || judged === undefined || !sessionChecks.has(check.name);
  if (skips.has(check.name)) finding.action = 'skipped';
  else if (whole.spared.has(check.name) || course.spared.has(check.name)) finding.action = 'spared';
  else if ((course.accepted && isOfEvent) || isAcceptedByAll(state, judged)) finding.action = 'accepted';
  else if (judged === undefined && isOfNobody(state, check)) finding.action = 'spared';
  else if (judged === undefined && isLeftToRecipients(state, check))
    finding.action = hasConsequence(check, finding, policies) ? 'per recipient' : 'none';
  else {
    const own = judged !== undefined && check.concerns !== undefined;
    const inForce = own ? subject.snapshot.policies.ofDomain(domainOf(finding.recipient)) : policies;
    take(state, check, finding, concerned(state, check, judged), actionFor(check, finding, inForce));
  }
}

/** Rules at headers and body accept for recipients, checks there speak about the message. */
function isAcceptedByAll({ judged: all }: EvaluationState, judged: Judged | undefined): boolean {
  return judged === undefined && all.length > 0 && all.every(({ course }) => course.accepted);
}

/** A rule has accepted the message for him, or spares him the check. */
const isFree = ({ name }: CheckDefinition, { accepted, spared }: Course): boolean => accepted || spared.has(name);

function isOfNobody({ judged: all }: EvaluationState, check: CheckDefinition): boolean {
  return all.length > 0 && all.every(({ course }) => isFree(check, course));
}

/** Whose course a finding changes: that of its recipient; of the message, but for those that rules keep it from. */
function concerned(
  { judged: all, whole }: EvaluationState,
  check: CheckDefinition,
  judged: Judged | undefined,
): readonly Course[] {
  if (judged !== undefined) return [judged.course];
  const others = all.map(({ course }) => course).filter((course) => !isFree(check, course));
  return others.length === all.length ? [whole] : others;
}

function take(
  { judged, whole }: EvaluationState,
  check: CheckDefinition,
  finding: Finding,
  courses: readonly Course[],
  onFail: FailureAction,
): void {
  const consequence = consequenceOf(check.name, finding, onFail);
  switch (consequence.kind) {
    case 'none':
      finding.action = onFail === 'mark' ? 'mark' : 'none';
      return;
    case 'tag':
      finding.action = 'tag';
      for (const course of courses) course.tag(consequence.tag);
      return;
    case 'rewrite':
      finding.action = 'rewrite';
      for (const { course } of judged)
        if (courses.includes(course) || courses.includes(whole)) course.rewriteFrom(consequence.address);
      return;
    case 'decide':
      finding.action = actionName(consequence.decision.action);
      // There is one reply, and a delay costs little: what holds up one recipient holds up all.
      if (check.name === 'greylist_signed') whole.take(consequence.decision);
      else for (const course of courses) if (isConcerned(check, course)) course.take(consequence.decision);
  }
}

/** A redirected recipient need not exist itself; for whom client and sender are refused it is all the same. */
const isConcerned = (check: CheckDefinition, { redirect }: Course): boolean =>
  redirect === undefined || sessionChecks.has(check.name);
