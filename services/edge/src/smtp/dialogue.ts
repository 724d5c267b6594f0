/**
 * The dialogue of one connection: takes lines, keeps the order of commands (RFC 5321 §4.1.4), counts errors, answers. Verbs are in `verbs/`,
 * one file each; sockets are behind `Wire`. Nothing a verb throws leaves here: it is 451 and the session goes on.
 */
import { type ExtensionKeyword, type ListenerPolicy, refusingLimit, ruledPolicy } from '@postern/flow-control/session';
import { type Reply, replies } from '@postern/smtp-core';
import type { EdgeEventFacts } from '../journal.js';
import type { Session, SessionServices } from '../session.js';
import type { CompiledSnapshot } from '../snapshot/compile.js';
import type { Transaction } from '../transaction.js';
import type { LineProblem } from './command-stream.js';
import { PutOff } from './put-off.js';
import { fullSession, mostErrors, type PassedBound, passedBound, type SessionBound } from './session-bound.js';
import type { ChunkedMessage } from './verbs/bdat.js';
import { type Verb, type VerbResult, verbs } from './verbs/index.js';
import type { Wire } from './wire.js';

const lineReplies: Readonly<Record<LineProblem, Reply>> = {
  bareNewline: replies.bareNewlineCommand,
  nul: replies.unknownCommand,
  lineTooLong: replies.lineTooLong,
  authLineTooLong: replies.authLineTooLong,
};

/** RFC 5321 §4.5.3.1.4 and the extensions; AUTH lines are read elsewhere. */
const maxCommandLine = 2_048;
const httpRequest = /^(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|TRACE|CONNECT|PATCH|PRI) \S+ HTTP\/\d/;
export const isHttpRequest = (line: string): boolean => httpRequest.test(line);

/** A command that is put off beside RCPT counts as so many recipients: a client learns of each before the next. */
const deferralOfCommand = 10;

/** What stands where a verb should, as far as it may be shown: a client out of step may send message text or a password. */
const firstWord = (line: string): string => /^[A-Z]{3,12}(?=[ :]|$)/.exec(line)?.[0] ?? '';

interface SeenPolicy {
  readonly snapshot: CompiledSnapshot | undefined;
  readonly ipSet: string | undefined;
  readonly policy: ListenerPolicy | undefined;
}

export class Dialogue {
  transaction: Transaction | undefined;
  /** What message bytes go to now; tells how many came. */
  incoming: { readonly size: number } | undefined;
  /** A message that comes in chunks and is not whole yet. */
  chunks: ChunkedMessage | undefined;
  /** The last command was a DATA that was refused: what is no command now is a message sent without leave. */
  dataRefused = false;
  /** Why the 421 that comes next is said, where a bound of the session is. */
  exceeded: PassedBound | undefined;
  /** What the snapshot last seen says of this client: asked several times a command. */
  #seen: SeenPolicy = { snapshot: undefined, ipSet: undefined, policy: undefined };
  readonly #putOff = new PutOff();
  #isTold = false;
  /** Without PIPELINING: the next line was here before the reply to this one. */
  #sentAhead = false;

  constructor(
    readonly session: Session,
    readonly services: SessionServices,
    readonly wire: Wire,
    /** STARTTLS can be offered: there is a certificate and the connection is not on TLS. */
    readonly canStartTls: () => boolean,
  ) {}

