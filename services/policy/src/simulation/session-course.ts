/**
 * Goes through a described session command by command as the edge does: what the session decides by itself is asked of the same code (session
 * terms), what has to be asked for of the judge. What policy refuses before the first RCPT is told there, unless the session itself refuses at a
 * command before. Ends with the command that is refused; of recipients some may be.
 */
import type { Clock } from '@postern/clock';
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
  type RecipientFacts,
  type SessionFacts,
  type SimulatedReply,
  type SimulateResponse,
  Stage,
} from '@postern/proto/policy/v1/policy_service';
import { cleanReplyText, type MailCommand, parseMailCommand, type Reply, replies } from '@postern/smtp-core';
import type { Judge } from '../judge.js';
import type { CompiledSnapshot } from '../snapshot/compile.js';
import { isRefusal } from '../verdict/decision.js';
import { contentOutcome, contentProblem, contentStages } from './content-outcome.js';
import type { DescribedSession } from './described-session.js';
import { messageLines } from './message-lines.js';
import { asDecision, placeRecipients } from './recipient-places.js';

export interface CourseParts {
  readonly judge: Judge;
  readonly snapshot: CompiledSnapshot;
  readonly terms: SessionTerms;
  readonly clock: Clock;
  readonly maxHops: number;
  readonly maxLineLength: number;
  /** Milliseconds for the whole session. */
  readonly deadlineMs: number;
}

interface Limits {
  readonly messageSize: number;
  readonly recipients: number;
}

