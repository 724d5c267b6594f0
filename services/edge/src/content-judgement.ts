/**
 * What policy says of the content of one message: header section or body in one request, a body beyond the inline limit while it comes (design.md,
 * step 4). Policy away: refused for now, or taken and marked `unjudged` where the snapshot says so. Bounded by the header limit.
 */
import { isAcceptance, refusalOf, refusalOfGroups } from '@postern/flow-control/session';
import { type HeaderSection, readHeaderSection } from '@postern/mail-message';
import {
  Action,
  ContentPlan,
  type Decision,
  type RecipientGroup,
  Stage,
} from '@postern/proto/policy/v1/policy_service';
import { replies } from '@postern/smtp-core';
import { evaluationRequest } from './evaluation-request.js';
import { type Refused, refused } from './message-refusal.js';
import type { ContentExchange, PolicyAnswer } from './policy-port.js';
import { refusingRuleLimit } from './refusing-rule-limit.js';
import { defaultDeadlines } from './smtp/deadlines.js';
import type { SpoolWriter } from './spool.js';
import { actionOf } from './transaction.js';
import type { TransactionParty } from './transaction-party.js';

/** Longest header section that is judged. */
const headerLimit = 128 * 1024;

const headerSectionOf = (head: Buffer): HeaderSection => readHeaderSection(head, { maxBytes: headerLimit });

export interface TakenContent {
  readonly kind: 'taken';
  /** Recipients with an outcome or a rendering of their own. */
  readonly groups: readonly RecipientGroup[];
  readonly action: Action;
}

/** Nothing was asked, or nobody answered and the message is taken all the same. */
export const takenUnasked: TakenContent = { kind: 'taken', groups: [], action: Action.ACCEPT };

/** What policy said of the end of data at RCPT; undefined = it must be asked. */
export function waivedContent({ transaction, services }: TransactionParty, head: Buffer): TakenContent | undefined {
  const { waived, contentPlan } = transaction;
  if (waived === undefined || contentPlan !== ContentPlan.HEADERS) return undefined;
  if (services.snapshot()?.version !== waived.snapshotVersion) return undefined;
  const { unlessFields, decision, groups } = waived.waiver;
  const { end, fields } = headerSectionOf(head);
  if (end !== 'whole' || fields.some(({ key }) => unlessFields.includes(key))) return undefined;
  return { kind: 'taken', groups, action: actionOf(decision) };
}

export class ContentJudgement {
  #exchange: ContentExchange | undefined;

  constructor(readonly party: TransactionParty) {}

  /** Content of a body that is judged while it comes; what came before is in `spooled`. A promise = wait with more. */
  write(content: Buffer, spooled: Pick<SpoolWriter, 'head'>): Promise<void> | undefined {
    if (this.#exchange !== undefined) return this.#exchange.write(content);
    const { policy, settings, snapshot } = this.party.services;
    const request = evaluationRequest(this.party, [Stage.HEADERS, Stage.BODY]);
    const { messageMs } = snapshot()?.deadlines ?? defaultDeadlines;
    this.#exchange = policy.content(request, { uploadMs: messageMs, silenceMs: settings.contentDeadlineMs });
    return this.#exchange.write(spooled.head());
  }

  cancel(): void {
    this.#exchange?.cancel();
  }

  /** `head`: the message, or as much of it as is inline where it `isLarge`; `size`: octets of the whole. */
  async judge(head: Buffer, isLarge: boolean, size: number): Promise<TakenContent | Refused> {
    const answer = await this.#ask(head, isLarge, size);
    if (answer === undefined) return refused(replies.malformedMessage, 'header section too large', 'message_headers');
    if (answer.kind === 'unavailable') return this.#unanswered(answer.reason);
    const { verdict } = answer;
    const { transaction } = this.party;
    transaction.learn(verdict);
    if (!isAcceptance(verdict.decision)) return this.#refused(verdict.decision);
    const { groups } = verdict;
    const refusal = refusalOfGroups(groups, transaction.recipients);
    if (refusal !== undefined) return this.#refused(refusal);
    return { kind: 'taken', groups, action: actionOf(verdict.decision) };
  }

  #refused(decision: Decision | undefined): Refused {
    const told = refused(refusalOf(decision, replies.spamRefused), decision?.decidedBy || 'policy');
    const over =
      decision === undefined ? undefined : refusingRuleLimit(decision, this.party.transaction.findings.told());
    return { ...told, ...over };
  }

  #unanswered(reason: string): TakenContent | Refused {
    const { services, session, transaction } = this.party;
    const admit = services.snapshot()?.admitWhenPolicyAway === true;
    services.journal.record('edge.policy.bypassed', session, {
      queueId: transaction.queueId,
      detail: { reason, outcome: admit ? 'admitted' : 'deferred' },
    });
    if (!admit) return refused(replies.policyUnavailable, 'policy unavailable');
    transaction.unjudged = true;
    return takenUnasked;
  }

  /** Undefined where the header section is larger than is judged. */
  async #ask(head: Buffer, isLarge: boolean, size: number): Promise<PolicyAnswer | undefined> {
    const { policy, settings } = this.party.services;
    if (this.#exchange !== undefined) return this.#exchange.finish(size);
    if (this.party.transaction.contentPlan === ContentPlan.BODY) {
      const request = evaluationRequest(this.party, [Stage.HEADERS, Stage.BODY]);
      return policy.evaluate({ ...request, content: head, contentSize: head.length }, settings.policyDeadlineMs);
    }
    const section = headerSectionOf(head);
    if (section.end !== 'whole' && (section.end !== 'open' || isLarge)) return undefined;
    const request = evaluationRequest(this.party, [Stage.HEADERS]);
    const content = head.subarray(0, section.bodyOffset);
    return policy.evaluate({ ...request, content, contentSize: size }, settings.policyDeadlineMs);
  }
}
