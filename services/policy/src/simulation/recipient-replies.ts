/** What each described recipient is answered: by the session itself, else by the verdict on the whole or on this one. Pure. */
import { refusalOf } from '@postern/flow-control/session';
import type { Decision, EvaluateResponse, RecipientFacts } from '@postern/proto/policy/v1/policy_service';
import { type Reply, replies } from '@postern/smtp-core';
import { isRefusal } from '../verdict/decision.js';
import { asDecision, type RecipientPlace } from './recipient-places.js';

export interface RecipientReply {
  readonly address: string;
  readonly reply: Reply;
  /** '' = taken. */
  readonly decidedBy: string;
  /** Of one that is taken and was not before. */
  readonly taken?: RecipientFacts;
}

/** `whole`: everything is refused. */
export function repliesTo(
  places: readonly RecipientPlace[],
  verdict: EvaluateResponse | undefined,
  whole: Decision | undefined,
): RecipientReply[] {
  const judged = new Map(verdict?.recipients.map(({ address, decision }) => [address, decision]));
  return places.map(({ address, refusal, facts, isRepeated }): RecipientReply => {
    if (refusal !== undefined) return { address, reply: refusal.reply, decidedBy: refusal.reason };
    if (isRepeated === true || facts === undefined) return { address, reply: replies.recipientOk, decidedBy: '' };
    const decision = whole ?? judged.get(facts.address);
    if (decision === undefined || !isRefusal(decision.action))
      return { address, reply: replies.recipientOk, decidedBy: '', taken: { ...facts, asked: false } };
    const reply = whole === undefined ? refusalOf(decision, replies.mailboxUnknown) : refusalOf(decision);
    return { address, reply, decidedBy: decision.decidedBy };
  });
}

/** The verdict with those the session refused by itself. */
export function withRefusedPlaces(verdict: EvaluateResponse, places: readonly RecipientPlace[]): EvaluateResponse {
  const refused = places.flatMap(({ address, refusal }) =>
    refusal === undefined ? [] : [{ address, decision: asDecision(refusal), expandsTo: [] }],
  );
  return { ...verdict, recipients: [...verdict.recipients, ...refused] };
}
