/**
 * A connection ready for messages, one after the other. RFC 5321 §3.3, RFC 2920 (groups), RFC 2033 (LMTP).
 * Each recipient gets its own outcome. The invariant of this file: `accepted` only on a 2xx after the final dot,
 * `unknownAfterDot` whenever the dot may have gone out and no reply came, everything else means "not delivered".
 */
import type { ServerReply } from '@postern/smtp-core';
import type { Capabilities } from './capabilities.js';
import { sendChunks } from './chunks.js';
import { sendContent } from './content.js';
import { mailLine, missingFeature, rcptLine } from './envelope-commands.js';
import { type ConnectionFailure, failureOf, type Stage, unmet, type WireFault } from './failure.js';
import type { Timeouts } from './options.js';
import { type OutboundMessage, outcomeOf, type RecipientOutcome, type SendResult } from './outcome.js';
import type { TlsInfo } from './tls-upgrade.js';
import type { Transcript } from './transcript.js';
import type { Wire } from './wire.js';

export interface ConnectionFacts {
  readonly wire: Wire;
  readonly timeouts: Timeouts;
  readonly transcript: Transcript;
  readonly protocol: 'smtp' | 'lmtp';
  readonly capabilities: Capabilities;
  readonly tls: TlsInfo | null;
}

/** Which command the server answered last. */
export interface VerifyAnswer {
  readonly stage: 'mail' | 'rcpt';
  readonly reply: ServerReply;
}

type State = 'ready' | 'sending' | 'needsReset' | 'closed';

/** The slots of a transaction: what is known of each recipient so far. `open` = RCPT accepted, content owed. */
type Slot = RecipientOutcome | 'open' | 'waiting';

function isFinal(slot: Slot): slot is RecipientOutcome {
  return slot !== 'open' && slot !== 'waiting';
}

/** RFC 5321 §4.5.3.1.10: 552 at RCPT may mean "too many recipients", which is no verdict about this one. */
function rcptSlot(reply: ServerReply): Slot {
  const outcome = outcomeOf('rcpt', reply);
  if (outcome.kind === 'accepted') return 'open';
  const tooMany = reply.code === 552 && (reply.enhanced === null || reply.enhanced === '5.5.3');
  return tooMany ? { kind: 'temporary', stage: 'rcpt', reply } : outcome;
}

export class SmtpConnection {
  readonly #facts: ConnectionFacts;
  #state: State = 'ready';
  #transactions = 0;

  constructor(facts: ConnectionFacts) {
    this.#facts = facts;
  }

  get capabilities(): Capabilities {
    return this.#facts.capabilities;
  }

  get tls(): TlsInfo | null {
    return this.#facts.tls;
  }

  /** Messages this connection has carried or tried to. */
  get transactions(): number {
    return this.#transactions;
  }

  /** Can take another message: nobody closed it, and the server said nothing unasked (a 421 before closing). */
  get usable(): boolean {
    const idle = this.#state === 'ready' || this.#state === 'needsReset';
    return idle && this.#facts.wire.fault === null && this.#facts.wire.quiet;
  }

