/**
 * A pipelined group of RCPT commands as one decision (design.md, step 3): each is parsed and its relay right settled here; what is left is
 * asked of policy in one request, together with the stages that were not judged yet. Replies come in the order of the commands.
 * Policy away: 451 for each, or admitted and marked `unjudged` where the snapshot says so. The relay right has no such way round.
 */

import {
  isAcceptance,
  recipientBarrier,
  recipientRight,
  refusalOf,
  refusingLimit,
  ruleNamed,
} from '@postern/flow-control/session';
import { type Decision, type EvaluateResponse, type Finding, Stage } from '@postern/proto/policy/v1/policy_service';
import { parseRcptCommand, type RcptParameterName, type Reply, replies } from '@postern/smtp-core';
import { evaluationRequest } from './evaluation-request.js';
import type { EdgeEventFacts } from './journal.js';
import type { PolicyAnswer } from './policy-port.js';
import { refusalEvidence, refusingTenant, shownReply } from './refusal-evidence.js';
import { refusingRuleLimit } from './refusing-rule-limit.js';
import type { Session, SessionServices } from './session.js';
import { actionOf, type Recipient, type Transaction } from './transaction.js';
import type { TransactionParty } from './transaction-party.js';

type Candidate = Omit<Recipient, 'action' | 'expandsTo'>;

type Place =
  | { readonly kind: 'answered'; readonly reply: Reply }
  | { readonly kind: 'asked'; readonly candidate: Candidate }
  /** Named before in this group: the same answer, whatever it will be. */
  | { readonly kind: 'again'; readonly candidate: Candidate };

const dsnParameters: ReadonlySet<RcptParameterName> = new Set(['NOTIFY', 'ORCPT']);
const none: ReadonlySet<RcptParameterName> = new Set();

/** Whom a command that cannot be read is about, as far as that can be told: the trace is searched by address. */
const addressIn = (text: string): string =>
  /^\s*<(?:@[^:>]*:)?([^>]*)>/.exec(text)?.[1] ?? text.trim().split(' ', 1)[0] ?? '';

/** One refusal of several recipients: what its text says of one of them is not for the tenants of others. */
interface Together {
  readonly recipients: readonly Pick<Candidate, 'address' | 'tenant'>[];
  readonly findings: readonly Finding[];
}

type More = Pick<EdgeEventFacts, 'limit'> & { readonly together?: Together | undefined };

/** Of one message. Lists with doubles in them have some, not thousands. */
const mostRepeats = 10_000;
const sessionStages: ReadonlySet<Stage> = new Set([Stage.CONNECT, Stage.EHLO, Stage.AUTH]);

export class RecipientGroup implements TransactionParty {
  readonly #places: Place[] = [];
  readonly #asked = new Map<string, Candidate>();

  constructor(
    readonly session: Session,
    readonly services: SessionServices,
    readonly transaction: Transaction,
  ) {}

  get size(): number {
    return this.#places.length;
  }

  /** Those asked about are as many as may be taken: whether one more may come is known when they are decided, as if each had come alone. */
  get isFull(): boolean {
    const { transaction } = this;
    const asked = this.#asked.size;
    return asked > 0 && transaction.overRecipients(transaction.recipients.length + asked) !== undefined;
  }

  /** `text` is what stands behind `RCPT TO:`. */
  add(text: string): void {
    this.#places.push(this.#place(text));
  }

