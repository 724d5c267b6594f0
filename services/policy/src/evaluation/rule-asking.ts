/** Asks the rules of one event, about the session or about each recipient, and takes up what they decide as findings and decisions. */
import type { Finding, RecipientFacts, SessionFacts, Stage } from '@postern/proto/policy/v1/policy_service';
import {
  isDoneLate,
  lateEvents,
  type Remembered,
  type Decision as RuleDecision,
  type RuleEvent,
  type RuleFault,
} from '@postern/rules';
import { withSigned } from '../actions.js';
import { addWish } from '../forced-checks.js';
import { isOwnLimit } from '../recipient-limits/own-limits.js';
import { refusalOf } from '../refusals.js';
import {
  holdsFor,
  lateRulesOf,
  ownCheckFacts,
  rulesOf,
  sessionFacts,
  withBody,
  withHeaders,
  withRecipient,
} from '../rules/rule-facts.js';
import { faultFinding, isInnerSkip, ruleFinding, ruleName } from '../rules/rule-finding.js';
import type { SpentTime } from '../rules/rule-runner.js';
import { rightTaken, tlsDemand } from '../rules/session-decision.js';
import type { Course } from '../verdict/course.js';
import type { EvaluationState, Judged } from './state.js';

const noAddresses: ReadonlySet<string> = new Set();

type RecipientEvent = 'rcpt' | 'headers' | 'body';

export function askRules(state: EvaluationState, event: RuleEvent, stage: Stage): void {
  const { subject, services, whole } = state;
  whole.accepted = false;
  if (event === 'rcpt' || event === 'headers' || event === 'body') {
    askPerRecipient(state, event, stage);
    return;
  }
  const choice = subject.snapshot.rules.of(subject.facts.submittingTenant, subject.origin.authenticatedUser);
  if (!choice.has(event)) return;
  const known = sessionFacts(subject, services, choice.asks(event));
  const { decisions, faults } = services.askRules(choice, event, known);
  tellFaults(state, faults, stage, '');
  for (const decided of decisions) apply(state, decided, stage, whole, '');
}

function askPerRecipient(state: EvaluationState, event: RecipientEvent, stage: Stage): void {
  const { subject, services, judged } = state;
  const { facts } = subject;
  const all = facts.recipients.length;
  const before = event === 'rcpt' ? all - judged.length : 0;
  const common = new Map<ReadonlySet<string>, ReturnType<typeof sessionFacts>>();
  const remembered: Remembered | undefined = judged.length > 1 ? new Map() : undefined;
  const spent: SpentTime | undefined = judged.length > 1 ? new Map() : undefined;
  const putOff: PutOff[] = [];
  const unknown = event === 'rcpt' && judged.length > 1 ? unknownOf(subject.findings) : noAddresses;
  let taken = before;
  for (const [index, { recipient, course }] of judged.entries()) {
    course.accepted = false;
    const choice = rulesOf(subject, recipient);
    if (course.refusal !== undefined) continue;
    if (event === 'rcpt') askLate(state, { recipient, course }, stage);
    if (course.refusal === undefined && choice.has(event)) {
      const named = choice.asks(event);
      const shown = common.get(named) ?? factsAt(state, event, named);
      common.set(named, shown);
      const own = ownCheckFacts(subject.findings, recipient.address, named);
      const count = (event === 'rcpt' ? taken + 1 : all) + othersBefore(facts, event === 'rcpt' ? before + index : all);
      const known = { ...withRecipient(shown, recipient, count), ...own };
      // What was found for it alone is remembered for nobody else.
      const shared = own === undefined ? remembered : undefined;
      const { decisions, faults } = services.askRules(choice, event, known, shared, spent);
      tellFaults(state, faults, stage, recipient.address);
      for (const decided of decisions) {
        if (!holdsFor(decided, subject, recipient)) continue;
        if (decided.fault !== undefined && event !== 'rcpt') putOff.push({ decided, recipient, course });
        else apply(state, decided, stage, course, recipient.address);
      }
    }
    if (event === 'rcpt') takeRight(state, recipient, course);
    if (course.refusal === undefined && !unknown.has(recipient.address)) taken += 1;
  }
  for (const one of putOff) apply(state, togetherWith(state, putOff, one), stage, one.course, one.recipient.address);
}

