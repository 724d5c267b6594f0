/** Each described recipient as the edge would take it up: refused by the session itself, said twice, or asked of policy. Pure. */
import type { Clock } from '@postern/clock';
import {
  recipientBarrier,
  recipientLimit,
  recipientRight,
  type SessionTerms,
  type SessionView,
  type TermsRefusal,
} from '@postern/flow-control/session';
import { Action, type Decision, type RecipientFacts } from '@postern/proto/policy/v1/policy_service';
import { type MailCommand, parseRcptCommand } from '@postern/smtp-core';
import { decision } from '../verdict/decision.js';

export interface RecipientPlace {
  /** As described. */
  readonly address: string;
  readonly refusal?: TermsRefusal;
  readonly isRepeated?: boolean;
  readonly facts?: RecipientFacts;
}

export interface PlacedTransaction {
  readonly mail: MailCommand;
  readonly submittingTenant: string | undefined;
  readonly messageSize: number;
  /** Most recipients. */
  readonly recipients: number;
}

export function asDecision({ reply, reason }: TermsRefusal): Decision {
  const action = reply.code >= 500 ? Action.REJECT : reply.code === 421 ? Action.CLOSE : Action.TEMPFAIL;
  const text = typeof reply.text === 'string' ? reply.text : (reply.text[0] ?? '');
  return decision({ action, code: reply.code, enhanced: reply.enhanced ?? '', text }, reason);
}

export function placeRecipients(
  { terms, clock }: { readonly terms: SessionTerms; readonly clock: Clock },
  view: SessionView,
  { mail, submittingTenant, messageSize, recipients }: PlacedTransaction,
  addresses: readonly string[],
): RecipientPlace[] {
  const asked = new Set<string>();
  const begun = { mail, submittingTenant, recipients: [] };
  return addresses.map((address): RecipientPlace => {
    const parsed = parseRcptCommand(`<${address}>`, { smtputf8: mail.smtputf8, lenient: true });
    if (!parsed.ok) return { address, refusal: { reply: parsed.reply, reason: 'syntax' } };
    const right = recipientRight(terms, view, parsed.command.forwardPath);
    if (right.kind === 'refused') return { address, refusal: right };
    const barred = recipientBarrier({ snapshot: () => terms, clock }, view, begun, right, asked.size);
    if (barred !== undefined) return { address, refusal: barred };
    if (asked.has(right.address)) return { address, isRepeated: true };
    const over = recipientLimit({ mail, messageSize, maxRecipients: recipients }, asked.size);
    if (over !== undefined) return { address, refusal: over };
    asked.add(right.address);
    const { tenant, recipientClass } = right;
    return { address, facts: { address: right.address, tenant, recipientClass, asked: true } };
  });
}
