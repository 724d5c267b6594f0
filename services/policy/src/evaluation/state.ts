/**
 * What one evaluation knows while it goes through its stages: what was asked, whose copies are judged, and what is decided so far about the whole and
 * about each of them. Begins with what earlier stages decided, read from their findings: nothing is remembered between requests.
 */
import type { Clock } from '@postern/clock';
import {
  Action,
  type ChangedSender,
  type Finding,
  type RecipientFacts,
  type Stage,
} from '@postern/proto/policy/v1/policy_service';
import type { RuleEvent } from '@postern/rules';
import { checkTag, sparedBy, withSigned } from '../actions.js';
import type { CheckDefinition } from '../check.js';
import type { CheckResult, CheckServices } from '../check-runner.js';
import { addWish, type RunWishes } from '../forced-checks.js';
import { refusalText } from '../refusals.js';
import { carriedAction, isInnerSkip } from '../rules/rule-finding.js';
import type { AskRules } from '../rules/rule-runner.js';
import type { CheckPolicies } from '../snapshot/check-policy.js';
import type { Subject } from '../subject.js';
import { Course } from '../verdict/course.js';
import { decision, dispositionOf } from '../verdict/decision.js';
import { activeChecks, decidesPerRecipient, sessionPolicies } from './policies-in-force.js';

export interface EvaluationServices extends CheckServices {
  readonly clock: Clock;
  readonly askRules: AskRules;
}

export interface Judged {
  readonly recipient: RecipientFacts;
  readonly course: Course;
  expandsTo: readonly string[];
}

/** Chosen by rules; 0 = unchanged. */
export interface RuledLimits {
  messageSize: number;
  recipients: number;
}

export interface EvaluationTerms {
  readonly stages: readonly Stage[];
  /** Moment of the monotonic clock at which the answer must stand. */
  readonly endsAt: number;
  /** Simulation: nothing may be written anywhere. */
  readonly dryRun: boolean;
}

export class EvaluationState {
  /** Findings that came with the request. */
  readonly known: number;
  readonly whole = new Course();
  readonly skips = new Set<string>();
  readonly wishes: RunWishes = new Map();
  /** In force for the session as a whole. */
  readonly policies: CheckPolicies;
  readonly active: readonly CheckDefinition[];
  /** What client and sender are refused for is decided for each recipient. */
  readonly perRecipient: boolean;
  judged: readonly Judged[] = [];
  byAddress: ReadonlyMap<string, Judged> = new Map();
  limits: RuledLimits | undefined;
  changedSender: ChangedSender | undefined;

  /** Checks of later stages that have begun already, by name. */
  readonly ahead = new Map<string, Promise<CheckResult[]>>();
  readonly stages: readonly Stage[];
  readonly endsAt: number;
  readonly dryRun: boolean;

  constructor(
    readonly services: EvaluationServices,
    readonly subject: Subject,
    { stages, endsAt, dryRun }: EvaluationTerms,
  ) {
    this.stages = stages;
    this.endsAt = endsAt;
    this.dryRun = dryRun;
    this.policies = sessionPolicies(subject);
    this.active = activeChecks(this.policies, subject.snapshot);
    this.perRecipient = decidesPerRecipient(subject);
    this.known = subject.findings.length;
    for (const finding of subject.findings) this.#carry(finding);
    // `recipients` is no opinion about the client: who is in a set knows no more mailboxes than others.
    for (const check of subject.facts.skipChecks) if (check !== 'recipients') this.skip(check);
  }

  get remainingMs(): number {
    return this.endsAt - this.services.clock.monotonic();
  }

  skip(check: string): void {
    for (const name of withSigned(check)) this.skips.add(name);
  }

  /** Of the recipient it is about, else of the message. */
  courseOf(recipient: string): Course {
    return this.byAddress.get(recipient)?.course ?? this.whole;
  }

  /** An allow list or a list of good clients takes the consequence of other checks, never their findings. */
  spare(finding: Finding): void {
    const { spared } = this.courseOf(finding.recipient);
    for (const name of sparedBy(finding)) spared.add(name);
  }

  /** Recipients are judged at RCPT those asked, at the end of data all. */
  open(event: RuleEvent): void {
    const { asked, facts, content } = this.subject;
    if (event === 'rcpt') this.#judge(asked);
    if (event !== 'headers' && (event !== 'body' || this.judged.length > 0)) return;
    this.#judge(facts.recipients);
    this.#carryToRecipients();
    const end = content?.section.end;
    if (end === 'tooLarge' || end === 'tooManyFields') {
      const text = 'Header section of the message is too large';
      this.whole.take(decision({ action: Action.REJECT, code: 552, enhanced: '5.3.4', text }, 'content'));
    }
  }

  #judge(recipients: readonly RecipientFacts[]): void {
    this.judged = recipients.map((recipient) => ({ recipient, course: new Course(), expandsTo: [] }));
    this.byAddress = new Map(this.judged.map((judged) => [judged.recipient.address, judged]));
  }

  /** What earlier stages decided and later ones must know. */
  #carry(finding: Finding): void {
    const action = carriedAction(finding);
    if (action?.kind === 'skip' && !isInnerSkip(finding)) this.skip(action.check);
    if (action?.kind === 'run') addWish(this.wishes, action.check, finding.recipient);
    if (finding.recipient !== '') return;
    for (const name of sparedBy(finding)) this.whole.spared.add(name);
    if (action?.kind === 'tag') this.whole.apply(action, finding.rule);
    const tag = checkTag(finding);
    if (tag !== undefined) this.whole.tag(tag);
    takeAgain(this.whole, finding);
  }

  /** What they decided about single recipients. */
  #carryToRecipients(): void {
    for (const finding of this.subject.findings.slice(0, this.known)) {
      const course = this.byAddress.get(finding.recipient)?.course;
      if (course === undefined) continue;
      const action = carriedAction(finding);
      for (const name of sparedBy(finding)) course.spared.add(name);
      const tag = checkTag(finding);
      if (tag !== undefined) course.tag(tag);
      if (action?.kind === 'skip' && isInnerSkip(finding))
        for (const name of withSigned(action.check)) course.spared.add(name);
      else if (action !== undefined) course.apply(action, finding.rule);
      if (action === undefined) takeAgain(course, finding);
    }
  }
}

/** What is kept or thrown away was said at a stage before; a refusal ended it there. */
function takeAgain(course: Course, finding: Finding): void {
  const disposition = dispositionOf(finding.action);
  if (disposition === undefined) return;
  const isRule = finding.rule !== '';
  const text = (isRule ? finding.evidence.reason : refusalText(finding)) ?? '';
  const by = isRule ? finding.rule : finding.check;
  course.take(decision({ action: disposition, code: 0, enhanced: '', text }, by));
}
