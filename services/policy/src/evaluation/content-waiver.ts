/**
 * The end of data answered at RCPT already, where nothing in the header section could change the answer but a field written in our name (design.md,
 * step 4: content is sent as far as it matters). Made by the code that answers the end of data itself, from the same findings, so that both say the same.
 * None where a rule or check looks at content, where limits are of single recipients, or where recipients came before this group.
 */
import { ContentPlan, type ContentWaiver, type EvaluateResponse, Stage } from '@postern/proto/policy/v1/policy_service';
import { MessageContent } from '../content/message-content.js';
import { wishedChecks } from '../forced-checks.js';
import { hasOwnLimit } from '../recipient-limits/own-limits.js';
import type { Subject } from '../subject.js';
import { isRefusal } from '../verdict/decision.js';
import { traceFieldNames } from '../verdict/trace-fields.js';
import { contentAnswer } from './response.js';
import { EvaluationState } from './state.js';

/** More are rare, and each costs as much again at the end of data. */
const mostRecipients = 16;
const nothing = Buffer.alloc(0);

export function contentWaiver(
  state: EvaluationState,
  { contentPlan, decision }: Pick<EvaluateResponse, 'contentPlan' | 'decision'>,
): ContentWaiver | undefined {
  if (contentPlan !== ContentPlan.HEADERS || decision === undefined || isRefusal(decision.action)) return undefined;
  const { subject, byAddress } = state;
  const { facts, findings } = subject;
  if (facts.recipients.length > mostRecipients || !facts.recipients.every(({ asked }) => asked)) return undefined;
  const taken = facts.recipients.filter(({ address }) => byAddress.get(address)?.course.refusal === undefined);
  if (taken.length === 0 || looksAtContent(state)) return undefined;
  const addresses = new Set(taken.map(({ address }) => address));
  const atEnd: Subject = {
    ...subject,
    facts: { ...facts, recipients: taken.map((recipient) => ({ ...recipient, asked: false })) },
    asked: [],
    findings: findings.filter(({ recipient }) => recipient === '' || addresses.has(recipient)),
  };
  const { services, endsAt, dryRun } = state;
  const end = new EvaluationState(services, atEnd, { stages: [Stage.HEADERS], endsAt, dryRun });
  end.open('headers');
  const { decision: whole, groups } = contentAnswer(end);
  if (isRefusal(whole.action) || groups.some((group) => isRefusal(group.decision?.action ?? whole.action)))
    return undefined;
  return { unlessFields: [...traceFieldNames], decision: whole, groups };
}

/** A rule or a check would see the header section, or the size of the message would be held against one recipient. */
function looksAtContent({ subject, active, policies, services }: EvaluationState): boolean {
  const { snapshot, findings } = subject;
  if (snapshot.rules.has('headers') || hasOwnLimit(findings) || wishedChecks(findings).size > 0) return true;
  const ofHeaders = active.filter(({ stage }) => stage === 'headers');
  if (ofHeaders.length === 0) return false;
  const content = emptyContent(services);
  return ofHeaders.some((check) => check.applies({ ...subject, content }, policies));
}

const emptyContent = ({ resolver, clock }: EvaluationState['services']): MessageContent =>
  new MessageContent(nothing, {
    ...{ resolver, clock, dkimTimeoutMs: 0, dkim: { maxSignatures: 0, minRsaBits: 0, maxRsaBits: 0 } },
    ...{ wantsDkim: false, wantsDomainKeys: false, wantsArc: false, wantsParts: false },
  });
