/**
 * One mail transaction: reverse-path, recipients, what policy said so far. A new object for every MAIL, so nothing of a refused or reset
 * one is left over (RFC 5321 §4.1.1.5). Recipients keep their own DSN parameters; the same path given twice is one recipient (RFC 5321 §4.1.1.3).
 */
import {
  type LimitedBy,
  limitSource,
  recipientLimit,
  sizeLimit,
  type TermsRefusal,
} from '@postern/flow-control/session';
import type { RecipientClass } from '@postern/proto/mail/v1/envelope';
import {
  Action,
  ContentPlan,
  type ContentWaiver,
  type Decision,
  type EvaluateResponse,
  type Finding,
  type RecipientFacts,
} from '@postern/proto/policy/v1/policy_service';
import type { MailCommand, RcptCommand, Reply } from '@postern/smtp-core';
import type { MessageCeiling, RecipientCeiling } from './message-ceiling.js';
import { TransactionFindings } from './transaction-findings.js';

export interface Recipient {
  readonly address: string;
  readonly tenant: string;
  readonly recipientClass: RecipientClass;
  readonly command: RcptCommand;
  /** Deliver, quarantine, discard or hold, said at RCPT. */
  readonly action: Action;
  readonly expandsTo: readonly string[];
}

/** The end of data answered beforehand, by a snapshot of this version. */
export interface WaivedContent {
  readonly waiver: ContentWaiver;
  readonly snapshotVersion: number;
}

/** Policy refused the whole transaction: every later recipient hears the same. */
export interface TransactionRefusal {
  readonly reply: Reply;
  readonly decidedBy: string;
}

const none: LimitedBy = { size: undefined, recipients: undefined };

export class Transaction {
  readonly recipients: Recipient[] = [];
  contentPlan: ContentPlan = ContentPlan.NONE;
  readonly findings: TransactionFindings;
  senderAuthenticated = false;
  unjudged = false;
  judged = false;
  refusal: TransactionRefusal | undefined;
  /** Reverse-path a rule put in place of the client's. */
  changedSender: string | undefined;
  /** Said about the message as a whole before its content was seen. */
  action: Action = Action.ACCEPT;
  /** Absent where recipients came in more than one group, or content matters. */
  waived: WaivedContent | undefined;
  /** Rules whose limits these are. */
  limitedBy: LimitedBy | undefined;
  /** RCPT commands that named a recipient again. */
  repeats = 0;
  readonly #known = new Set<string>();

  constructor(
    readonly queueId: string,
    public mail: MailCommand,
    /** Octets. */
    public messageSize: number,
    public maxRecipients: number,
    readonly submittingTenant: string | undefined,
    /** Of the session's own stages, judged before. */
    sessionFindings: readonly Finding[] = [],
    readonly ceiling?: MessageCeiling,
    readonly recipientCeiling?: RecipientCeiling,
  ) {
    this.findings = new TransactionFindings(sessionFindings);
  }

  /** Octets a message may have. */
  get room(): number {
    return Math.min(this.messageSize, this.ceiling?.bytes ?? this.messageSize);
  }

  /** Why a message of this size is not taken. */
  overSize(size: number): TermsRefusal | undefined {
    const over = sizeLimit(size, this);
    if (over !== undefined || this.ceiling === undefined || size <= this.ceiling.bytes) return over;
    return this.ceiling.refusal(size);
  }

  /** Why one more recipient than `taken` is not taken. */
  overRecipients(taken: number): TermsRefusal | undefined {
    // As many as the rules make of it: more could not be told policy at the end of data.
    if (this.findings.isFull) return recipientLimit({ ...this, maxRecipients: taken }, taken);
    const { recipientCeiling } = this;
    const isTighter = recipientCeiling !== undefined && recipientCeiling.recipients < this.maxRecipients;
    if (isTighter && taken >= recipientCeiling.recipients) return recipientCeiling.refusal;
    return recipientLimit(this, taken);
  }

  has(address: string): boolean {
    return this.#known.has(address);
  }

  add(recipient: Recipient): void {
    this.#known.add(recipient.address);
    this.findings.take(recipient.address, this.recipients.length);
    this.recipients.push(recipient);
  }

  recipientFacts(asked: readonly Pick<Recipient, 'address' | 'tenant' | 'recipientClass'>[]): RecipientFacts[] {
    const facts = (list: readonly Pick<Recipient, 'address' | 'tenant' | 'recipientClass'>[], isAsked: boolean) =>
      list.map(({ address, tenant, recipientClass }) => ({ address, tenant, recipientClass, asked: isAsked }));
    return [...facts(this.recipients, false), ...facts(asked, true)];
  }

  /** Takes over what a verdict says beyond its decisions. */
  learn(verdict: EvaluateResponse): void {
    if (verdict.contentPlan > this.contentPlan) this.contentPlan = verdict.contentPlan;
    if (verdict.senderAuthenticated) this.senderAuthenticated = true;
    this.findings.learn(verdict.findings);
    this.changedSender = verdict.changedSender?.address ?? this.changedSender;
    const { limits } = verdict;
    // Rules choose, and only tighter than what holds already: the listener and the rules of MAIL have spoken.
    if (limits === undefined) return;
    const { messageSize, recipients } = limits;
    let { size: sizeBy, recipients: recipientsBy } = this.limitedBy ?? none;
    if (messageSize > 0 && messageSize < this.messageSize) {
      this.messageSize = messageSize;
      sizeBy = limitSource(verdict.findings, 'size', messageSize);
    }
    if (recipients > 0 && recipients < this.maxRecipients) {
      this.maxRecipients = recipients;
      recipientsBy = limitSource(verdict.findings, 'recipients', recipients);
    }
    this.limitedBy = { size: sizeBy, recipients: recipientsBy };
  }
}

/** DISCARD, QUARANTINE and HOLD outrank plain acceptance; the message's word outranks the recipient's only when it is stronger. */
export function strongerAction(one: Action, other: Action): Action {
  const rank = (action: Action): number =>
    action === Action.DISCARD ? 3 : action === Action.HOLD ? 1 : action === Action.QUARANTINE ? 2 : 0;
  return rank(one) >= rank(other) ? one : other;
}

export const actionOf = (decision: Decision | undefined): Action =>
  decision === undefined || decision.action === Action.UNSPECIFIED ? Action.ACCEPT : decision.action;
