/**
 * One evaluation: the stages asked, in order. In each stage the checks run at the same time, then the rules see what they found, then the
 * findings get their consequences; the first refusal of the whole ends it. Rules speak before checks: a rule's `accept` or `skip` takes
 * the consequence, never the finding. Depends on nothing but the request, the snapshot, DNS and DIRECTORY: the same again gives the same.
 */
import type { FailureAction } from '@postern/check-settings';
import type { Clock } from '@postern/clock';
import {
  Action,
  type AppliedLimits,
  type ChangedSender,
  type Decision,
  type EvaluateResponse,
  type Finding,
  type RecipientDecision,
  type RecipientFacts,
  type RecipientGroup,
  Stage,
} from '@postern/proto/policy/v1/policy_service';
import type { Remembered, Decision as RuleDecision, RuleEvent } from '@postern/rules';
import { actionFor, consequenceOf, spareable, sparedBy, withSigned } from './actions.js';
import { apartCheck, comeApart, recipientsApart } from './apart/recipients-apart.js';
import { type CheckDefinition, lastFinding } from './check.js';
import { type CheckResult, type CheckServices, runCheck, skippedFinding } from './check-runner.js';
import { checks } from './checks/index.js';
import { settleForwarded } from './checks/settle-forwarded.js';
import { addWish, forcedPolicies, forcedSubject, isFound, type RunWishes } from './forced-checks.js';
import { isEmpty } from './lists/list-matcher.js';
import { rulesOf, sessionFacts, withBody, withHeaders, withRecipient } from './rules/rule-facts.js';
import { carriedAction, isInnerSkip, ruleFinding, ruleName } from './rules/rule-finding.js';
import type { AskRules } from './rules/rule-runner.js';
import { rightTaken, tlsDemand } from './rules/session-decision.js';
import { observeScopes } from './scope-checks.js';
import type { CheckPolicies } from './snapshot/check-policy.js';
import { eventOf, stageOf } from './stage-event.js';
import { domainOf, type Subject } from './subject.js';
import { contentPlan } from './verdict/content-plan.js';
import { Course } from './verdict/course.js';
import { acceptance, actionName, decision, dispositionOf, isRefusal } from './verdict/decision.js';
import { recipientGroups } from './verdict/groups.js';
import { isSenderAuthenticated } from './verdict/sender-authenticated.js';
import { forgedFieldEdits, traceFieldEdits } from './verdict/trace-fields.js';

export interface EvaluationServices extends CheckServices {
  readonly clock: Clock;
  readonly askRules: AskRules;
}

export interface Echo {
  readonly sessionId: string;
  readonly sequence: number;
  readonly pod: string;
}

interface Judged {
  readonly recipient: RecipientFacts;
  readonly course: Course;
  expandsTo: readonly string[];
}

const ownStages: Readonly<Record<'rcpt' | 'body', ReadonlySet<RuleEvent>>> = {
  rcpt: new Set<RuleEvent>(['connect', 'ehlo', 'auth', 'mail', 'rcpt']),
  body: new Set<RuleEvent>(['headers', 'body']),
};
const noLimits: AppliedLimits = { messageSize: 0, recipients: 0 };

export class Evaluation {
  readonly #services: EvaluationServices;
  readonly #subject: Subject;
  readonly #endsAt: number;
  readonly #known: number;
  readonly #whole = new Course();
  readonly #skips = new Set<string>();
  readonly #wishes: RunWishes = new Map();
  #judged: readonly Judged[] = [];
  #byAddress: ReadonlyMap<string, Judged> = new Map();
  #limits: AppliedLimits = noLimits;
  #changedSender: ChangedSender | undefined;
  readonly #dryRun: boolean;
  /** In force for the session as a whole. */
  readonly #policies: CheckPolicies;
  readonly #active: readonly CheckDefinition[];

