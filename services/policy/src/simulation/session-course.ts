/**
 * Goes through a described session command by command as the edge does: what the session decides by itself is asked of the same code (session
 * terms), what has to be asked for of the judge. What policy refuses before the first RCPT is told there, unless the session itself refuses at a
 * command before. Ends with the command that is refused; of recipients some may be.
 */
import {
  earlyRefusal,
  listenerDemand,
  mailTerms,
  mechanismRefusal,
  namedMechanisms,
  refusalOf,
  ruledPolicy,
  type SessionTerms,
  type SessionView,
  type TermsRefusal,
} from '@postern/flow-control/session';
import {
  type Decision,
  EvaluateResponse,
  type SessionFacts,
  type SimulateResponse,
  Stage,
} from '@postern/proto/policy/v1/policy_service';
import { type MailCommand, parseMailCommand, type Reply, replies } from '@postern/smtp-core';
import { isRefusal } from '../verdict/decision.js';
import { contentOutcome, contentProblem, contentStages } from './content-outcome.js';
import { CourseQuestions, type QuestionParts } from './course-questions.js';
import { CourseRecord } from './course-record.js';
import type { DescribedSession } from './described-session.js';
import { messageLines } from './message-lines.js';
import { asDecision, placeRecipients } from './recipient-places.js';
import { repliesTo, withRefusedPlaces } from './recipient-replies.js';

export interface CourseParts extends QuestionParts {
  readonly terms: SessionTerms;
  readonly maxHops: number;
  readonly maxLineLength: number;
}

interface Limits {
  readonly messageSize: number;
  readonly recipients: number;
}

/** As MAIL would have to be said. */
function mailText({ reversePath, declaredSize, parameters }: SessionFacts, addresses: readonly string[]): string {
  const isInternational = [reversePath, ...addresses].some((address) => /[^\0-\x7f]/.test(address));
  return [
    `<${reversePath}>`,
    ...(declaredSize > 0 ? [`SIZE=${declaredSize}`] : []),
    ...(parameters?.smtputf8 === true || isInternational ? ['SMTPUTF8'] : []),
  ].join(' ');
}

export class SessionCourse {
  readonly #parts: CourseParts;
  readonly #session: DescribedSession;
  readonly #addresses: readonly string[];
  readonly #content: Uint8Array;
  readonly #record = new CourseRecord();
  readonly #questions: CourseQuestions;
  #asking: SessionFacts['recipients'] = [];
  /** What policy has refused already, and the client is told at the first RCPT. */
  #pending: Decision | undefined;
  #mail: { readonly command: MailCommand; limits: Limits } | undefined;

  constructor(parts: CourseParts, session: DescribedSession, addresses: readonly string[], content: Uint8Array) {
    this.#parts = parts;
    this.#session = session;
    this.#addresses = addresses;
    this.#content = content;
    this.#questions = new CourseQuestions(parts, session.facts, content.length);
  }

