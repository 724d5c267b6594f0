/**
 * From 354 to the reply of the final dot: bytes through the line policy into the spool, content to policy where its plan asks, the durable
 * write, then 250 (design.md, steps 4 and 5). What was refused is dropped; what could not be judged or stored is 4xx.
 * Invariants: no byte goes downstream after a line violation; 250 only after `stored`; reading goes on only to a bounded size.
 */
import { countReceived } from '@postern/flow-control/session';
import { ContentPlan } from '@postern/proto/policy/v1/policy_service';
import { type Reply, replies } from '@postern/smtp-core';
import { ContentJudgement, type TakenContent, takenUnasked, waivedContent } from './content-judgement.js';
import { buildEnvelope } from './message-envelope.js';
import { recordMessage, recordRefused, recordUncertain } from './message-events.js';
import { messageIdOf } from './message-id.js';
import { type Refused, refused, refusedLines } from './message-refusal.js';
import type { Session, SessionServices } from './session.js';
import type { MessageEnd } from './smtp/command-stream.js';
import type { ContentReader } from './smtp/line-policy.js';
import type { Wire } from './smtp/wire.js';
import type { SpoolWriter } from './spool.js';
import type { Transaction } from './transaction.js';
import type { TransactionParty } from './transaction-party.js';

/** Bytes read beyond the size limit before the connection is closed instead of drained. */
const drainAllowance = 16 * 1024 * 1024;

function both(one: Promise<void> | undefined, other: Promise<void> | undefined): Promise<void> | undefined {
  if (one === undefined) return other;
  return other === undefined ? one : Promise.all([one, other]).then(() => undefined);
}

export class MessageTransfer implements TransactionParty {
  readonly #writer: SpoolWriter;
  /** Made where policy is to see content. */
  #judgement: ContentJudgement | undefined;
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
    if (violation !== undefined) return refusedLines(violation, this.services.settings.maxLineLength);
    const over = this.transaction.overSize(this.reader.size);
    return over === undefined ? undefined : { kind: 'refused', ...over };
  }

  /** The reply to the end of the message, all bytes being here. */
  async conclude(): Promise<Reply> {
    const outcome = await this.#finish();
    if (outcome.kind !== 'stored') return this.refuse(outcome);
    if (this.wire.isClosed) recordUncertain(this, 'reply_lost');
    return replies.queued(this.transaction.queueId);
  }

  refuse(refusal: Refused): Reply {
    this.abandon();
    recordRefused(this, refusal);
    return refusal.reply;
  }

  /** Content for the spool, and for policy where its plan asks; a promise = wait with more. */
  take(content: Buffer): Promise<void> | undefined {
    const { transaction } = this;
    const { size, violation } = this.reader;
    if (violation !== undefined || size > transaction.room) {
      this.abandon();
      const over = size > transaction.room + drainAllowance ? transaction.overSize(size) : undefined;
      if (over !== undefined) {
        recordRefused(this, over);
        this.wire.reply(over.reply);
        this.wire.close();
      }
      return undefined;
    }
    if (content.length === 0) return undefined;
    this.#size += content.length;
    const stored = this.#writer.write(content);
    if (!this.#writer.isLarge || transaction.contentPlan !== ContentPlan.BODY) return stored;
    this.#judgement ??= new ContentJudgement(this);
    return both(stored, this.#judgement.write(content, this.#writer));
  }

  /** Forgets what has come; nothing more is taken. */
  abandon(): void {
    if (this.#dropped) return;
    this.#dropped = true;
    this.#writer.abort();
    this.#judgement?.cancel();
  }

  async #finish(): Promise<Refused | { readonly kind: 'stored' }> {
    const { transaction, services, session } = this;
    const { problem } = this;
    if (problem !== undefined) return problem;
    const head = this.#writer.head();
    if (countReceived(head) > services.settings.maxHops) return refused(replies.routingLoop, 'hops', 'message_hops');
    const limited = services.messageLimits.take(session, {
      recipients: transaction.recipients.length,
      bytes: this.size,
    });
    const over = limited === undefined ? undefined : await limited;
    if (over !== undefined) return { kind: 'refused', ...over };
    const judged = transaction.contentPlan <= ContentPlan.NONE ? takenUnasked : await this.#judge(head);
    if (judged.kind === 'refused') return judged;
    const snapshot = services.snapshot();
    const envelope = buildEnvelope({
      session,
      transaction,
      groups: judged.groups,
      action: judged.action,
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
      recordUncertain(this, 'publish_unknown');
      return refused(replies.storeUnavailable, `spool: ${result.reason}`);
    }
    session.messages++;
    session.bytes += this.#size;
    services.abuse.delivered(session);
    recordMessage(this, 'edge.message.accepted', replies.queued(transaction.queueId), {
      size: String(this.#size),
      ...(this.reader.changed === true ? { normalised: 'true' } : {}),
      recipients: String(transaction.recipients.length),
    });
    return result;
  }

  /** Asks policy only where it has not said everything at RCPT. */
  #judge(head: Buffer): TakenContent | ReturnType<ContentJudgement['judge']> {
    const waived = waivedContent(this, head);
    if (waived !== undefined) return waived;
    this.#judgement ??= new ContentJudgement(this);
    return this.#judgement.judge(head, this.#writer.isLarge, this.#size);
  }
}
