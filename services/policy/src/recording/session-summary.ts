/**
 * What a list of recorded sessions tells of one, in the words its tenant may read: sender, recipients and verdict of its last step. Each step is told with all
 * that was known then, so that the last one says it for the session. Pure.
 */
import {
  type Decision,
  type EvaluateResponse,
  type RecordedStep,
  RecordingSummary,
} from '@postern/proto/policy/v1/policy_service';
import { actionName, isRefusal } from '../verdict/decision.js';
import { shownStep } from './own-part.js';

const longestVerdict = 200;

const wordsOf = (decided: Decision | undefined): string => {
  const name = decided === undefined ? 'accept' : actionName(decided.action);
  return name === 'accept' || !decided?.decidedBy ? name : `${name} by ${decided.decidedBy}`;
};

function verdictOf({ decision, groups, recipients }: EvaluateResponse): string {
  if (decision !== undefined && isRefusal(decision.action)) return wordsOf(decision);
  const each =
    groups.length > 0
      ? groups.flatMap((group) => group.recipients.map(() => wordsOf(group.decision)))
      : recipients.map((one) => wordsOf(one.decision));
  const kinds = [...Map.groupBy(each, (words) => words)];
  const [only, ...more] = kinds;
  if (only === undefined) return wordsOf(decision);
  return more.length === 0 ? only[0] : kinds.map(([words, { length }]) => `${length} ${words}`).join(', ');
}

/** Time and bytes are the store's to add. */
export function summaryOf(tenant: string, sessionId: string, step: RecordedStep): RecordingSummary {
  const { request, verdict } = shownStep(step, tenant);
  const { reversePath = '', hasReversePath = false, recipients = [] } = request?.facts ?? {};
  return RecordingSummary.fromPartial({
    sessionId,
    sender: hasReversePath ? `<${reversePath}>` : '',
    recipient: recipients[0]?.address ?? '',
    recipients: recipients.length,
    verdict: verdict === undefined ? '' : verdictOf(verdict).slice(0, longestVerdict),
  });
}
