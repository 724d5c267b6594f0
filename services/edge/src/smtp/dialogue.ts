/**
 * The dialogue of one connection: takes lines, runs their commands, tells what was refused. Verbs are in `verbs/`, one file each, and keep their order
 * (RFC 5321 §4.1.4); replies are said and counted in `answers.ts`; sockets are behind `Wire`. Nothing a verb throws leaves here: it is 451 and the
 * session goes on.
 */
import { type ExtensionKeyword, type ListenerPolicy, ruledPolicy } from '@postern/flow-control/session';
import { type Reply, replies } from '@postern/smtp-core';
import type { EdgeEventFacts } from '../journal.js';
import type { Session, SessionServices } from '../session.js';
import type { CompiledSnapshot } from '../snapshot/compile.js';
import type { Transaction } from '../transaction.js';
import { Answers } from './answers.js';
import type { LineProblem } from './command-stream.js';
import { type PassedBound, passedBound, type SessionBound } from './session-bound.js';
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
  readonly #answers = new Answers(this);
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
    if (this.isLeaving && this.transaction === undefined) return this.#answers.atOnce(replies.shuttingDown);
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
    return this.#answers.give(result, name);
  }

  /** Tells the journal of a refused command, so that an administrator finds it by the id in the reply; the journal bounds it for a session. */
  refuse(reply: Reply, reason: string, rule?: string): Reply {
    const detail = { reason, ...(rule === undefined ? {} : { rule }) };
    this.services.journal.record('edge.command.rejected', this.session, { reply, detail });
    return reply;
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
    return this.#answers.give(this.refuse(reply, reason), reason);
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
    return this.#answers.atOnce(replies.localError, command);
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