  /** `endsAt`: moment of the monotonic clock at which the answer must stand. */
  constructor(services: EvaluationServices, subject: Subject, endsAt: number, dryRun: boolean) {
    this.#dryRun = dryRun;
    this.#policies = sessionPolicies(subject);
    this.#active = activeChecks(this.#policies, subject.snapshot);
    this.#services = services;
    this.#subject = subject;
    this.#endsAt = endsAt;
    this.#known = subject.findings.length;
    for (const finding of subject.findings) this.#carry(finding);
    // `recipients` is no opinion about the client: who is in a set knows no more mailboxes than others.
    for (const check of subject.facts.skipChecks) if (check !== 'recipients') this.#skip(check);
  }

  async run(stages: readonly Stage[], echo: Echo): Promise<EvaluateResponse> {
    const [first] = stages;
    if (first !== undefined) await this.#catchUp(first);
    for (const stage of stages) {
      const event = eventOf(stage);
      if (event === undefined || this.#whole.refusal !== undefined) continue;
      this.#open(event);
      const results = await this.#observe(this.#due(event), stage);
      if (event === 'rcpt') settleForwarded(this.#subject.findings);
      const wished = await this.#observeWished(event, stage);
      this.#askRules(event, stage);
      wished.push(...(await this.#observeWished(event, stage)));
      if (event === 'rcpt' && wished.length > 0) settleForwarded(this.#subject.findings);
      for (const { finding } of results) this.#spare(finding);
      const own = this.#asksScopes(event) ? await this.#observeOwn(event, stage) : [];
      for (const result of own.length === 0 ? results : inOrder([...results, ...own])) this.#conclude(result);
      for (const result of wished) this.#conclude(result, true);
      if (event === 'rcpt') this.#keepApart();
    }
    return this.#response(stages, echo);
  }

  /** What earlier stages decided and later ones must know. */
  #carry(finding: Finding): void {
    const action = carriedAction(finding);
    if (action?.kind === 'skip' && !isInnerSkip(finding)) this.#skip(action.check);
    if (action?.kind === 'run') addWish(this.#wishes, action.check, finding.recipient);
    if (finding.recipient !== '') return;
    for (const name of sparedBy(finding)) this.#whole.spared.add(name);
    if (action?.kind === 'tag') this.#whole.apply(action, finding.rule);
    const disposition = dispositionOf(finding.action);
    if (disposition === undefined) return;
    const by = finding.rule === '' ? finding.check : finding.rule;
    const text = finding.evidence.reason ?? '';
    this.#whole.take(decision({ action: disposition, code: 0, enhanced: '', text }, by));
  }

  #skip(check: string): void {
    for (const name of withSigned(check)) this.#skips.add(name);
  }

  /** Checks of earlier stages whose findings are not in the facts are asked again, without consequence: their stage is over. */
  async #catchUp(first: Stage): Promise<void> {
    const { findings } = this.#subject;
    const missed = this.#active.filter((check) => {
      if (stageOf(check.stage) >= first || check.stage === 'rcpt' || this.#skips.has(check.name)) return false;
      return lastFinding(findings, check.name) === undefined && check.applies(this.#subject, this.#policies);
    });
    await this.#observe(missed, undefined);
  }

  #due(event: RuleEvent): CheckDefinition[] {
    return this.#active.filter((check) => check.stage === event && check.applies(this.#subject, this.#policies));
  }

  async #observe(due: readonly CheckDefinition[], stage: Stage | undefined): Promise<CheckResult[]> {
    if (due.length === 0) return [];
    const { clock } = this.#services;
    const { findings } = this.#subject;
    const remainingMs = this.#endsAt - clock.monotonic();
    const runs: Promise<CheckResult[]>[] = [];
    for (const check of due) {
      const own = stage ?? stageOf(check.stage);
      if (this.#skips.has(check.name)) findings.push({ ...skippedFinding(check, own), action: 'skipped' });
      else {
        const order = { check, policies: this.#policies, stage: own, remainingMs, dryRun: this.#dryRun };
        runs.push(runCheck(this.#services, order, this.#subject));
      }
    }
    const results = (await Promise.all(runs)).flat();
    for (const { finding } of results) findings.push(finding);
    return results;
  }

  /** Checks that rules run; made once whatever the number of recipients it is wished for. */
  async #observeWished(event: RuleEvent, stage: Stage): Promise<CheckResult[]> {
    if (this.#wishes.size === 0) return [];
    const { findings } = this.#subject;
    const made: CheckResult[] = [];
    for (const [check, recipients] of this.#wishes) {
      if (stageOf(check.stage) > stage || this.#skips.has(check.name)) continue;
      const open = [...recipients].filter((recipient) => this.#isOpen(check, recipient, event));
      if (open.length === 0) continue;
      made.push(...(await this.#observeForced(check, new Set(open), stage)));
    }
    for (const { finding } of made) findings.push(finding);
    return made;
  }

  #isOpen(check: CheckDefinition, recipient: string, event: RuleEvent): boolean {
    if (isFound(check, recipient, this.#subject.findings)) return false;
    if (check.concerns !== undefined) return event === 'rcpt';
    return recipient === '' || this.#byAddress.has(recipient);
  }

  async #observeForced(check: CheckDefinition, wished: ReadonlySet<string>, stage: Stage): Promise<CheckResult[]> {
    const policies = forcedPolicies(this.#policies, check.settings);
    const subject = forcedSubject(this.#subject, check, wished);
    if (!check.applies(subject, policies)) return [];
    const known = lastFinding(this.#subject.findings, check.name);
    const remainingMs = this.#endsAt - this.#services.clock.monotonic();
    const order = { check, policies, stage, remainingMs, dryRun: this.#dryRun };
    const results =
      known === undefined || wished.has('')
        ? await runCheck(this.#services, order, subject)
        : [{ check, policies, finding: known, expandsTo: [] }];
    if (check.concerns !== undefined || wished.has('')) return results;
    return [...wished].flatMap((recipient) =>
      results.map((result) => ({ ...result, finding: { ...result.finding, recipient, stage } })),
    );
  }

  /** Recipients are judged at RCPT those asked, at the end of data all. */
  #open(event: RuleEvent): void {
    const { asked, facts, findings, content } = this.#subject;
    if (event === 'rcpt') this.#judge(asked);
    if (event !== 'headers' && (event !== 'body' || this.#judged.length > 0)) return;
    this.#judge(facts.recipients);
    for (const finding of findings.slice(0, this.#known)) {
      const action = carriedAction(finding);
      const course = this.#byAddress.get(finding.recipient)?.course;
      if (course === undefined) continue;
      for (const name of sparedBy(finding)) course.spared.add(name);
      if (action?.kind === 'skip' && isInnerSkip(finding))
        for (const name of withSigned(action.check)) course.spared.add(name);
      else if (action !== undefined) course.apply(action, finding.rule);
    }
    const end = content?.section.end;
    if (end === 'tooLarge' || end === 'tooManyFields') {
      const text = 'Header section of the message is too large';
      this.#whole.take(decision({ action: Action.REJECT, code: 552, enhanced: '5.3.4', text }, 'content'));
    }
  }

  #judge(recipients: readonly RecipientFacts[]): void {
    this.#judged = recipients.map((recipient) => ({ recipient, course: new Course(), expandsTo: [] }));
    this.#byAddress = new Map(this.#judged.map((judged) => [judged.recipient.address, judged]));
  }

  #askRules(event: RuleEvent, stage: Stage): void {
    const { facts, snapshot } = this.#subject;
    this.#whole.accepted = false;
    if (event === 'rcpt' || event === 'headers' || event === 'body') {
      this.#askPerRecipient(event, stage);
      return;
    }
    const choice = snapshot.rules.of(facts.submittingTenant, this.#subject.origin.authenticatedUser);
    if (!choice.has(event)) return;
    const known = sessionFacts(this.#subject, this.#services);
    for (const decided of this.#services.askRules(choice, event, known)) this.#apply(decided, stage, this.#whole, '');
  }

  #askPerRecipient(event: 'rcpt' | 'headers' | 'body', stage: Stage): void {
    const { snapshot, facts } = this.#subject;
    const all = facts.recipients.length;
    const before = event === 'rcpt' ? all - this.#judged.length : 0;
    let common: ReturnType<typeof sessionFacts> | undefined;
    const remembered: Remembered | undefined = this.#judged.length > 1 ? new Map() : undefined;
    for (const [index, { recipient, course }] of this.#judged.entries()) {
      course.accepted = false;
      const choice = rulesOf(snapshot.rules, recipient, this.#subject.origin.authenticatedUser);
      if (course.refusal !== undefined) continue;
      if (!choice.has(event)) {
        this.#takeRight(event, recipient, course);
        continue;
      }
      common ??= this.#factsAt(event);
      const known = withRecipient(common, recipient, event === 'rcpt' ? before + index + 1 : all);
      for (const decided of this.#services.askRules(choice, event, known, remembered))
        this.#apply(decided, stage, course, recipient.address);
      this.#takeRight(event, recipient, course);
    }
  }

  #takeRight(event: RuleEvent, recipient: RecipientFacts, course: Course): void {
    if (event !== 'rcpt') return;
    const taken = rightTaken(this.#subject.findings, recipient, this.#subject.origin.authenticatedUser);
    if (taken !== undefined) course.take(taken);
  }

  #factsAt(event: 'rcpt' | 'headers' | 'body'): ReturnType<typeof sessionFacts> {
    const session = sessionFacts(this.#subject, this.#services);
    if (event === 'rcpt') return session;
    const headers = withHeaders(session, this.#subject);
    return event === 'headers' ? headers : withBody(headers, this.#subject);
  }

  #apply(decided: RuleDecision, stage: Stage, course: Course, recipient: string): void {
    const { action } = decided;
    const finding = ruleFinding(decided, stage, recipient);
    this.#subject.findings.push(finding);
    const demand = tlsDemand(action, this.#subject.origin.tlsVersion, ruleName(decided));
    if (demand !== undefined) course.take(demand);
    else if (action.kind === 'changeSender') this.#changedSender = { address: action.address };
    else if (action.kind === 'skip' && isInnerSkip(finding))
      for (const name of withSigned(action.check)) course.spared.add(name);
    else if (action.kind === 'skip') this.#skip(action.check);
    else if (action.kind === 'run') addWish(this.#wishes, action.check, recipient);
    else if (action.kind === 'setLimit') this.#tighten(action.size ?? 0, action.recipients ?? 0);
    else if (action.kind === 'close') this.#whole.apply(action, ruleName(decided));
    else course.apply(action, ruleName(decided));
  }

  #tighten(messageSize: number, recipients: number): void {
    const tighter = (one: number, other: number): number =>
      one === 0 || other === 0 ? one + other : Math.min(one, other);
    this.#limits = {
      messageSize: tighter(this.#limits.messageSize, messageSize),
      recipients: tighter(this.#limits.recipients, recipients),
    };
  }

  #asksScopes(event: RuleEvent): event is 'rcpt' | 'body' {
    const { snapshot, isOutsider } = this.#subject;
    const differ = snapshot.policies.differ || snapshot.rules.tenantsSkip;
    return differ && isOutsider && (event === 'rcpt' || event === 'body');
  }

  /** What tenants and domains see differently: at RCPT the checks up to there, at the end of data those of the content. */
  async #observeOwn(event: 'rcpt' | 'body', stage: Stage): Promise<CheckResult[]> {
    const results = await observeScopes(this.#services, {
      subject: this.#subject,
      server: this.#policies,
      addresses: this.#judged.map(({ recipient }) => recipient.address),
      checks: checks.filter((check) => ownStages[event].has(check.stage) && !this.#skips.has(check.name)),
      stage,
      remainingMs: this.#endsAt - this.#services.clock.monotonic(),
      dryRun: this.#dryRun,
    });
    for (const { finding } of results) {
      this.#subject.findings.push(finding);
      this.#spare(finding);
    }
    return results;
  }

  /** An allow list or a list of good clients takes the consequence of other checks, never their findings. */
  #spare(finding: Finding): void {
    const spared = (this.#byAddress.get(finding.recipient)?.course ?? this.#whole).spared;
    for (const name of sparedBy(finding)) spared.add(name);
  }

  /** `wished` by a rule: it counts for whom the rule speaks about, whatever scopes would say. */
  #conclude({ check, policies, finding, expandsTo }: CheckResult, wished = false): void {
    const judged = this.#byAddress.get(finding.recipient);
    const course = judged?.course ?? this.#whole;
    if (judged !== undefined && check.name === 'recipients') judged.expandsTo = expandsTo;
    if (this.#skips.has(check.name)) finding.action = 'skipped';
    else if (this.#whole.spared.has(check.name) || course.spared.has(check.name)) finding.action = 'spared';
    else if (course.accepted || this.#isAcceptedByAll(judged)) finding.action = 'accepted';
    else if (judged === undefined && !wished && this.#isLeftToScopes(check)) finding.action = 'per recipient';
    else {
      const { snapshot } = this.#subject;
      const own = judged !== undefined && check.concerns !== undefined;
      const inForce = own ? snapshot.policies.ofDomain(domainOf(finding.recipient)) : policies;
      this.#take(check, finding, this.#concerned(judged), actionFor(check, finding, inForce));
    }
  }

  /** Rules at headers and body accept for recipients, checks there speak about the message. */
  #isAcceptedByAll(judged: Judged | undefined): boolean {
    return judged === undefined && this.#judged.length > 0 && this.#judged.every(({ course }) => course.accepted);
  }

  /** Whose course a finding changes: that of its recipient; of the message, but for those a rule has accepted it for. */
  #concerned(judged: Judged | undefined): readonly Course[] {
    if (judged !== undefined) return [judged.course];
    if (!this.#judged.some(({ course }) => course.accepted)) return [this.#whole];
    return this.#judged.map(({ course }) => course).filter(({ accepted }) => !accepted);
  }

  /** Tenants may see it otherwise: the consequence is taken for each recipient. */
  #isLeftToScopes(check: CheckDefinition): boolean {
    const { snapshot, isOutsider } = this.#subject;
    if (!isOutsider) return false;
    if (snapshot.rules.tenantsSkip) return true;
    if (!snapshot.policies.differ) return false;
    return this.#policies[check.settings].tenantsMay === 'anything' || spareable.has(check.name);
  }

  #take(check: CheckDefinition, finding: Finding, courses: readonly Course[], onFail: FailureAction): void {
    const consequence = consequenceOf(check.name, finding, onFail);
    switch (consequence.kind) {
      case 'none':
        finding.action = onFail === 'mark' ? 'mark' : 'none';
        return;
      case 'tag':
        finding.action = 'tag';
        for (const course of courses) course.tag(consequence.tag);
        return;
      case 'rewrite':
        finding.action = 'rewrite';
        for (const { course } of this.#judged)
          if (courses.includes(course) || courses.includes(this.#whole)) course.rewriteFrom(consequence.address);
        return;
      case 'decide':
        finding.action = actionName(consequence.decision.action);
        // There is one reply, and a delay costs little: what holds up one recipient holds up all.
        if (check.name === 'greylist_signed') this.#whole.take(consequence.decision);
        // A redirected recipient need not exist itself.
        else for (const course of courses) if (course.redirect === undefined) course.take(consequence.decision);
    }
  }

  /** Last of all at RCPT: only those that are taken otherwise have content to be judged. */
  #keepApart(): void {
    const { facts, findings } = this.#subject;
    const { observer, clock, tools, replay } = this.#services;
    if ((facts.recipients.length < 2 && replay === undefined) || this.#whole.refusal !== undefined) return;
    const apart = recipientsApart({
      ...{ subject: this.#subject, policies: this.#policies, wishes: this.#wishes, clock, tools },
      taken: facts.recipients.filter(({ address }) => this.#byAddress.get(address)?.course.refusal === undefined),
      spared: (check) => this.#skips.has(check) || this.#whole.spared.has(check),
      unfinished: () => observer.apart('unfinished'),
      recorded: replay?.found(apartCheck) ?? [],
    });
    for (const { address, because, finding } of apart) {
      this.#byAddress.get(address)?.course.take(comeApart);
      findings.push(finding);
      if (!this.#dryRun) observer.apart(because);
    }
  }

  #response(stages: readonly Stage[], echo: Echo): EvaluateResponse {
    const subject = this.#subject;
    const atContent = stages.includes(Stage.HEADERS) || stages.includes(Stage.BODY);
    const whole = this.#decision(atContent);
    const refused = isRefusal(whole.action);
    return {
      sessionId: echo.sessionId,
      sequence: echo.sequence,
      decision: whole,
      recipients: stages.includes(Stage.RCPT) && !refused ? this.#judged.map(recipientDecision) : [],
      contentPlan: contentPlan(subject, this.#skips),
      groups: atContent && !refused ? this.#groups() : [],
      findings: subject.findings.slice(this.#known),
      limits: this.#limits === noLimits ? undefined : this.#limits,
      changedSender: this.#changedSender,
      senderAuthenticated: isSenderAuthenticated(subject),
      pod: echo.pod,
    };
  }

  /** At the end of data there is one reply for all: where every recipient is refused, it is a refusal. */
  #decision(atContent: boolean): Decision {
    const own = this.#whole.decision;
    if (own !== undefined && isRefusal(own.action)) return own;
    if (atContent && this.#judged.length > 0 && this.#judged.every(({ course }) => course.refusal !== undefined))
      return this.#judged[0]?.course.refusal ?? acceptance();
    return own ?? acceptance();
  }

  #groups(): RecipientGroup[] {
    const subject = this.#subject;
    return recipientGroups(this.#judged, {
      before: forgedFieldEdits(subject),
      after: traceFieldEdits(subject, subject.content?.signatures ?? []),
      tags: this.#whole.tags,
    });
  }
}

function recipientDecision({ recipient, course, expandsTo }: Judged): RecipientDecision {
  const { redirect, added } = course;
  const itself = redirect === undefined ? expandsTo : [redirect];
  const targets = added.length === 0 ? itself : [...(itself.length === 0 ? [recipient.address] : itself), ...added];
  return {
    address: recipient.address,
    decision: course.decision ?? acceptance(),
    expandsTo: [...new Set(targets)],
  };
}

/** Of the login's domain, else of the tenant a relay client submits for, else the operator's. */
function sessionPolicies({ snapshot, origin, facts }: Subject): CheckPolicies {
  const { policies } = snapshot;
  if (!policies.differ) return policies.server;
  if (origin.authenticatedUser !== '') return policies.ofDomain(domainOf(origin.authenticatedUser));
  return facts.submittingTenant === '' ? policies.server : policies.ofTenant(facts.submittingTenant);
}

const ranks = new Map(checks.map(({ name }, rank) => [name, rank]));

/** Of several refusals the first check's stands, whoever set it. */
function inOrder(results: CheckResult[]): CheckResult[] {
  const rankOf = ({ check }: CheckResult): number => ranks.get(check.name) ?? 0;
  return results.length < 2 ? results : results.sort((one, other) => rankOf(one) - rankOf(other));
}

const active = new WeakMap<CheckPolicies, readonly CheckDefinition[]>();

/** Those that are on. One that speaks about recipients may be on for some of them: it looks at the settings of each itself. */
function activeChecks(
  inForce: CheckPolicies,
  { policies, usersSetChecks }: Subject['snapshot'],
): readonly CheckDefinition[] {
  const known = active.get(inForce);
  if (known !== undefined) return known;
  const made = checks.filter((check) => {
    if (check.name === 'lists_user') return usersSetChecks;
    if (check.settings === 'lists' && isEmpty(inForce.lists)) return false;
    return inForce[check.settings].enabled || (check.concerns !== undefined && policies.differ);
  });
  active.set(inForce, made);
  return made;
}
