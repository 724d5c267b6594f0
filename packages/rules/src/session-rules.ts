/**
 * The part of a rule set that a session decides by itself, without a call to policy (design.md: no verdict about relaying, TLS or route
 * depends on one). A rule that names a fact which has to be asked for is left out; it is policy's. Events at which nothing would be decided
 * are left out whole, so that a session pays only for rules it needs.
 */
import { isDecidedInSession } from './carried-out.js';
import type { RuleEvent } from './event.js';
import { isKnownAt } from './event.js';
import { factEntry } from './fact-table.js';
import type { Rule } from './rule.js';
import type { EventRules, RankedRule, RuleSet } from './rule-set.js';

const isOfSession = ({ facts }: Rule): boolean => ![...facts].some((name) => factEntry(name)?.asked === true);

const acts = ({ rule }: RankedRule): boolean =>
  rule.actions.some((action) => isDecidedInSession(action) || action.kind === 'setLimit');

function narrowed(rules: EventRules): EventRules {
  const kept = (list: readonly RankedRule[]): RankedRule[] => list.filter(({ rule }) => isOfSession(rule));
  const filed = (index: EventRules['byRecipientDomain']) =>
    new Map([...index].map(([domain, list]) => [domain, kept(list)] as const));
  return {
    general: kept(rules.general),
    byRecipientDomain: filed(rules.byRecipientDomain),
    bySenderDomain: filed(rules.bySenderDomain),
  };
}

const all = ({ general, byRecipientDomain, bySenderDomain }: EventRules): RankedRule[] => [
  ...general,
  ...[...byRecipientDomain.values()].flat(),
  ...[...bySenderDomain.values()].flat(),
];

export function sessionRules(set: RuleSet): RuleSet {
  const events = new Map<RuleEvent, EventRules>();
  for (const [event, rules] of set.events) {
    if (!isKnownAt(event, 'rcpt')) continue;
    const own = narrowed(rules);
    if (all(own).some(acts)) events.set(event, own);
  }
  const ids = new Set([...events.values()].flatMap((rules) => all(rules).map(({ rule }) => rule.id)));
  return { scope: set.scope, size: ids.size, events };
}