  #place(text: string): Place {
    const { transaction } = this;
    const smtputf8 = transaction.mail.smtputf8;
    const listener = this.services.snapshot()?.policyFor(this.session.listener, this.session.ipSet);
    const hasDsn = this.session.greeting?.esmtp === true && listener?.extensions.has('DSN') === true;
    const parsed = parseRcptCommand(text, { smtputf8, lenient: true, offered: hasDsn ? dsnParameters : none });
    if (!parsed.ok) return this.#refuse(addressIn(text), parsed.reply, 'syntax');
    const { command } = parsed;
    const right = recipientRight(this.services.snapshot(), this.session, command.forwardPath);
    if (right.kind === 'refused') return this.#refuse(command.forwardPath.raw, right.reply, right.reason);
    const { address, tenant, recipientClass } = right;
    const barred = recipientBarrier(this.services, this.session, transaction, right, this.#asked.size);
    if (barred !== undefined) return this.#refuse(address, barred.reply, barred.reason, tenant);
    if (transaction.has(address)) return this.#repeated(address, tenant);
    const before = this.#asked.get(address);
    if (before !== undefined)
      return this.#isTooOften() ? this.#tooOften(address, tenant) : { kind: 'again', candidate: before };
    const over = transaction.overRecipients(transaction.recipients.length + this.#asked.size);
    if (over !== undefined)
      return this.#refuse(
        address,
        over.reply,
        over.reason,
        tenant,
        { ...over.measured, ...ruleNamed(over.by, tenant) },
        refusingLimit(over.limit, over.by),
      );
    const { refusal } = transaction;
    if (refusal !== undefined) return this.#refuse(address, refusal.reply, refusal.decidedBy, tenant);
    const candidate = { address, tenant, recipientClass, command };
    this.#asked.set(address, candidate);
    return { kind: 'asked', candidate };
  }