  /** Limits and rights of the listener now, as rules change them; undefined without a snapshot: nothing may be decided. */
  policy(): ListenerPolicy | undefined {
    const snapshot = this.services.snapshot();
    if (snapshot !== undefined && snapshot.rules.size > 0)
      return ruledPolicy(snapshot, this.session, this.services.clock);
    const { listener, ipSet } = this.session;
    if (snapshot !== this.#seen.snapshot || ipSet !== this.#seen.ipSet)
      this.#seen = { snapshot, ipSet, policy: snapshot?.policyFor(listener, ipSet) };
    return this.#seen.policy;
  }

  /** Is this extension offered on this listener now? */
  offers(keyword: ExtensionKeyword): boolean {
    return this.policy()?.extensions.has(keyword) === true;
  }

  /** What is in hand is the last of this session: its listener takes no more. */
  leaves(): void {
    this.#isTold = true;
  }

  get isLeaving(): boolean {
    return this.#isTold || this.services.isDraining();
  }

  onLine(line: string): Promise<void> | undefined {
    if (this.isLeaving && this.transaction === undefined) return this.answer(replies.shuttingDown);
    const space = line.indexOf(' ');
    const name = (space === -1 ? line : line.slice(0, space)).toUpperCase();
    const verb = verbs.get(name);
    const afterRefusedData = this.dataRefused;
    this.dataRefused = false;
    if (verb === undefined)
      return afterRefusedData ? this.#fail(replies.sentWithoutLeave, 'no leave') : this.#unknown(line);
    if (line.length > maxCommandLine && name !== 'AUTH') return this.#fail(replies.lineTooLong, name);
    const outOfTurn = this.#sentAhead;
    this.#sentAhead = name !== 'BDAT' && this.wire.hasPipelined && !this.offers('PIPELINING');
    if (outOfTurn) return this.#fail(replies.pipeliningRefused, 'pipelining');
    if (verb.idle === true && ++this.session.idleCommands > this.services.settings.maxIdleCommands)
      return this.#fail(this.exceeds('idle_commands_per_session'), 'idle commands');
    return this.#run(verb, name, space === -1 ? '' : line.slice(space + 1));
  }

  /** The session did too much of something; the reply ends it. */
  exceeds(limit: SessionBound): Reply {
    this.exceeded = passedBound(this, limit);
    return replies.tooManyErrors;
  }

  onBadLine(problem: LineProblem): Promise<void> | undefined {
    if (this.dataRefused) return this.#fail(replies.sentWithoutLeave, 'no leave');
    return this.#fail(lineReplies[problem], problem);
  }

  #run(verb: Verb, name: string, argument: string): Promise<void> | undefined {
    try {
      const result = verb.run(this, argument);
      if (!(result instanceof Promise)) return this.#conclude(verb, name, result);
      return result.then(
        (reply) => this.#conclude(verb, name, reply),
        (error: unknown) => this.#broken(name, error),
      );
    } catch (error) {
      return this.#broken(name, error);
    }
  }

