/**
 * From what a check saw to what is done about it: the one place that decides (style.md, rule 6). `onFail` is of the settings in force for the
 * session or the recipient: reject says what `refusals.ts` has, quarantine keeps what would be refused for good, tag and mark only tell.
 */
import { type FailureAction, failureActions } from '@postern/check-settings';
import { Action, type Decision, type Finding } from '@postern/proto/policy/v1/policy_service';
import { asked, type CheckDefinition, type CheckName } from './check.js';
import { refusalOf } from './refusals.js';
import type { CheckPolicies } from './snapshot/check-policy.js';
import { decision } from './verdict/decision.js';

export type Consequence =
  | { readonly kind: 'none' }
  | { readonly kind: 'decide'; readonly decision: Decision }
  | { readonly kind: 'tag'; readonly tag: string }
  /** The From field is replaced by the address of the login. */
  | { readonly kind: 'rewrite'; readonly address: string };

const none: Consequence = { kind: 'none' };

type SpfSettings = CheckPolicies['spf'];
const spfActions = new Map<string, (settings: SpfSettings) => FailureAction>([
  ['softfail', ({ onSoftfail }) => onSoftfail],
  ['neutral', ({ onNeutral }) => onNeutral],
  ['none', ({ onNone }) => onNone],
  ['permerror', ({ onPermerror }) => onPermerror],
]);

/** What the settings in force say about this outcome; most checks know one consequence, SPF and DMARC one per result. */
export function actionFor(
  check: Pick<CheckDefinition, 'settings'>,
  { outcome }: Finding,
  policies: CheckPolicies,
): FailureAction {
  if (check.settings === 'dmarc') return dmarcAction(outcome, policies.dmarc);
  const own = check.settings === 'spf' ? spfActions.get(outcome) : undefined;
  return own === undefined ? policies[check.settings].onFail : own(policies.spf);
}

/** Of a From field that names no author never more than of a failure. */
function dmarcAction(outcome: string, { onFail, onPermerror, onTemperror }: CheckPolicies['dmarc']): FailureAction {
  if (outcome === 'temperror') return onTemperror === 'tempfail' ? onFail : 'mark';
  if (outcome !== 'permerror') return onFail;
  return failureActions.indexOf(onPermerror) < failureActions.indexOf(onFail) ? onPermerror : onFail;
}

const tagOf = (check: string): string => `check-${check.replaceAll('_', '-')}`;

/** The tag a check gave at an earlier stage; undefined = none, or it is a rule's. */
export const checkTag = ({ check, action, rule }: Finding): string | undefined =>
  action === 'tag' && rule === '' ? tagOf(check) : undefined;

export function consequenceOf(check: CheckName, finding: Finding, onFail: FailureAction): Consequence {
  const refusal = refusalOf(check, finding);
  if (refusal === undefined) return none;
  if (check === 'author' && finding.outcome === 'foreign' && finding.evidence.rewrite !== undefined)
    return { kind: 'rewrite', address: finding.evidence.rewrite };
  switch (onFail) {
    case 'mark':
      return none;
    case 'tag':
      return refusal.action === Action.TEMPFAIL ? none : { kind: 'tag', tag: tagOf(check) };
    case 'quarantine': {
      if (refusal.action === Action.TEMPFAIL) return none;
      const kept = { action: Action.QUARANTINE, code: 0, enhanced: '', text: refusal.text };
      return { kind: 'decide', decision: decision(kept, check) };
    }
    case 'reject':
      return { kind: 'decide', decision: decision(refusal, check) };
  }
}

/** Whether these settings do anything about it. */
export function hasConsequence(check: CheckDefinition, finding: Finding, policies: CheckPolicies): boolean {
  return consequenceOf(check.name, finding, actionFor(check, finding, policies)).kind !== 'none';
}

/** Consequences an allow list spares: of checks of client, sender and content; never of authentication, identity or recipients. */
export const spareable: ReadonlySet<string> = new Set([
  'country',
  'dnsbl',
  'ptr',
  'helo',
  'sender',
  'greylist',
  'greylist_signed',
  'uribl',
]);

/** Those of client, greeting and sender, made before a recipient is known. */
export const sessionChecks: ReadonlySet<string> = new Set([
  ...['dnswl', 'country', 'dnsbl', 'ptr', 'helo', 'lists', 'identity', 'spf', 'sender'],
]);

const greylists = ['greylist', 'greylist_signed'];

/** Whoever is not greylisted at RCPT is not at the end of data either. */
export const withSigned = (check: string): readonly string[] => (check === 'greylist' ? greylists : [check]);

/** Checks whose consequence this finding spares; empty for most. */
export function sparedBy({ check, outcome, evidence, action }: Finding): Iterable<string> {
  if (action === asked) return [];
  if (outcome === 'allowed' && check.startsWith('lists')) return spareable;
  if (outcome === 'listed' && check === 'dnswl') return (evidence.spares ?? '').split(' ').flatMap(withSigned);
  return [];
}
