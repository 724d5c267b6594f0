/**
 * What becomes of mail about which a rule cannot be computed or finished. A rule that keeps mail out must not let it in because it failed, and a
 * fault is no judgement about the mail: it is put off. A rule that only notes, edits or loosens is left out. A rule can say otherwise (`onFault`).
 */
import type { Action, ActionKind } from './action.js';
import { isKnownAt, type RuleEvent } from './event.js';

export const faultConsequences = ['tempfail', 'skip'] as const;
export type FaultConsequence = (typeof faultConsequences)[number];

const keepsOut: ReadonlySet<ActionKind> = new Set<ActionKind>([
  ...(['reject', 'tempfail', 'close', 'quarantine', 'hold', 'discard', 'dropRecipient'] as const),
  ...(['requireTls', 'allowRelay', 'allowLocal', 'route'] as const),
]);

/** After a delivery attempt nothing is let in: what was to be done is done as without the rule. */
export const mayPutOff = (event: RuleEvent): boolean => isKnownAt(event, 'relay');

export function consequenceOf(event: RuleEvent, actions: readonly Action[]): FaultConsequence {
  return mayPutOff(event) && actions.some(({ kind }) => keepsOut.has(kind)) ? 'tempfail' : 'skip';
}

/** RFC 3463 §3.8: a matter of policy, for now. */
export const putOff: Action = {
  kind: 'tempfail',
  code: 451,
  enhanced: '4.7.1',
  text: 'A rule about this mail could not be applied, try again later',
};