  /** The same answer, but not for ever: nothing else bounds what is answered 250. */
  #repeated(address: string, tenant: string): Place {
    return this.#isTooOften() ? this.#tooOften(address, tenant) : { kind: 'answered', reply: this.#taken(address) };
  }

  #isTooOften(): boolean {
    return ++this.transaction.repeats > mostRepeats;
  }

  #tooOften(address: string, tenant: string): Place {
    return this.#refuse(address, replies.tooManyRecipients(`${mostRepeats} recipients named again`), 'repeats', tenant);
  }

  #refuse(
    recipient: string,
    reply: Reply,
    reason: string,
    tenant?: string,
    measured: Readonly<Record<string, string>> = {},
    { together, ...limited }: More = {},
  ): Place {
    const facts: EdgeEventFacts = {
      recipient,
      reply,
      reversePath: this.transaction.mail.reversePath.address,
      detail: { reason, ...measured },
      ...limited,
      ...(tenant === undefined ? {} : this.#told({ address: recipient, tenant }, reason, reply, together)),
    };
    this.services.journal.record('edge.recipient.rejected', this.session, facts);
    return { kind: 'answered', reply };
  }

  /** A refusal is told to whose rule it was, else to the recipient's tenant. */
  #told(
    recipient: Pick<Candidate, 'address' | 'tenant'>,
    decidedBy: string,
    reply: Reply,
    together?: Together,
  ): Pick<EdgeEventFacts, 'tenant' | 'evidence' | 'shownReply'> {
    const { findings: all, submittingTenant } = this.transaction;
    const { tenant } = recipient;
    const facts = { decidedBy, findings: all.about(recipient.address), submittingTenant, recipients: [recipient] };
    const told = refusingTenant(facts) ?? tenant;
    // Whose own rule it is may read its text.
    const shown = told === tenant ? shownReply({ ...facts, ...together }, reply, tenant) : undefined;
    return { tenant: told, evidence: refusalEvidence(facts, told), shownReply: shown };
  }

  /** One reply per command, in order. */
  async decide(): Promise<Reply[]> {
    const asked = [...this.#asked.values()];
    const decided = asked.length === 0 ? new Map<string, Reply>() : await this.#ask(asked);
    return this.#places.map((place) => {
      if (place.kind === 'answered') return place.reply;
      const { candidate } = place;
      const reply = decided.get(candidate.address) ?? replies.localError;
      if (place.kind === 'asked') return reply;
      return reply.code < 400 ? this.#taken(candidate.address) : this.#refused(candidate, reply, 'named again');
    });
  }

  async #ask(asked: readonly Candidate[]): Promise<Map<string, Reply>> {
    const { session, services, transaction } = this;
    const snapshot = services.snapshot();
    const request = evaluationRequest(this, this.#stages(), asked);
    transaction.waived = undefined;
    let answer: PolicyAnswer;
    try {
      answer = await services.policy.evaluate(request, services.settings.policyDeadlineMs);
    } catch (error) {
      // What breaks here breaks for several commands at once: each has its reply all the same (RFC 2920 §3.2).
      return this.#refuseAll(asked, replies.localError, error instanceof Error ? error.message : String(error));
    }
    if (answer.kind === 'verdict') {
      const { contentWaiver: waiver } = answer.verdict;
      if (waiver !== undefined) transaction.waived = { waiver, snapshotVersion: request.snapshotVersion };
      return this.#apply(asked, answer.verdict);
    }
    const admit = snapshot?.admitWhenPolicyAway === true;
    services.journal.record('edge.policy.bypassed', session, {
      detail: { reason: answer.reason, outcome: admit ? 'admitted' : 'deferred' },
    });
    if (!admit) return this.#refuseAll(asked, replies.policyUnavailable, 'policy unavailable');
    transaction.unjudged = true;
    return new Map(asked.map((candidate) => [candidate.address, this.#accept(candidate, undefined, [])]));
  }

  #stages(): Stage[] {
    const { judged } = this.session;
    const stages: Stage[] = [];
    if (!judged.connect) stages.push(Stage.CONNECT);
    if (!judged.ehlo) stages.push(Stage.EHLO);
    if (!judged.auth && this.session.login !== undefined) stages.push(Stage.AUTH);
    if (!this.transaction.judged) stages.push(Stage.MAIL);
    stages.push(Stage.RCPT);
    return stages;
  }

  #apply(asked: readonly Candidate[], verdict: EvaluateResponse): Map<string, Reply> {
    const { transaction, session } = this;
    transaction.learn(verdict);
    if (!isAcceptance(verdict.decision)) {
      const reply = refusalOf(verdict.decision);
      const decidedBy = verdict.decision?.decidedBy ?? 'policy';
      transaction.refusal = { reply, decidedBy };
      const refused = this.#refuseAll(asked, reply, decidedBy);
      transaction.findings.settle((address) => transaction.has(address));
      return refused;
    }
    transaction.action = actionOf(verdict.decision);
    transaction.judged = true;
    session.judged = { connect: true, ehlo: true, auth: session.login !== undefined };
    session.findings = [...session.findings, ...verdict.findings.filter(({ stage }) => sessionStages.has(stage))];
    const byAddress = new Map(verdict.recipients.map((decision) => [decision.address, decision]));
    const decided = new Map(
      asked.map((candidate) => {
        const found = byAddress.get(candidate.address);
        return [candidate.address, this.#settle(candidate, found?.decision, found?.expandsTo ?? [])];
      }),
    );
    transaction.findings.settle((address) => transaction.has(address));
    return decided;
  }

  /** A recipient policy did not speak about was not judged: that is a fault, not an acceptance. */
  #settle(candidate: Candidate, decision: Decision | undefined, expandsTo: readonly string[]): Reply {
    if (decision === undefined) return this.#refused(candidate, replies.localError, 'no decision');
    if (isAcceptance(decision)) return this.#accept(candidate, decision, expandsTo);
    const over = refusingRuleLimit(decision, this.transaction.findings.about(candidate.address));
    const limited = refusingLimit(over?.limit, over?.by);
    return this.#refused(candidate, refusalOf(decision, replies.mailboxUnknown), decision.decidedBy, limited);
  }

  #accept(candidate: Candidate, decision: Decision | undefined, expandsTo: readonly string[]): Reply {
    this.transaction.add({ ...candidate, action: actionOf(decision), expandsTo });
    return this.#taken(candidate.address);
  }

  #taken(recipient: string): Reply {
    this.services.journal.record('edge.recipient.accepted', this.session, { recipient });
    return replies.recipientOk;
  }

  #refused(candidate: Candidate, reply: Reply, reason: string, more: More = {}): Reply {
    this.#refuse(candidate.address, reply, reason, candidate.tenant, {}, more);
    return reply;
  }

  #refuseAll(asked: readonly Candidate[], reply: Reply, reason: string): Map<string, Reply> {
    const isOfOne = asked.every(({ tenant }) => tenant === asked[0]?.tenant);
    const together = isOfOne ? undefined : { recipients: asked, findings: this.transaction.findings.told() };
    return new Map(
      asked.map((candidate) => [candidate.address, this.#refused(candidate, reply, reason, { together })]),
    );
  }
}
