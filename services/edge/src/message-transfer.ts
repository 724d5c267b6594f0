/**
 * From 354 to the reply of the final dot: bytes through the line policy into the spool, content to policy where its plan asks, the durable
 * write, then 250 (design.md, steps 4 and 5). What was refused is dropped; what could not be judged or stored is 4xx.
 * Invariants: no byte goes downstream after a line violation; 250 only after `stored`; reading goes on only to a bounded size.
 */

import {
  countReceived,
  isAcceptance,
  operatorTenant,
  refusalOf,
  refusalOfGroups,
  ruleNamed,
  type TermsRefusal,
} from '@postern/flow-control/session';
import { readHeaderSection } from '@postern/mail-message';
import {
  Action,
  ContentPlan,
  type EvaluateRequest,
  type RecipientGroup,
  Stage,
} from '@postern/proto/policy/v1/policy_service';
import { type Reply, replies } from '@postern/smtp-core';
import type { EdgeEventFacts } from './journal.js';
import { sessionFacts } from './judgement.js';
import { buildEnvelope } from './message-envelope.js';
import { messageIdOf } from './message-id.js';
import type { ContentExchange, PolicyAnswer } from './policy-port.js';
import { concernedBy } from './refusal-evidence.js';
import type { Session, SessionServices } from './session.js';
import type { MessageEnd } from './smtp/command-stream.js';
import type { ContentReader, LineViolation } from './smtp/line-policy.js';
import type { Wire } from './smtp/wire.js';
import type { SpoolWriter } from './spool.js';
import { actionOf, type Transaction } from './transaction.js';

function violationReply(violation: LineViolation, maxLine: number): Reply {
  if (violation === 'bareNewline') return replies.bareNewlineData;
  return violation === 'nul' ? replies.nulInData : replies.textLineTooLong(maxLine);
}

/** Bytes read beyond the size limit before the connection is closed instead of drained. */
const drainAllowance = 16 * 1024 * 1024;
/** Longest header section that is judged. */
const headerLimit = 128 * 1024;

interface ContentVerdict {
  readonly groups: readonly RecipientGroup[];
  readonly action: Action;
}

type Judged = { readonly kind: 'taken'; readonly verdict: ContentVerdict } | Refused;

export interface Refused extends TermsRefusal {
  readonly kind: 'refused';
}

const refused = (reply: Reply, reason: string, measured: Readonly<Record<string, string>> = {}): Refused => ({
  kind: 'refused',
  reply,
  reason,
  measured,
});
const taken: Judged = { kind: 'taken', verdict: { groups: [], action: Action.ACCEPT } };

function both(one: Promise<void> | undefined, other: Promise<void> | undefined): Promise<void> | undefined {
  if (one === undefined) return other;
  return other === undefined ? one : Promise.all([one, other]).then(() => undefined);
}

export class MessageTransfer {
  readonly #writer: SpoolWriter;
  #exchange: ContentExchange | undefined;
  #dropped = false;
  /** Octets of content, as stored. */
  #size = 0;

  constructor(
    readonly session: Session,
    readonly services: SessionServices,
    readonly transaction: Transaction,
    readonly wire: Wire,
    /** Knows where the bytes end, and the line policy. */
    readonly reader: ContentReader & { readonly changed?: boolean },
  ) {
    this.#writer = services.spool.open(transaction.queueId);
  }

  /** Octets received so far. */
  get size(): number {
    return this.reader.size;
  }

  /** Takes bytes until the reader has seen their end. */
  async receive(): Promise<MessageEnd> {
    const end = await this.wire.readMessage(this.reader, (content) => this.take(content));
    if (end === 'closed') this.abandon();
    return end;
  }

  /** Why what has come so far will not be taken. */
  get problem(): Refused | undefined {
    const { violation } = this.reader;
    if (violation !== undefined)
      return refused(violationReply(violation, this.services.settings.maxLineLength), violation);
    const over = this.transaction.overSize(this.reader.size);
    return over === undefined ? undefined : { kind: 'refused', ...over };
  }

  /** The reply to the end of the message, all bytes being here. */
  async conclude(): Promise<Reply> {
    const outcome = await this.#finish();
    if (outcome.kind !== 'stored') return this.refuse(outcome);
    if (this.wire.isClosed) this.#uncertain('reply_lost');
    return replies.queued(this.transaction.queueId);
  }