  #conclude(verb: Verb, name: string, result: VerbResult): Promise<void> | undefined {
    if (verb.records !== true && result !== undefined && 'code' in result && result.code >= 400)
      this.refuse(result, name);
    return this.#late(result, name);
  }

  /** Tells the journal of a refused command, so that an administrator finds it by the id in the reply; the journal bounds it for a session. */
  refuse(reply: Reply, reason: string, rule?: string): Reply {
    const detail = { reason, ...(rule === undefined ? {} : { rule }) };
    this.services.journal.record('edge.command.rejected', this.session, { reply, detail });
    return reply;
  }

  /** Replies of one command; 421 ends the connection, and so does one refusal too many. */
  answer(reply: Reply, command = ''): undefined {
    if (this.wire.isClosed) return undefined;
    const list = [reply];
    return this.#says(list, 0, command) === 'ended' ? undefined : this.#settle(list, command);
  }

  /** One reply of several. What was to follow an end is not said, and counts all the same. */
  #says(list: readonly Reply[], at: number, command: string): 'goesOn' | 'ended' {
    const one = list[at];
    if (one === undefined) return 'goesOn';
    this.wire.reply(one);
    this.#count(one);
    this.#putOff.note(command, one, this.transaction);
    const over = this.#tooMany(one, command);
    if (one.code !== 421 && over === undefined) return 'goesOn';
    this.#countUnsaid(list, at + 1);
    if (over === undefined) this.#end(one, command);
    else {
      const reply = this.exceeds(over);
      this.wire.reply(reply);
      this.#end(reply, command);
    }
    return 'ended';
  }

  /** A client may be put off for many recipients at once, since it names all it has before it hears (RFC 2920); not for ever. */
  #tooMany(reply: Reply, command: string): SessionBound | undefined {
    const { code } = reply;
    if (code < 400 || code === 421) return undefined;
    const { session, services } = this;
    if (code >= 500 && !this.#putOff.excuses(reply))
      return session.errors >= mostErrors(this) ? 'errors_per_session' : undefined;
    session.deferrals += command === 'RCPT' ? 1 : deferralOfCommand;
    return session.deferrals >= services.settings.maxDeferrals ? 'deferrals_per_session' : undefined;
  }

  #countUnsaid(list: readonly Reply[], from: number): void {
    for (const one of list.slice(from)) this.#count(one);
  }

  #settle(list: readonly Reply[], command: string): undefined {
    // What was in hand when it was told to leave has ended with this reply: nobody waits for the client's next command.
    const isLast = this.isLeaving && this.transaction === undefined && !this.wire.isClosed;
    if (isLast && list.every(({ code }) => code !== 221 && code !== 354 && code !== 334)) {
      this.wire.reply(replies.shuttingDown);
      return this.#end(replies.shuttingDown, command);
    }
    return undefined;
  }

  #end(reply: Reply, command: string): undefined {
    const passed = this.exceeded ?? fullSession(this, reply);
    const isDrain = reply === replies.shuttingDown;
    const because = passed?.reason ?? (isDrain ? 'draining' : command);
    this.services.journal.record('edge.session.aborted', this.session, {
      ...this.underWay(),
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
    this.wire.close();
    return undefined;
  }

  /** Of what mail the session was in the middle. */
  underWay(): Pick<EdgeEventFacts, 'reversePath' | 'recipient'> {
    if (this.transaction === undefined) return {};
    const { mail, recipients } = this.transaction;
    const [recipient, ...others] = recipients;
    const reversePath = mail.reversePath.address;
    return recipient === undefined || others.length > 0
      ? { reversePath }
      : { reversePath, recipient: recipient.address };
  }

  #fail(reply: Reply, reason: string): Promise<void> | undefined {
    return this.#late(this.refuse(reply, reason), reason);
  }

  /** Counted for the session and, where it is the client's fault alone, for its address. */
  #count(reply: Reply): void {
    const { code, enhanced } = reply;
    if (code < 500 || this.#putOff.excuses(reply)) return;
    this.session.errors++;
    const kind = enhanced === '5.1.1' ? 'unknown_recipient' : code === 535 ? 'failed_login' : 'bad_command';
    if (kind !== 'bad_command' || code < 530 || code === 555) this.services.abuse.failed(this.session, kind);
  }

  /** A client that makes errors waits for the answers to them, in a pipelined group for each. */
  #late(result: VerbResult, command: string): Promise<void> | undefined {
    if (result === undefined || this.wire.isClosed) return undefined;
    const list = 'code' in result ? [result] : result;
    for (let at = 0; at < list.length; at++) {
      if (this.#delayMs(list[at]) > 0) return this.#slowly(list, at, command);
      if (this.#says(list, at, command) === 'ended') return undefined;
    }
    return this.#settle(list, command);
  }

  #delayMs(reply: Reply | undefined): number {
    if (reply === undefined || reply.code < 400 || this.#putOff.excuses(reply)) return 0;
    return this.services.abuse.tarpitMs(this.session);
  }

  /** Each reply written before the next is waited for; who leaves meanwhile is counted for all of them. */
  async #slowly(list: readonly Reply[], from: number, command: string): Promise<void> {
    for (let at = from; at < list.length; at++) {
      const delayMs = this.#delayMs(list[at]);
      if (delayMs > 0) {
        this.wire.flush();
        const detail = { delay_ms: String(delayMs) };
        this.services.journal.record('edge.answer.delayed', this.session, { detail });
        await this.services.clock.sleep(delayMs);
      }
      if (this.wire.isClosed) return this.#countUnsaid(list, at);
      if (this.#says(list, at, command) === 'ended') return;
    }
    this.#settle(list, command);
  }

  #unknown(line: string): Promise<void> | undefined {
    if (isHttpRequest(line)) {
      return this.#fail(replies.httpNotHere, 'http');
    }
    return this.#fail(replies.unknownCommand, `unknown command ${firstWord(line)}`.trimEnd());
  }

  #broken(command: string, error: unknown): undefined {
    const reason = error instanceof Error ? error.message : String(error);
    this.services.journal.record('edge.command.rejected', this.session, {
      reply: replies.localError,
      detail: { reason: `${command}: ${reason}` },
    });
    return this.answer(replies.localError, command);
  }

  /** RFC 5321 §4.1.1.5. */
  resetTransaction(): void {
    this.transaction = undefined;
    if (this.chunks === undefined) return;
    this.chunks.transfer.abandon();
    this.chunks = undefined;
  }

  /** A client that delivers is forgiven half of what a session may cost. */
  forgive({ code }: Reply): void {
    if (code !== 250) return;
    this.session.idleCommands = 0;
    this.session.deferrals = 0;
    this.session.errors = Math.max(0, this.session.errors - Math.ceil((this.policy()?.errorsPerSession ?? 0) / 2));
  }
}