/** Of a recording: recipients of other tenants, who are not in it. */
const othersBefore = ({ othersBefore: others }: Pick<SessionFacts, 'othersBefore'>, place: number): number =>
  others[place] ?? 0;

/** Refused whatever the rules say: they count for none that comes behind them in their group. */
const unknownOf = (findings: readonly Finding[]): ReadonlySet<string> =>
  new Set(
    findings.flatMap((finding) =>
      finding.check === 'recipients' && refusalOf('recipients', finding) !== undefined ? [finding.recipient] : [],
    ),
  );

interface PutOff {
  readonly decided: RuleDecision;
  readonly recipient: RecipientFacts;
  readonly course: Course;
}

/** There is one reply to a message. A rule that failed for some must not hold up the mail of others: the copies it is about are kept apart. */
function togetherWith({ judged }: EvaluationState, putOff: readonly PutOff[], { decided }: PutOff): RuleDecision {
  const isForAll = judged.every(
    ({ course }) => course.refusal !== undefined || putOff.some((one) => one.course === course),
  );
  if (isForAll) return decided;
  return { ...decided, action: { kind: 'quarantine', reason: `rule ${ruleName(decided)} could not be applied` } };
}

/** Of those that put the mail off a decision tells. */
function tellFaults({ subject }: EvaluationState, faults: readonly RuleFault[], stage: Stage, recipient: string): void {
  for (const fault of faults)
    if (fault.consequence === 'skip') subject.findings.push(faultFinding(fault, stage, recipient));
}

/** Rules before RCPT of the tenant this recipient is of: the session could not know them. */
function askLate(
  state: EvaluationState,
  { recipient, course }: Pick<Judged, 'recipient' | 'course'>,
  stage: Stage,
): void {
  const { subject, services } = state;
  const choice = lateRulesOf(subject, recipient);
  const events = choice === undefined ? [] : lateEvents.filter((event) => choice.has(event));
  if (choice === undefined || events.length === 0) return;
  for (const event of events) {
    if (course.refusal !== undefined) return;
    const named = choice.asks(event);
    const own = ownCheckFacts(subject.findings, recipient.address, named);
    const known = { ...sessionFacts(subject, services, named), ...own };
    const { decisions, faults } = services.askRules(choice, event, known);
    tellFaults(state, faults, stage, recipient.address);
    for (const decided of decisions)
      if (isDoneLate(decided.action)) apply(state, decided, stage, course, recipient.address);
  }
}

function takeRight({ subject }: EvaluationState, recipient: RecipientFacts, course: Course): void {
  const taken = rightTaken(subject.findings, recipient, subject.origin.authenticatedUser);
  if (taken !== undefined) course.take(taken);
}

function factsAt(
  { subject, services }: EvaluationState,
  event: RecipientEvent,
  named: ReadonlySet<string>,
): ReturnType<typeof sessionFacts> {
  const session = sessionFacts(subject, services, named);
  if (event === 'rcpt') return session;
  const headers = withHeaders(session, subject);
  return event === 'headers' ? headers : withBody(headers, subject);
}

function apply(state: EvaluationState, decided: RuleDecision, stage: Stage, course: Course, recipient: string): void {
  const { action } = decided;
  const finding = ruleFinding(decided, stage, recipient);
  state.subject.findings.push(finding);
  const demand = tlsDemand(action, state.subject.origin.tlsVersion, ruleName(decided));
  if (demand !== undefined) course.take(demand);
  else if (action.kind === 'changeSender') state.changedSender = { address: action.address };
  else if (action.kind === 'skip' && isInnerSkip(finding))
    for (const name of withSigned(action.check)) course.spared.add(name);
  else if (action.kind === 'skip') state.skip(action.check);
  else if (action.kind === 'run') addWish(state.wishes, action.check, recipient);
  else if (action.kind === 'setLimit' && !isOwnLimit(finding)) tighten(state, action.size ?? 0, action.recipients ?? 0);
  else if (action.kind === 'close') state.whole.apply(action, ruleName(decided));
  else course.apply(action, ruleName(decided));
}

function tighten(state: EvaluationState, messageSize: number, recipients: number): void {
  const before = state.limits ?? { messageSize: 0, recipients: 0 };
  const tighter = (one: number, other: number): number =>
    one === 0 || other === 0 ? one + other : Math.min(one, other);
  state.limits = {
    messageSize: tighter(before.messageSize, messageSize),
    recipients: tighter(before.recipients, recipients),
  };
}
