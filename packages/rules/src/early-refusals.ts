/**
 * The refusals a session can tell at once, at the command the rule names: those it decides without asking anybody, and that no rule before them in
 * their set could overtake. A set is cut at the first rule that needs what has to be asked for, or that wants to be told at RCPT; what comes
 * after it is told at the first RCPT, by policy, which asks all rules again.
 */
import type { Action } from './action.js';
import type { RuleEvent } from './event.js';
import { factEntry } from './fact-table.js';
import type { Rule } from './rule.js';
import type { EventRules, RankedRule, RuleSet } from './rule-set.js';
import type { StoredRule } from './stored-rule.js';

const earlyEvents: ReadonlySet<unknown> = new Set<RuleEvent>(['connect', 'ehlo', 'auth', 'mail']);
const refusals: ReadonlySet<Action['kind']> = new Set(['reject', 'tempfail', 'close']);

const refuses = ({ actions }: Rule): boolean => actions.some(({ kind }) => refusals.has(kind));
const waits = ({ facts, answer }: Rule): boolean =>
  answer === 'at-rcpt' || [...facts].some((name) => factEntry(name)?.asked === true);

const everyRule = ({ general, byRecipientDomain, bySenderDomain }: EventRules): RankedRule[] =>
  [general, ...byRecipientDomain.values(), ...bySenderDomain.values()].flat();

function cut({ general, byRecipientDomain, bySenderDomain }: EventRules): EventRules | undefined {
  const all = everyRule({ general, byRecipientDomain, bySenderDomain });
  const end = Math.min(...all.filter(({ rule }) => waits(rule)).map(({ rank }) => rank));
  if (!all.some(({ rule, rank }) => rank < end && refuses(rule))) return undefined;
  const before = (list: readonly RankedRule[]): RankedRule[] => list.filter(({ rank }) => rank < end);
  const filed = (index: EventRules['byRecipientDomain']) =>
    new Map([...index].map(([domain, list]) => [domain, before(list)] as const));
  return {
    general: before(general),
    byRecipientDomain: filed(byRecipientDomain),
    bySenderDomain: filed(bySenderDomain),
  };
}

export function earlyRefusals(set: RuleSet): RuleSet {
  const events = new Map<RuleEvent, EventRules>();
  for (const [event, rules] of set.events) {
    const early = earlyEvents.has(event) ? cut(rules) : undefined;
    if (early !== undefined) events.set(event, early);
  }
  return { scope: set.scope, size: events.size, events };
}

/**
 * Rules of auth where one of them refuses by what has to be asked for: the login itself waits for the answer, so that nobody learns from elsewhere
 * whether a password is right.
 */
export function askedLogins(set: RuleSet): RuleSet {
  const rules = set.events.get('auth');
  const all = rules === undefined ? [] : everyRule(rules);
  const asks = all.some(({ rule }) => refuses(rule) && rule.answer !== 'at-rcpt' && waits(rule));
  return { scope: set.scope, size: asks ? all.length : 0, events: new Map(asks && rules ? [['auth', rules]] : []) };
}

/** Whether it is worth compiling for this; a document nobody can read is told of where all rules are compiled. */
export function isEarlyRule({ document }: StoredRule): boolean {
  try {
    const parsed: unknown = JSON.parse(document);
    return typeof parsed === 'object' && parsed !== null && 'event' in parsed && earlyEvents.has(parsed.event);
  } catch {
    return false;
  }
}
