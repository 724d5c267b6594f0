/**
 * What a rule decided, as a finding, and back again. The edge carries findings from stage to stage, so an edit or tag given at RCPT is found
 * again at the end of data by whichever pod is asked then (design.md, step 3): nothing is remembered here.
 */
import type { Finding, Stage } from '@postern/proto/policy/v1/policy_service';
import type { Action, Decision as RuleDecision, RuleFault } from '@postern/rules';
import { sessionChecks } from '../actions.js';

export const ruleCheck = 'rule';
/** Outcome of a rule that could not be computed or finished. */
const failed = 'failed';
/** Whom a rule spares a check or sets a limit, where its conditions ask about the recipient. */
const recipientAlone = 'recipient';
/** Words around a value: a name of its own, so that a pod that reads only values does nothing instead of taking the value away. */
const wordsAround = 'surroundHeader';

export function ruleFinding(decided: RuleDecision, stage: Stage, recipient: string): Finding {
  const isPutOff = decided.fault !== undefined && decided.action.kind === 'tempfail';
  const evidence: Record<string, string> = isPutOff ? {} : evidenceOf(decided.action);
  addOwner(evidence, decided);
  if (decided.action.kind === 'skip' && decided.asksRecipient === true) evidence.spares = recipientAlone;
  if (decided.action.kind === 'setLimit' && decided.namesRecipient === true) evidence.of = recipientAlone;
  if (decided.textAbout !== undefined) evidence.about = decided.textAbout.join(' ');
  if (decided.fault !== undefined) evidence.fault = causeOf(decided.fault);
  return {
    check: ruleCheck,
    outcome: decided.fault === undefined ? 'matched' : failed,
    evidence,
    recipient,
    rule: ruleName(decided),
    durationUs: Math.ceil((decided.tookMs ?? 0) * 1_000),
    stage,
    action: actionId(decided.action),
  };
}

/** Of a rule that could not be computed and is left out. */
export function faultFinding(fault: RuleFault, stage: Stage, recipient: string): Finding {
  const evidence: Record<string, string> = { fault: causeOf(fault.message) };
  addOwner(evidence, fault);
  return {
    ...{ check: ruleCheck, outcome: failed, evidence, recipient, rule: ruleName(fault) },
    ...{ durationUs: 0, stage, action: 'skipped' },
  };
}

function addOwner(evidence: Record<string, string>, { tenant, target }: Pick<RuleFault, 'tenant' | 'target'>): void {
  if (tenant !== undefined) evidence.tenant = tenant;
  if (target !== undefined && target !== '') evidence.scope = target;
}

const actionId = (action: Action): string =>
  action.kind === 'changeHeader' && action.value === '' ? wordsAround : action.kind;

const causeOf = (message: string): string => message.slice(0, 200);

export const ruleName = ({ ruleId, version }: Pick<RuleDecision, 'ruleId' | 'version'>): string =>
  `${ruleId}@${version}`;

function evidenceOf(action: Action): Record<string, string> {
  switch (action.kind) {
    case 'addHeader':
    case 'addHeaderIfAbsent':
      return { name: action.name, value: action.value };
    case 'changeHeader': {
      const { name, value, prefix, suffix } = action;
      return value === '' ? { name, prefix, suffix } : { name, value };
    }
    case 'removeHeader':
    case 'tag':
      return { name: action.name };
    case 'skip':
    case 'run':
      return { check: action.check };
    case 'redirect':
    case 'addRecipient':
    case 'changeSender':
      return { address: action.address };
    case 'quarantine':
    case 'hold':
      return { reason: action.reason };
    case 'reject':
    case 'tempfail':
      return { code: String(action.code), enhanced: action.enhanced, text: action.text };
    case 'close':
    case 'greeting':
    case 'requireTls':
      return { text: action.text };
    case 'allowRelay':
    case 'allowLocal':
      return { for: action.for };
    case 'auth':
      return {
        ...(action.plain === undefined ? {} : { plain: action.plain.join(' ') }),
        ...(action.tls === undefined ? {} : { tls: action.tls.join(' ') }),
      };
    case 'setLimit':
      return {
        ...(action.size === undefined ? {} : { size: String(action.size) }),
        ...(action.recipients === undefined ? {} : { recipients: String(action.recipients) }),
        ...(action.errors === undefined ? {} : { errors: String(action.errors) }),
      };
    default:
      return {};
  }
}

/** Actions that still have an effect at a later stage than the one they were decided at. */
export type CarriedAction = Extract<
  Action,
  {
    kind:
      | 'addHeader'
      | 'addHeaderIfAbsent'
      | 'changeHeader'
      | 'removeHeader'
      | 'tag'
      | 'skip'
      | 'run'
      | 'dropRecipient';
  }
>;

/**
 * Said of one recipient, whom it spares the consequence; the check is made and told all the same. A tenant speaks of its own recipients alone, and a rule that
 * asks about the recipient of him; and what a client or a sender would be refused for is not spared all recipients because of one of them.
 */
export const isInnerSkip = ({ recipient, evidence }: Finding): boolean =>
  recipient !== '' &&
  (evidence.tenant !== undefined || evidence.spares === recipientAlone || sessionChecks.has(evidence.check ?? ''));

export function carriedAction(finding: Finding): CarriedAction | undefined {
  if (finding.check !== ruleCheck) return undefined;
  const { name = '', value = '', prefix = '', suffix = '', check = '' } = finding.evidence;
  switch (finding.action) {
    case 'addHeader':
    case 'addHeaderIfAbsent':
      return { kind: finding.action, name, value };
    case 'changeHeader':
      return { kind: finding.action, name, value, prefix: '', suffix: '' };
    case wordsAround:
      return { kind: 'changeHeader', name, value: '', prefix, suffix };
    case 'removeHeader':
    case 'tag':
      return { kind: finding.action, name };
    case 'skip':
    case 'run':
      return { kind: finding.action, check };
    case 'dropRecipient':
      return { kind: 'dropRecipient' };
    default:
      return undefined;
  }
}
