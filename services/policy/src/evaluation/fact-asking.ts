/**
 * Checks that conditions of rules name, made before the rules are asked where settings have not made them: with the settings there are, switched on, and
 * without a consequence. Only for whom such a rule speaks; at RCPT also what rules about the content will want to know of client and sender.
 */

import { RecipientClass } from '@postern/proto/mail/v1/envelope';
import type { Finding, RecipientFacts, Stage } from '@postern/proto/policy/v1/policy_service';
import { lateEvents, type RuleEvent } from '@postern/rules';
import { asked, type CheckDefinition, type CheckName, lastFinding } from '../check.js';
import { runCheck } from '../check-runner.js';
import { checkNamed, forcedPolicies, forcedSubject } from '../forced-checks.js';
import { lateRulesOf, rulesOf } from '../rules/rule-facts.js';
import { isSameQuestion } from '../scope-checks.js';
import type { CheckPolicies } from '../snapshot/check-policy.js';
import { stageOf } from '../stage-event.js';
import { domainOf } from '../subject.js';
import { timeOf } from './ahead.js';
import type { EvaluationState } from './state.js';

interface Question {
  readonly check: CheckDefinition;
  readonly policies: CheckPolicies;
  /** '' = for the session or message. */
  readonly recipients: Set<string>;
}

type Questions = Map<CheckDefinition, Map<CheckPolicies[CheckDefinition['settings']], Question>>;

const recipientEvents: ReadonlySet<RuleEvent> = new Set<RuleEvent>(['rcpt', 'headers', 'body']);
const ahead: readonly RuleEvent[] = ['rcpt', 'headers', 'body'];
/** Of the message, whatever settings say. */
const signatureChecks: ReadonlySet<CheckName> = new Set<CheckName>(['dkim', 'domainkeys', 'arc', 'dmarc']);
/** Part of another check. */
const notAsked: ReadonlySet<CheckName> = new Set<CheckName>(['greylist_signed']);
const all: readonly RuleEvent[] = [...lateEvents, ...ahead];

export async function askFacts(state: EvaluationState, event: RuleEvent, stage: Stage): Promise<void> {
  const events = event === 'rcpt' ? ahead : [event];
  const { rules } = state.subject.snapshot;
  if (!(event === 'rcpt' ? all : events).some((one) => rules.asks(one).size > 0)) return;
  const questions: Questions = new Map();
  if (recipientEvents.has(event)) noteRecipients(state, events, stage, questions);
  else noteSession(state, event, stage, questions);
  const runs = [...questions.values()].flatMap((bySettings) =>
    [...bySettings.values()].map((question) => ask(state, question, stage)),
  );
  state.subject.findings.push(...(await Promise.all(runs)).flat());
}

function noteSession(state: EvaluationState, event: RuleEvent, stage: Stage, questions: Questions): void {
  const { subject, policies } = state;
  const { facts, origin, snapshot } = subject;
  const named = snapshot.rules.of(facts.submittingTenant, origin.authenticatedUser).asks(event);
  for (const check of checksOf(named, stage)) note(state, check, { policies, recipient: '' }, questions);
}

function noteRecipients(
  state: EvaluationState,
  events: readonly RuleEvent[],
  stage: Stage,
  questions: Questions,
): void {
  const { subject, judged } = state;
  for (const { recipient, course } of judged) {
    if (course.refusal !== undefined) continue;
    const choice = rulesOf(subject, recipient);
    const late = events.includes('rcpt') ? lateRulesOf(subject, recipient) : undefined;
    const named = [
      ...events.map((event) => choice.asks(event)),
      ...(late === undefined ? [] : lateEvents.map((event) => late.asks(event))),
    ];
    for (const names of named)
      for (const check of checksOf(names, stage)) {
        note(state, check, questionAbout(state, check, recipient), questions);
      }
  }
}

interface About {
  readonly policies: CheckPolicies;
  readonly recipient: string;
}

function questionAbout(state: EvaluationState, check: CheckDefinition, recipient: RecipientFacts): About {
  const { policies: session } = state;
  const { address } = recipient;
  // A check of recipients goes by the settings of each one's domain itself.
  if (check.concerns !== undefined) return { policies: session, recipient: address };
  const policies = policiesOf(state, recipient);
  const isShared = signatureChecks.has(check.name) || isSameQuestion(session[check.settings], policies[check.settings]);
  return isShared ? { policies: session, recipient: '' } : { policies, recipient: address };
}

function policiesOf(
  { subject, policies }: EvaluationState,
  { address, recipientClass }: RecipientFacts,
): CheckPolicies {
  if (!subject.isOutsider || recipientClass !== RecipientClass.LOCAL) return policies;
  return subject.snapshot.policies.ofDomain(domainOf(address));
}

const checksOf = (names: ReadonlySet<string>, stage: Stage): CheckDefinition[] =>
  [...names].flatMap((name) => {
    const check = checkNamed(name);
    return check === undefined || notAsked.has(check.name) || stageOf(check.stage) > stage ? [] : [check];
  });

function note(
  { subject }: EvaluationState,
  check: CheckDefinition,
  { policies, recipient }: About,
  questions: Questions,
): void {
  if (isKnown(subject.findings, check.name, recipient)) return;
  const bySettings: NonNullable<ReturnType<Questions['get']>> = questions.get(check) ?? new Map();
  questions.set(check, bySettings);
  const settings = policies[check.settings];
  const question = bySettings.get(settings) ?? { check, policies, recipients: new Set<string>() };
  bySettings.set(settings, question);
  question.recipients.add(recipient);
}

function isKnown(findings: readonly Finding[], check: string, recipient: string): boolean {
  if (recipient === '') return lastFinding(findings, check) !== undefined;
  return findings.some((finding) => finding.check === check && finding.recipient === recipient);
}

async function ask(state: EvaluationState, question: Question, stage: Stage): Promise<Finding[]> {
  const { services, subject, dryRun } = state;
  const { check, recipients } = question;
  const policies = forcedPolicies(question.policies, check.settings);
  const isOfRecipients = check.concerns !== undefined;
  const forced = forcedSubject(subject, check, isOfRecipients ? recipients : new Set(['']));
  if (!check.applies(forced, policies)) return [];
  const order = { check, policies, stage, remainingMs: timeOf(state, stage), dryRun };
  const results = await runCheck(services, order, forced);
  if (isOfRecipients) return results.map(({ finding }) => ({ ...finding, stage, action: asked }));
  return [...recipients].flatMap((recipient) =>
    results.map(({ finding }) => ({ ...finding, recipient, stage, action: asked })),
  );
}
