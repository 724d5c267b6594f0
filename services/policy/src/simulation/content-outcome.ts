/** What the edge makes of a message and of the verdict about it: size and hops first, then one reply for all recipients. Pure. */
import { countReceived, refusalOf, refusalOfGroups, sizeLimit, type TermsRefusal } from '@postern/flow-control/session';
import { findBodyOffset } from '@postern/mail-message';
import {
  Action,
  ContentPlan,
  type EvaluateResponse,
  type RecipientFacts,
  type RecipientGroup,
  Stage,
} from '@postern/proto/policy/v1/policy_service';
import { type MailCommand, replies } from '@postern/smtp-core';
import { isRefusal } from '../verdict/decision.js';

interface Transaction {
  readonly mail: MailCommand;
  readonly messageSize: number;
  readonly recipients: number;
}

export function contentProblem(
  content: Buffer,
  { mail, messageSize, recipients }: Transaction,
  maxHops: number,
): TermsRefusal | undefined {
  const over = sizeLimit(content.length, { mail, messageSize, maxRecipients: recipients });
  if (over !== undefined) return over;
  return countReceived(content) > maxHops ? { reply: replies.routingLoop, reason: 'hops' } : undefined;
}

/** What is asked of which octets: the plan decides, and a header section described alone has no body. */
export function contentStages(content: Buffer, plan: ContentPlan): { stages: Stage[]; bytes: Buffer } {
  const bodyOffset = findBodyOffset(content);
  const hasBody = bodyOffset !== -1 && bodyOffset < content.length;
  if (hasBody && plan === ContentPlan.BODY) return { stages: [Stage.HEADERS, Stage.BODY], bytes: content };
  return { stages: [Stage.HEADERS], bytes: hasBody ? content.subarray(0, bodyOffset) : content };
}

/** A refusal of some where others are taken cannot be said any more: what was refused is kept apart. */
function keptApart(group: RecipientGroup): RecipientGroup {
  const { decision } = group;
  if (decision === undefined || !isRefusal(decision.action)) return group;
  return { ...group, decision: { ...decision, action: Action.QUARANTINE, replyCode: 0, enhancedCode: '' } };
}

export interface ContentOutcome {
  readonly verdict: EvaluateResponse;
  readonly refusal: TermsRefusal | undefined;
}

export function contentOutcome(verdict: EvaluateResponse, recipients: readonly RecipientFacts[]): ContentOutcome {
  const own = verdict.decision !== undefined && isRefusal(verdict.decision.action) ? verdict.decision : undefined;
  const decision = own ?? refusalOfGroups(verdict.groups, recipients);
  if (decision === undefined)
    return { verdict: { ...verdict, groups: verdict.groups.map(keptApart) }, refusal: undefined };
  const refusal = { reply: refusalOf(decision, replies.spamRefused), reason: decision.decidedBy || 'policy' };
  return { verdict: { ...verdict, decision, groups: own === undefined ? [] : verdict.groups }, refusal };
}