  refuse(refusal: Refused): Reply {
    this.abandon();
    this.#tell(refusal);
    return refusal.reply;
  }

  #tell({ reply, reason, measured, by }: TermsRefusal): void {
    const { recipients, submittingTenant = operatorTenant } = this.transaction;
    // One event for all: a rule of a tenant is named where nobody else reads it.
    const isOwn = recipients.every(({ tenant }) => tenant === by?.tenant);
    const reader = submittingTenant === operatorTenant && isOwn ? by?.tenant : submittingTenant;
    this.#record('edge.message.rejected', reply, { reason, ...measured, ...ruleNamed(by, reader ?? operatorTenant) });
  }

  /** Content for the spool, and for policy where its plan asks; a promise = wait with more. */
  take(content: Buffer): Promise<void> | undefined {
    const { transaction } = this;
    const { size, violation } = this.reader;
    if (violation !== undefined || size > transaction.room) {
      this.abandon();
      const over = size > transaction.room + drainAllowance ? transaction.overSize(size) : undefined;
      if (over !== undefined) {
        this.#tell(over);
        this.wire.reply(over.reply);
        this.wire.close();
      }
      return undefined;
    }
    if (content.length === 0) return undefined;
    this.#size += content.length;
    const stored = this.#writer.write(content);
    if (!this.#writer.isLarge || transaction.contentPlan !== ContentPlan.BODY) return stored;
    if (this.#exchange !== undefined) return both(stored, this.#exchange.write(content));
    const { contentDeadlineMs } = this.services.settings;
    this.#exchange = this.services.policy.content(this.#request([Stage.HEADERS, Stage.BODY]), contentDeadlineMs);
    return both(stored, this.#exchange.write(this.#writer.head()));
  }

  /** Forgets what has come; nothing more is taken. */
  abandon(): void {
    if (this.#dropped) return;
    this.#dropped = true;
    this.#writer.abort();
    this.#exchange?.cancel();
  }

  async #finish(): Promise<Refused | { readonly kind: 'stored' }> {
    const { transaction, services, session } = this;
    const { problem } = this;
    if (problem !== undefined) return problem;
    const head = this.#writer.head();
    if (countReceived(head) > services.settings.maxHops) return refused(replies.routingLoop, 'hops');
    const limited = services.messageLimits.take(session, {
      recipients: transaction.recipients.length,
      bytes: this.size,
    });
    const over = limited === undefined ? undefined : await limited;
    if (over !== undefined) return refused(replies.rateLimitedRecipient, over);
    const judged = await this.#judge(head);
    if (judged.kind === 'refused') return judged;
    const snapshot = services.snapshot();
    const envelope = buildEnvelope({
      session,
      transaction,
      groups: judged.verdict.groups,
      action: judged.verdict.action,
      hostname: snapshot?.listener(session.listener).hostname ?? services.settings.podName,
      podName: services.settings.podName,
      snapshotVersion: snapshot?.version ?? 0,
      acceptedAtMs: services.clock.now(),
      size: this.#size,
      messageId: messageIdOf(head),
    });
    if (envelope === undefined) return refused(replies.localError, 'too many renderings');
    const result = await this.#writer.commit(envelope);
    if (result.kind === 'full') return refused(replies.insufficientStorage, `spool: ${result.reason}`);
    if (result.kind === 'unknown') {
      this.#uncertain('publish_unknown');
      return refused(replies.storeUnavailable, `spool: ${result.reason}`);
    }
    session.messages++;
    session.bytes += this.#size;
    services.abuse.delivered(session);
    this.#record('edge.message.accepted', replies.queued(transaction.queueId), {
      size: String(this.#size),
      ...(this.reader.changed === true ? { normalised: 'true' } : {}),
      recipients: String(transaction.recipients.length),
    });
    return result;
  }

  async #judge(head: Buffer): Promise<Judged> {
    const { transaction, services } = this;
    if (transaction.contentPlan <= ContentPlan.NONE) return taken;
    const answer = await this.#ask(head);
    if (answer === undefined) return refused(replies.malformedMessage, 'header section too large');
    if (answer.kind === 'unavailable') {
      const admit = services.snapshot()?.admitWhenPolicyAway === true;
      services.journal.record('edge.policy.bypassed', this.session, {
        queueId: transaction.queueId,
        detail: { reason: answer.reason, outcome: admit ? 'admitted' : 'deferred' },
      });
      if (!admit) return refused(replies.policyUnavailable, 'policy unavailable');
      transaction.unjudged = true;
      return taken;
    }
    const { verdict } = answer;
    transaction.learn(verdict);
    if (!isAcceptance(verdict.decision)) {
      return refused(refusalOf(verdict.decision, replies.spamRefused), verdict.decision?.decidedBy ?? 'policy');
    }
    return this.#groupsOf(verdict.groups, actionOf(verdict.decision));
  }

  #groupsOf(groups: readonly RecipientGroup[], action: Action): Judged {
    const refusal = refusalOfGroups(groups, this.transaction.recipients);
    if (refusal !== undefined) return refused(refusalOf(refusal, replies.spamRefused), refusal.decidedBy || 'policy');
    return { kind: 'taken', verdict: { groups, action } };
  }

  /** Undefined where the header section is larger than is judged. */
  async #ask(head: Buffer): Promise<PolicyAnswer | undefined> {
    const { policy, settings } = this.services;
    if (this.#exchange !== undefined) return this.#exchange.finish(this.#size);
    const whole = this.transaction.contentPlan === ContentPlan.BODY;
    if (whole) {
      const request = this.#request([Stage.HEADERS, Stage.BODY]);
      return policy.evaluate({ ...request, content: head, contentSize: head.length }, settings.policyDeadlineMs);
    }
    const section = readHeaderSection(head, { maxBytes: headerLimit });
    const isWhole = section.end === 'whole' || (section.end === 'open' && !this.#writer.isLarge);
    if (!isWhole) return undefined;
    const request = this.#request([Stage.HEADERS]);
    const content = head.subarray(0, section.bodyOffset);
    return policy.evaluate({ ...request, content, contentSize: this.#size }, settings.policyDeadlineMs);
  }

  #request(stages: Stage[]): EvaluateRequest {
    const { session, services, transaction } = this;
    return {
      sessionId: session.id,
      sequence: ++session.sequence,
      stages,
      facts: sessionFacts({
        session,
        podName: services.settings.podName,
        submittingTenant: transaction.submittingTenant,
        mail: transaction.mail,
        queueId: transaction.queueId,
        recipients: transaction.recipientFacts([]),
        findings: transaction.findings,
        skipChecks: services.snapshot()?.policyFor(session.listener, session.ipSet).skipChecks ?? [],
      }),
      content: Buffer.alloc(0),
      contentSize: 0,
      snapshotVersion: services.snapshot()?.version ?? 0,
      traceparent: session.traceparent,
    };
  }

  /** Counted: two of the three ways to a duplicate (design.md, invariant 3). */
  #uncertain(reason: 'publish_unknown' | 'reply_lost'): void {
    const { queueId } = this.transaction;
    this.services.journal.record('edge.message.uncertain', this.session, { queueId, detail: { reason } });
  }

  #record(
    event: 'edge.message.accepted' | 'edge.message.rejected',
    reply: Reply,
    detail: Readonly<Record<string, string>>,
  ): void {
    const { transaction } = this;
    const [recipient, ...others] = transaction.recipients;
    this.services.journal.record(event, this.session, {
      queueId: transaction.queueId,
      reversePath: transaction.mail.reversePath.address,
      reply,
      detail,
      ...this.#told(event === 'edge.message.rejected' ? detail.reason : undefined),
      ...(others.length === 0 && recipient !== undefined ? { recipient: recipient.address } : {}),
    });
  }

  /** Of an acceptance it is who submits that is told, else the first recipient's tenant. */
  #told(refusedBy: string | undefined): Pick<EdgeEventFacts, 'tenant' | 'evidence' | 'each'> {
    const { findings, recipients, submittingTenant } = this.transaction;
    if (refusedBy === undefined) return { tenant: submittingTenant ?? recipients[0]?.tenant ?? operatorTenant };
    const each = concernedBy({ decidedBy: refusedBy, findings, recipients, submittingTenant });
    const [only] = each;
    if (recipients.length > 1 || only === undefined) return { each };
    return { tenant: only.tenant, evidence: only.evidence };
  }
}