/** What an edge waits for the verdict of a group of commands up to RCPT. */
const envelopeMs = 10_000;
/** Each command but the last leaves time for those after it, as the stages of one request do. */
const shareOfNow = 0.7;
const noContent = Buffer.alloc(0);

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
  readonly #stages: EvaluateResponse[] = [];
  readonly #asked: SimulateResponse['asked'] = [];
  readonly #replies: SimulatedReply[] = [];
  #facts: SessionFacts;
  #asking: SessionFacts['recipients'] = [];
  #sequence = 0;
  /** What policy has refused already, and the client is told at the first RCPT. */
  #pending: Decision | undefined;
  #mail: { readonly command: MailCommand; limits: Limits } | undefined;
  #plan: EvaluateResponse['contentPlan'] = 0;
  readonly #begunAt: number;

  constructor(parts: CourseParts, session: DescribedSession, addresses: readonly string[], content: Uint8Array) {
    this.#parts = parts;
    this.#begunAt = parts.clock.monotonic();
    this.#session = session;
    this.#addresses = addresses;
    this.#content = content;
    this.#facts = { ...session.facts, hasReversePath: session.facts.hasReversePath };
  }

  /** As they have become, with every recipient that was asked about. */
  get facts(): SessionFacts {
    return { ...this.#facts, recipients: this.#asking };
  }

  async run(): Promise<SimulateResponse> {
    const commands = [this.#connect, this.#greet, this.#logIn, this.#begin, this.#recipients, this.#message];
    for (const command of commands) if (!(await command.call(this))) break;
    const { submittingTenant } = this.#session.facts;
    return { stages: this.#stages, asked: this.#asked, recorded: [], replies: this.#replies, submittingTenant };
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
    return this.#command(Stage.MAIL, ready, undefined, replies.senderOk, limits);
  }

  async #recipients(): Promise<boolean> {
    if (this.#mail === undefined || this.#addresses.length === 0) return false;
    const { command, limits } = this.#mail;
    const { ready, facts } = this.#session;
    const submittingTenant = facts.relayRight ? facts.submittingTenant : undefined;
    const transaction = { mail: command, submittingTenant, ...limits };
    const places = placeRecipients(this.#parts, ready, transaction, this.#addresses);
    const asked = places.flatMap(({ facts: own }) => (own === undefined ? [] : [own]));
    this.#asking = asked;
    this.#facts = { ...this.#facts, recipients: asked };
    const verdict = asked.length > 0 && this.#pending === undefined ? await this.#judge([Stage.RCPT]) : undefined;
    const whole =
      this.#pending ?? (verdict?.decision && isRefusal(verdict.decision.action) ? verdict.decision : undefined);
    const judged = new Map(verdict?.recipients.map(({ address, decision }) => [address, decision]));
    const taken: RecipientFacts[] = [];
    for (const { address, refusal, facts: own, isRepeated } of places) {
      const decision = whole ?? (own === undefined ? undefined : judged.get(own.address));
      if (refusal !== undefined) this.#say(Stage.RCPT, refusal.reply, refusal.reason, address);
      else if (isRepeated || own === undefined) this.#say(Stage.RCPT, replies.recipientOk, '', address);
      else if (decision !== undefined && isRefusal(decision.action)) {
        const reply = whole === undefined ? refusalOf(decision, replies.mailboxUnknown) : refusalOf(decision);
        this.#say(Stage.RCPT, reply, decision.decidedBy, address);
      } else {
        taken.push({ ...own, asked: false });
        this.#say(Stage.RCPT, replies.recipientOk, '', address);
      }
    }
    if (this.#pending === undefined) {
      const own = verdict ?? EvaluateResponse.fromPartial({});
      const refused = places.flatMap(({ address, refusal }) =>
        refusal === undefined ? [] : [{ address, decision: asDecision(refusal), expandsTo: [] }],
      );
      const recipients = whole === undefined ? [...own.recipients, ...refused] : own.recipients;
      this.#show([Stage.RCPT], this.#narrowed({ ...own, recipients }));
    }
    this.#facts = { ...this.#facts, recipients: taken };
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
    const { stages, bytes } = contentStages(content, this.#plan);
    if (problem !== undefined) {
      this.#show(stages, this.#refused(EvaluateResponse.fromPartial({}), problem));
      this.#say(Stage.HEADERS, problem.reply, problem.reason);
      return false;
    }
    const { verdict, refusal } = contentOutcome(await this.#judge(stages, bytes), this.#facts.recipients);
    this.#show(stages, verdict);
    this.#say(Stage.HEADERS, refusal?.reply ?? replies.queued('simulation'), refusal?.reason ?? '');
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
    const verdict = this.#pending === undefined ? await this.#judge([stage]) : undefined;
    if (refusal !== undefined) {
      this.#show([stage], this.#refused(verdict ?? EvaluateResponse.fromPartial({}), refusal));
      this.#say(stage, refusal.reply, refusal.reason);
      return false;
    }
    const { decision } = verdict ?? {};
    if (verdict !== undefined && decision !== undefined && isRefusal(decision.action) && this.#isAsked(stage, view)) {
      this.#show([stage], verdict);
      this.#say(stage, refusalOf(decision), decision.decidedBy);
      return false;
    }
    this.#say(stage, usual, '');
    if (verdict === undefined) return true;
    const { messageSize, recipients } = limits ?? ruledPolicy(this.#parts.terms, view, this.#parts.clock);
    this.#show([stage], verdict.limits === undefined ? verdict : { ...verdict, limits: { messageSize, recipients } });
    if (verdict.decision !== undefined && isRefusal(verdict.decision.action)) this.#pending = verdict.decision;
    return true;
  }

  async #judge(stages: Stage[], content: Uint8Array = noContent): Promise<EvaluateResponse> {
    const { judge, snapshot } = this.#parts;
    this.#sequence += 1;
    const verdict = await judge.evaluate(
      {
        sessionId: 'simulation',
        sequence: this.#sequence,
        stages,
        facts: this.#facts,
        content: Buffer.from(content),
        contentSize: this.#content.length,
        snapshotVersion: 0,
        traceparent: '',
      },
      this.#patience(stages),
      snapshot,
    );
    this.#facts = { ...this.#facts, findings: [...this.#facts.findings, ...verdict.findings] };
    if (verdict.contentPlan > this.#plan) this.#plan = verdict.contentPlan;
    return verdict;
  }

  #patience(stages: readonly Stage[]): number {
    const { clock, deadlineMs } = this.#parts;
    const isContent = stages.some((stage) => stage > Stage.RCPT);
    const whole = isContent ? deadlineMs : Math.min(envelopeMs, deadlineMs * shareOfNow);
    const left = this.#begunAt + whole - clock.monotonic();
    return Math.max(1, isContent || stages.includes(Stage.RCPT) ? left : left * shareOfNow);
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

  #show(stages: Stage[], verdict: EvaluateResponse): void {
    this.#stages.push(verdict);
    this.#asked.push({ stages, bodyMissing: false });
  }

  #say(stage: Stage, { code, enhanced, text }: Reply, decidedBy: string, recipient = ''): void {
    const line = typeof text === 'string' ? text : (text[0] ?? '');
    const said = cleanReplyText(line, this.#mail?.command.smtputf8 === true);
    this.#replies.push({ stage, recipient, replyCode: code, enhancedCode: enhanced ?? '', text: said, decidedBy });
  }
}
