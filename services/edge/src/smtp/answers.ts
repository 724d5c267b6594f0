/**
 * What a session is told: replies in their order, each counted as it is said, late for a client that makes errors; 421 ends the session, and so does one
 * refusal too many. Decides no reply of a command. One for a session; an answer in time makes nothing anew.
 */
import { refusingLimit } from '@postern/flow-control/session';
import { type Reply, replies } from '@postern/smtp-core';
import type { Dialogue } from './dialogue.js';
import { PutOff } from './put-off.js';
import { fullSession, mostErrors, type SessionBound } from './session-bound.js';
import type { VerbResult } from './verbs/index.js';

/** A command that is put off beside RCPT counts as so many recipients: a client learns of each before the next. */
const deferralOfCommand = 10;

export class Answers {
  readonly #dialogue: Dialogue;
  readonly #putOff = new PutOff();

  constructor(dialogue: Dialogue) {
    this.#dialogue = dialogue;
  }

  /** Without delay. */
  atOnce(reply: Reply, command = ''): undefined {
    if (this.#dialogue.wire.isClosed) return undefined;
    const list = [reply];
    return this.#says(list, 0, command) === 'ended' ? undefined : this.#settle(list, command);
  }

  /** Replies of one command. A client that makes errors waits for the answers to them, in a pipelined group for each. */
  give(result: VerbResult, command: string): Promise<void> | undefined {
    if (result === undefined || this.#dialogue.wire.isClosed) return undefined;
    const list = 'code' in result ? [result] : result;
    for (let at = 0; at < list.length; at++) {
      if (this.#delayMs(list[at]) > 0) return this.#slowly(list, at, command);
      if (this.#says(list, at, command) === 'ended') return undefined;
    }
    return this.#settle(list, command);
  }

  /** One reply of several. What was to follow an end is not said, and counts all the same. */
  #says(list: readonly Reply[], at: number, command: string): 'goesOn' | 'ended' {
    const one = list[at];
    if (one === undefined) return 'goesOn';
    const { wire, transaction } = this.#dialogue;
    wire.reply(one);
    this.#count(one);
    this.#putOff.note(command, one, transaction);
    const over = this.#tooMany(one, command);
    if (one.code !== 421 && over === undefined) return 'goesOn';
    this.#countUnsaid(list, at + 1);
    if (over === undefined) this.#end(one, command);
    else {
      const reply = this.#dialogue.exceeds(over);
      wire.reply(reply);
      this.#end(reply, command);
    }
    return 'ended';
  }

  /** A client may be put off for many recipients at once, since it names all it has before it hears (RFC 2920); not for ever. */
  #tooMany(reply: Reply, command: string): SessionBound | undefined {
    const { code } = reply;
    if (code < 400 || code === 421) return undefined;
    const { session, services } = this.#dialogue;
    if (code >= 500 && !this.#putOff.excuses(reply))
      return session.errors >= mostErrors(this.#dialogue) ? 'errors_per_session' : undefined;
    session.deferrals += command === 'RCPT' ? 1 : deferralOfCommand;
    return session.deferrals >= services.settings.maxDeferrals ? 'deferrals_per_session' : undefined;
  }

  /** Counted for the session and, where it is the client's fault alone, for its address. */
  #count(reply: Reply): void {
    const { code, enhanced } = reply;
    if (code < 500 || this.#putOff.excuses(reply)) return;
    const { session, services } = this.#dialogue;
    session.errors++;
    const kind = enhanced === '5.1.1' ? 'unknown_recipient' : code === 535 ? 'failed_login' : 'bad_command';
    if (kind !== 'bad_command' || code < 530 || code === 555) services.abuse.failed(session, kind);
  }

  #countUnsaid(list: readonly Reply[], from: number): void {
    for (const one of list.slice(from)) this.#count(one);
  }

  #settle(list: readonly Reply[], command: string): undefined {
    const { isLeaving, transaction, wire } = this.#dialogue;
    // What was in hand when it was told to leave has ended with this reply: nobody waits for the client's next command.
    const isLast = isLeaving && transaction === undefined && !wire.isClosed;
    if (isLast && list.every(({ code }) => code !== 221 && code !== 354 && code !== 334)) {
      wire.reply(replies.shuttingDown);
      return this.#end(replies.shuttingDown, command);
    }
    return undefined;
  }

  #end(reply: Reply, command: string): undefined {
    const { session, services, wire, exceeded } = this.#dialogue;
    const passed = exceeded ?? fullSession(this.#dialogue, reply);
    const isDrain = reply === replies.shuttingDown;
    const because = passed?.reason ?? (isDrain ? 'draining' : command);
    services.journal.record('edge.session.aborted', session, {
      ...this.#dialogue.underWay(),
      reply,
      detail: {
        reason: because,
        ...(because === command || command === '' ? {} : { command }),
        ...(passed?.rule === undefined ? {} : { rule: passed.rule }),
      },
      ...(passed?.isCounted === true ? {} : refusingLimit(passed?.limit, passed?.rule)),
      ending: isDrain ? 'drain' : 'refused',
      passed: passed?.limit,
    });
    wire.close();
    return undefined;
  }

  #delayMs(reply: Reply | undefined): number {
    if (reply === undefined || reply.code < 400 || this.#putOff.excuses(reply)) return 0;
    const { services, session } = this.#dialogue;
    return services.abuse.tarpitMs(session);
  }

  /** Each reply written before the next is waited for; who leaves meanwhile is counted for all of them. */
  async #slowly(list: readonly Reply[], from: number, command: string): Promise<void> {
    const { session, services, wire } = this.#dialogue;
    for (let at = from; at < list.length; at++) {
      const delayMs = this.#delayMs(list[at]);
      if (delayMs > 0) {
        wire.flush();
        const detail = { delay_ms: String(delayMs) };
        services.journal.record('edge.answer.delayed', session, { detail });
        await services.clock.sleep(delayMs);
      }
      if (wire.isClosed) return this.#countUnsaid(list, at);
      if (this.#says(list, at, command) === 'ended') return;
    }
    this.#settle(list, command);
  }
}