  /** Sends one message. Never rejects for what the server or the network does. */
  async send(message: OutboundMessage): Promise<SendResult> {
    if (this.#state === 'sending') throw new Error('one message at a time');
    if (message.recipients.length === 0) return { outcomes: [], bytes: 0 };
    const missing = missingFeature(message, this.capabilities, this.tls);
    if (missing !== null) return everyone(message, { kind: 'notSupported', feature: missing });
    if (!this.usable) {
      this.close();
      return everyone(message, { kind: 'failed', failure: unmet('mail', 'stale', 'connection is closed') });
    }
    const resetFailure = this.#state === 'needsReset' ? await this.#reset() : null;
    if (resetFailure !== null) return everyone(message, { kind: 'failed', failure: resetFailure });
    this.#state = 'sending';
    this.#transactions += 1;
    const slots: Slot[] = message.recipients.map(() => 'waiting');
    const bytes = await this.#transact(message, slots);
    const unanswered: RecipientOutcome = { kind: 'failed', failure: unmet('rcpt', 'protocol', 'no answer') };
    return { outcomes: slots.map((slot) => (isFinal(slot) ? slot : unanswered)), bytes };
  }

  /** Would the server take a recipient now? MAIL with the null path, RCPT, RSET: no message is sent. Null = the connection failed; of MAIL = it was not asked. */
  async verifyRecipient(forwardPath: string): Promise<VerifyAnswer | null> {
    if (this.#state !== 'ready' || /[\r\n<> ]/.test(forwardPath)) return null;
    const { wire, timeouts } = this.#facts;
    this.#write('MAIL FROM:<>');
    const mail = await wire.nextReply(timeouts.mail);
    if (!mail.ok || mail.reply.code !== 250) {
      this.close();
      return mail.ok ? { stage: 'mail', reply: mail.reply } : null;
    }
    this.#write(`RCPT TO:<${forwardPath}>`);
    const answer = await wire.nextReply(timeouts.rcpt);
    if (!answer.ok) {
      this.close();
      return null;
    }
    await this.#reset();
    return { stage: 'rcpt', reply: answer.reply };
  }

  /** QUIT and close, RFC 5321 §4.1.1.10. */
  async quit(): Promise<void> {
    if (this.usable) {
      this.#write('QUIT');
      await this.#facts.wire.nextReply(this.#facts.timeouts.quit);
    }
    this.close();
  }

  close(): void {
    this.#state = 'closed';
    this.#facts.wire.close();
  }

  #write(...lines: readonly string[]): void {
    for (const line of lines) this.#facts.transcript.add('client', line);
    this.#facts.wire.write(`${lines.join('\r\n')}\r\n`);
  }

  /** The fault of the wire at this stage, as a failure; also closes. */
  #lost(stage: Stage, fault: WireFault | null = this.#facts.wire.fault): ConnectionFailure {
    this.close();
    return failureOf(stage, fault ?? { reason: 'closed', code: null, detail: 'connection closed' });
  }

