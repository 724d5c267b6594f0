/**
 * What each rule of headers and body does to the refusal of a copy: refuses, keeps a check from refusing, throws away, or ends its set. And of a whole set
 * whether there is anything to compute; found once for each set.
 */
import type { Action, ActionKind } from './action.js';
import type { Decision } from './evaluate.js';
import { takeApart } from './residual.js';
import type { Rule } from './rule.js';
import type { RuleChoice } from './rule-book.js';
import type { RuleSet } from './rule-set.js';

export const contentEvents = ['headers', 'body'] as const;
const refusing: ReadonlySet<ActionKind> = new Set<ActionKind>(['reject', 'tempfail', 'close']);

export type Role = 'refuses' | 'spares' | 'discards' | 'stops';

/** Whether what a rule decides holds for a recipient; undefined = all does. */
export type Binds = ((decided: Decision) => boolean) | undefined;

interface Profile {
  readonly refuses: boolean;
  readonly spares: boolean;
  readonly asksRecipient: boolean;
}

const plain: Profile = { refuses: false, spares: false, asksRecipient: false };
const profiles = new WeakMap<RuleSet, Profile>();

/** What it skips it skips for the recipient it is asked about, not for the message. */
export const isSkipForOne = ({ asksRecipient }: Rule, { scope }: RuleSet): boolean =>
  scope.kind === 'tenant' || asksRecipient;

/** Of its actions those that count; none = it only ends its set, or does nothing. */
export function counted(rule: Rule, set: RuleSet, binds: Binds): readonly Action[] {
  const { scope } = set;
  return rule.actions.filter((action) => {
    if (refusing.has(action.kind) || action.kind === 'discard') return true;
    if (action.kind !== 'accept' && !(action.kind === 'skip' && isSkipForOne(rule, set))) return false;
    if (binds === undefined || scope.kind === 'operator') return true;
    const { id: ruleId, version } = rule;
    return binds({ ruleId, version, tenant: scope.tenant, target: scope.target, action });
  });
}

export function roleOf(actions: readonly Action[], { stop }: Rule): Role | undefined {
  if (actions.some(({ kind }) => refusing.has(kind))) return 'refuses';
  if (actions.some(({ kind }) => kind === 'discard')) return 'discards';
  if (actions.length > 0) return 'spares';
  return stop ? 'stops' : undefined;
}

/** Whoever it is for. */
const anyRole = (rule: Rule, set: RuleSet): Role | undefined => roleOf(counted(rule, set, undefined), rule);

function contentRules({ events }: RuleSet): Rule[] {
  return contentEvents.flatMap((event) => {
    const of = events.get(event);
    if (of === undefined) return [];
    const { general, byRecipientDomain, bySenderDomain } = of;
    return [general, ...byRecipientDomain.values(), ...bySenderDomain.values()].flat().map(({ rule }) => rule);
  });
}

function profileOf(set: RuleSet): Profile {
  const known = profiles.get(set);
  if (known !== undefined) return known;
  const rules = contentRules(set);
  const roles = rules.map((rule) => anyRole(rule, set));
  const made: Profile = {
    refuses: roles.includes('refuses'),
    spares: roles.includes('spares'),
    asksRecipient: rules.some(({ asksRecipient }, index) => asksRecipient && roles[index] !== undefined),
  };
  profiles.set(set, made);
  return made;
}

/** For a compiler of rules whose chains will be asked for: what a set costs once is done when it is compiled. */
export function withChains(set: RuleSet): RuleSet {
  for (const rule of contentRules(set)) if (anyRole(rule, set) !== undefined) takeApart(rule);
  profileOf(set);
  return set;
}

/** Whether some rule of the choice has a say in it, and whether it may say another thing of another recipient. */
export function chainProfile({ sets }: RuleChoice): Profile {
  let sum = plain;
  for (const set of sets) {
    const { refuses, spares, asksRecipient } = profileOf(set);
    sum = {
      refuses: sum.refuses || refuses,
      spares: sum.spares || spares,
      asksRecipient: sum.asksRecipient || asksRecipient,
    };
  }
  return sum;
}