  /** As they have become, with every recipient that was asked about. */
  get facts(): SessionFacts {
    return { ...this.#questions.facts, recipients: this.#asking };
  }

  async run(): Promise<SimulateResponse> {
    const commands = [this.#connect, this.#greet, this.#logIn, this.#begin, this.#recipients, this.#message];
    for (const command of commands) if (!(await command.call(this))) break;
    const { submittingTenant } = this.#session.facts;
    return { ...this.#record.told, recorded: [], submittingTenant };
  }

  #connect(): Promise<boolean> {
    const { connected } = this.#session;
    const { access } = this.#parts.terms;
    const denial = access.denial(connected.listener.name, connected.clientAddress);
    const barred = denial === undefined ? undefined : { reply: replies.serviceRefused, reason: denial };
    const policy = ruledPolicy(this.#parts.terms, connected, this.#parts.clock);
    const banner = replies.greeting(policy.hostname, policy.banner);
    return this.#command(Stage.CONNECT, connected, barred ?? this.#early('connect', connected), banner);
  }

  #greet(): Promise<boolean> {
    const { greeted, ready } = this.#session;
    const refusal = greeted.map((view) => this.#early('ehlo', view)).find((early) => early !== undefined);
    const { hostname } = ruledPolicy(this.#parts.terms, ready, this.#parts.clock);
    return this.#command(Stage.EHLO, greeted.at(-1) ?? greeted[0], refusal, replies.hello(hostname));
  }

  async #logIn(): Promise<boolean> {
    const { hasLogin, ready, greeted } = this.#session;
    if (!hasLogin) return true;
    const before = greeted.at(-1) ?? greeted[0];
    const policy = ruledPolicy(this.#parts.terms, before, this.#parts.clock);
    const mechanism = ready.login?.mechanism ?? '';
    const reply =
      mechanism === '' ? undefined : mechanismRefusal(policy, before, mechanism, namedMechanisms(policy, before));
    const refusal = reply === undefined ? this.#early('auth', ready) : { reply, reason: `AUTH ${mechanism}` };
    return this.#command(Stage.AUTH, ready, refusal, replies.authenticated);
  }

  async #begin(): Promise<boolean> {
    if (!this.#session.facts.hasReversePath) return false;
    const { ready, facts } = this.#session;
    const { terms, clock } = this.#parts;
    const policy = ruledPolicy(terms, ready, clock);
    const demand = listenerDemand(policy, ready);
    const parsed = parseMailCommand(mailText(facts, this.#addresses), { lenient: true });
    if (demand !== undefined) return this.#command(Stage.MAIL, ready, demand, replies.senderOk);
    if (!parsed.ok) {
      return this.#command(Stage.MAIL, ready, { reply: parsed.reply, reason: 'syntax' }, replies.senderOk);
    }
    const { command } = parsed;
    const tenant = facts.relayRight ? facts.submittingTenant : undefined;
    const opened = mailTerms(terms, ready, { policy, command, tenant }, clock);
    const refusal = this.#early('mail', ready, command) ?? (opened.kind === 'refused' ? opened : undefined);
    if (refusal !== undefined || opened.kind === 'refused')
      return this.#command(Stage.MAIL, ready, refusal, replies.senderOk);
    const limits = { messageSize: opened.messageSize, recipients: opened.recipients };
    this.#mail = { command, limits };
    this.#record.smtputf8 = command.smtputf8;
    return this.#command(Stage.MAIL, ready, undefined, replies.senderOk, limits);
  }

  async #recipients(): Promise<boolean> {
    if (this.#mail === undefined || this.#addresses.length === 0) return false;
    const { command, limits } = this.#mail;
    const { ready, facts } = this.#session;
    const submittingTenant = facts.relayRight ? facts.submittingTenant : undefined;
    const transaction = { mail: command, submittingTenant, ...limits };
    const places = placeRecipients(this.#parts, ready, transaction, this.#addresses);
    const questions = this.#questions;
    this.#asking = places.flatMap(({ facts: own }) => (own === undefined ? [] : [own]));
    questions.facts = { ...questions.facts, recipients: this.#asking };
    const isOpen = this.#pending === undefined;
    const verdict = this.#asking.length > 0 && isOpen ? await questions.judge([Stage.RCPT]) : undefined;
    const decided = this.#pending ?? verdict?.decision;
    const whole = decided !== undefined && isRefusal(decided.action) ? decided : undefined;
    const answers = repliesTo(places, verdict, whole);
    for (const { address, reply, decidedBy } of answers) this.#record.say(Stage.RCPT, reply, decidedBy, address);
    if (isOpen) {
      const own = verdict ?? EvaluateResponse.fromPartial({});
      this.#record.show([Stage.RCPT], this.#narrowed(whole === undefined ? withRefusedPlaces(own, places) : own));
    }
    const taken = answers.flatMap((answer) => (answer.taken === undefined ? [] : [answer.taken]));
    questions.facts = { ...questions.facts, recipients: taken };
    return taken.length > 0;
  }

  async #message(): Promise<boolean> {
    if (this.#content.length === 0 || this.#mail === undefined) return false;
    const { terms, maxLineLength } = this.#parts;
    const { ready } = this.#session;
    const { linePolicy } = terms.policyFor(ready.listener, ready.ipSet);
    const lines = messageLines(Buffer.from(this.#content), { linePolicy, maxLineLength });
    const content = lines.kind === 'refused' ? Buffer.from(this.#content) : lines.content;
    const transaction = { mail: this.#mail.command, ...this.#mail.limits };
    const problem =
      lines.kind === 'refused' ? lines.refusal : contentProblem(content, transaction, this.#parts.maxHops);
    const { stages, bytes } = contentStages(content, this.#questions.plan);
    if (problem !== undefined) {
      this.#record.show(stages, this.#refused(EvaluateResponse.fromPartial({}), problem));
      this.#record.say(Stage.HEADERS, problem.reply, problem.reason);
      return false;
    }
    const { verdict, refusal } = contentOutcome(
      await this.#questions.judge(stages, bytes),
      this.#questions.facts.recipients,
    );
    this.#record.show(stages, verdict);
    this.#record.say(Stage.HEADERS, refusal?.reply ?? replies.queued('simulation'), refusal?.reason ?? '');
    return refusal === undefined;
  }

  #early(
    event: Parameters<typeof earlyRefusal>[2],
    view: SessionView,
    command?: MailCommand,
  ): TermsRefusal | undefined {
    const { terms, clock } = this.#parts;
    const refused = earlyRefusal({ snapshot: () => terms, clock }, view, event, command);
    return refused === undefined ? undefined : { reply: refused.reply, reason: refused.rule };
  }

  /** The session waits for policy at this command. */
  #isAsked(stage: Stage, { login }: SessionView): boolean {
    const { askedLogins } = this.#parts.terms;
    return stage === Stage.AUTH && login !== undefined && askedLogins.of(login.tenant, login.user).has('auth');
  }

  /** One command, `refusal` being what the session says to it by itself. */
  async #command(
    stage: Stage,
    view: SessionView,
    refusal: TermsRefusal | undefined,
    usual: Reply,
    limits?: Limits,
  ): Promise<boolean> {
    const verdict = this.#pending === undefined ? await this.#questions.judge([stage]) : undefined;
    if (refusal !== undefined) {
      this.#record.show([stage], this.#refused(verdict ?? EvaluateResponse.fromPartial({}), refusal));
      this.#record.say(stage, refusal.reply, refusal.reason);
      return false;
    }
    const { decision } = verdict ?? {};
    if (verdict !== undefined && decision !== undefined && isRefusal(decision.action) && this.#isAsked(stage, view)) {
      this.#record.show([stage], verdict);
      this.#record.say(stage, refusalOf(decision), decision.decidedBy);
      return false;
    }
    this.#record.say(stage, usual, '');
    if (verdict === undefined) return true;
    const { messageSize, recipients } = limits ?? ruledPolicy(this.#parts.terms, view, this.#parts.clock);
    this.#record.show(
      [stage],
      verdict.limits === undefined ? verdict : { ...verdict, limits: { messageSize, recipients } },
    );
    if (verdict.decision !== undefined && isRefusal(verdict.decision.action)) this.#pending = verdict.decision;
    return true;
  }

  /** Rules of RCPT only ever narrow what the transaction began with. */
  #narrowed(verdict: EvaluateResponse): EvaluateResponse {
    const { limits } = verdict;
    if (limits === undefined || this.#mail === undefined) return verdict;
    const tighter = (own: number, other: number): number => (other === 0 ? own : Math.min(own, other));
    const { messageSize, recipients } = this.#mail.limits;
    this.#mail.limits = {
      messageSize: tighter(messageSize, limits.messageSize),
      recipients: tighter(recipients, limits.recipients),
    };
    return { ...verdict, limits: this.#mail.limits };
  }

  #refused(verdict: EvaluateResponse, refusal: TermsRefusal): EvaluateResponse {
    return { ...verdict, decision: asDecision(refusal), recipients: [], groups: [] };
  }
}