  async #reset(): Promise<ConnectionFailure | null> {
    this.#write('RSET');
    const answer = await this.#facts.wire.nextReply(this.#facts.timeouts.command);
    if (!answer.ok) return this.#lost('reset', answer.fault);
    if (answer.reply.code === 250) return null;
    this.close();
    return unmet('reset', 'stale', `RSET answered with ${answer.reply.code}`);
  }

  /** MAIL, RCPTs, DATA, content: fills every slot. Returns octets of content sent. */
  async #transact(message: OutboundMessage, slots: Slot[]): Promise<number> {
    const { capabilities, wire, timeouts } = this.#facts;
    const mail = mailLine(message, capabilities);
    const rcpts = message.recipients.map((recipient) => rcptLine(recipient, message, capabilities));
    const grouped = capabilities.pipelining;
    const binary = message.body === 'BINARYMIME';
    if (grouped) this.#write(mail, ...rcpts, ...(binary ? [] : ['DATA']));
    else this.#write(mail);

    const mailAnswer = await wire.nextReply(timeouts.mail);
    if (!mailAnswer.ok) {
      const failure = this.#lost('mail', mailAnswer.fault);
      const stale = this.#transactions > 1 && (failure.reason === 'closed' || failure.reason === 'network');
      fill(slots, { kind: 'failed', failure: stale ? { ...failure, reason: 'stale' } : failure });
      return 0;
    }
    const mailOutcome = outcomeOf('mail', mailAnswer.reply);
    if (mailOutcome.kind !== 'accepted') {
      fill(slots, mailOutcome);
      if (!grouped) {
        this.#settle(mailAnswer.reply, 'ready');
        return 0;
      }
    }
    for (const [index, line] of rcpts.entries()) {
      if (!grouped) this.#write(line);
      const answer = await wire.nextReply(timeouts.rcpt);
      if (!answer.ok) {
        fill(slots, { kind: 'failed', failure: this.#lost('rcpt', answer.fault) });
        return 0;
      }
      if (slots[index] === 'waiting') slots[index] = rcptSlot(answer.reply);
      if (answer.reply.code === 421 && !grouped) {
        fill(slots, { kind: 'temporary', stage: 'rcpt', reply: answer.reply });
        this.close();
        return 0;
      }
    }
    const wanted = slots.includes('open');
    if (!grouped || binary) {
      if (!wanted) {
        this.#state = 'needsReset';
        return 0;
      }
      if (binary) return this.#content(message, slots, sendChunks);
      this.#write('DATA');
    }
    return this.#data(message, slots, mailOutcome.kind === 'accepted');
  }

  /** From the reply to DATA on. */
  async #data(message: OutboundMessage, slots: Slot[], mailAccepted: boolean): Promise<number> {
    const { wire, timeouts } = this.#facts;
    const answer = await wire.nextReply(timeouts.dataInitiation);
    if (!answer.ok) {
      fill(slots, { kind: 'failed', failure: this.#lost('data', answer.fault) });
      return 0;
    }
    if (answer.reply.code !== 354) {
      const outcome = outcomeOf('data', answer.reply);
      // A 2xx to DATA is no answer of RFC 5321 §4.2.3: nothing can be said about this connection any more.
      const odd = outcome.kind === 'accepted';
      fill(slots, odd ? { kind: 'temporary', stage: 'data', reply: answer.reply } : outcome);
      if (odd) this.close();
      else this.#settle(answer.reply, mailAccepted ? 'needsReset' : 'ready');
      return 0;
    }
    if (!slots.includes('open')) {
      // RFC 2920 §3.1: the server asks for data though nobody is to get it: end it at once.
      this.#write('.');
      const end = await wire.nextReply(timeouts.dataTermination);
      if (end.ok) this.#settle(end.reply, 'ready');
      else this.close();
      return 0;
    }
    return this.#content(message, slots, sendContent);
  }

  async #content(message: OutboundMessage, slots: Slot[], send: typeof sendContent): Promise<number> {
    const { wire, timeouts } = this.#facts;
    const content = await send(message, wire, timeouts.dataBlock);
    this.#facts.transcript.add('client', `(content, ${content.bytes} octets, ${content.kind})`);
    if (content.kind === 'sent') await this.#final(slots);
    else {
      this.close();
      fill(slots, unsent(content));
    }
    return content.bytes;
  }

  /** Replies after the dot: one for all, or with LMTP one for each open recipient (RFC 2033 §4.2). */
  async #final(slots: Slot[]): Promise<void> {
    const { wire, timeouts, protocol } = this.#facts;
    let reply: ServerReply | null = null;
    for (const [index, slot] of slots.entries()) {
      if (slot !== 'open') continue;
      if (reply === null || protocol === 'lmtp') {
        const answer = await wire.nextReply(timeouts.dataTermination);
        if (!answer.ok) {
          fill(slots, { kind: 'unknownAfterDot', failure: this.#lost('final', answer.fault) });
          return;
        }
        reply = answer.reply;
      }
      slots[index] = outcomeOf('final', reply);
    }
    if (reply !== null) this.#settle(reply, 'ready');
  }

  /** After the last reply of a transaction: 421 says that the server hangs up (RFC 5321 §3.8). */
  #settle(reply: ServerReply, next: 'ready' | 'needsReset'): void {
    if (reply.code === 421) this.close();
    else if (this.#state === 'sending') this.#state = next;
  }
}

function everyone(message: OutboundMessage, outcome: RecipientOutcome): SendResult {
  return { outcomes: message.recipients.map(() => outcome), bytes: 0 };
}

/** Gives every slot that is not final yet this outcome. */
function fill(slots: Slot[], outcome: RecipientOutcome): void {
  for (const [index, slot] of slots.entries()) if (!isFinal(slot)) slots[index] = outcome;
}

type Unsent = Exclude<Awaited<ReturnType<typeof sendContent>>, { readonly kind: 'sent' }>;

function unsent(content: Unsent): RecipientOutcome {
  switch (content.kind) {
    case 'fenced':
    case 'bareNewline':
      return { kind: content.kind };
    case 'sourceFailed':
      return { kind: 'sourceFailed', detail: content.detail };
    case 'failed':
      return { kind: 'failed', failure: failureOf('body', content.fault) };
    case 'refused': {
      const { reply } = content;
      return { kind: reply.code >= 500 ? 'permanent' : 'temporary', stage: 'final', reply };
    }
  }
}
