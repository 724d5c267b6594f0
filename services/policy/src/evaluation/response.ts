/** What an evaluation answers: one decision about the whole, one for each recipient asked, and at the end of data groups of recipients. */
import {
  type Decision,
  type EvaluateResponse,
  type RecipientDecision,
  type RecipientGroup,
  Stage,
} from '@postern/proto/policy/v1/policy_service';
import { contentPlan } from '../verdict/content-plan.js';
import { acceptance, isRefusal } from '../verdict/decision.js';
import { recipientGroups } from '../verdict/groups.js';
import { isSenderAuthenticated } from '../verdict/sender-authenticated.js';
import { forgedFieldEdits, traceFieldEdits } from '../verdict/trace-fields.js';
import type { EvaluationState, Judged } from './state.js';

export interface Echo {
  readonly sessionId: string;
  readonly sequence: number;
  readonly pod: string;
}

export function responseOf(state: EvaluationState, stages: readonly Stage[], echo: Echo): EvaluateResponse {
  const { subject, judged, skips, known, limits, changedSender } = state;
  const atContent = stages.includes(Stage.HEADERS) || stages.includes(Stage.BODY);
  const { decision, groups } = atContent ? contentAnswer(state) : { decision: wholeDecision(state, false), groups: [] };
  return {
    sessionId: echo.sessionId,
    sequence: echo.sequence,
    decision,
    recipients: stages.includes(Stage.RCPT) && !isRefusal(decision.action) ? judged.map(recipientDecision) : [],
    contentPlan: contentPlan(subject, skips),
    groups,
    findings: subject.findings.slice(known),
    limits,
    changedSender,
    senderAuthenticated: isSenderAuthenticated(subject),
    pod: echo.pod,
    contentWaiver: undefined,
  };
}

/** What the end of data is answered; a refused message has no groups. */
export function contentAnswer(state: EvaluationState): {
  readonly decision: Decision;
  readonly groups: RecipientGroup[];
} {
  const decision = wholeDecision(state, true);
  return { decision, groups: isRefusal(decision.action) ? [] : groupsOf(state) };
}

/** At the end of data there is one reply for all: where every recipient is refused, it is a refusal. */
function wholeDecision({ whole, judged }: EvaluationState, atContent: boolean): Decision {
  const own = whole.decision;
  if (own !== undefined && isRefusal(own.action)) return own;
  if (atContent && judged.length > 0 && judged.every(({ course }) => course.refusal !== undefined))
    return judged[0]?.course.refusal ?? acceptance();
  return own ?? acceptance();
}

function groupsOf({ subject, judged, whole }: EvaluationState): RecipientGroup[] {
  return recipientGroups(judged, {
    before: forgedFieldEdits(subject),
    after: traceFieldEdits(subject, subject.content?.signatures ?? []),
    tags: whole.tags,
  });
}

function recipientDecision({ recipient, course, expandsTo }: Judged): RecipientDecision {
  const { redirectedTo, copies } = course;
  const itself = redirectedTo ?? expandsTo;
  const targets = copies.length === 0 ? itself : [...(itself.length === 0 ? [recipient.address] : itself), ...copies];
  return {
    address: recipient.address,
    decision: course.decision ?? acceptance(),
    expandsTo: [...new Set(targets)],
  };
}
