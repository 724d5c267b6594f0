/** The part of a rule set that speaks after acceptance: before each delivery attempt and after one that failed. The queue's. */
import type { RuleEvent } from './event.js';
import type { EventRules, RuleSet } from './rule-set.js';

export type DeliveryEvent = 'relay' | 'delivery-failure' | 'temporary-failure';

const deliveryEvents: ReadonlySet<RuleEvent> = new Set<DeliveryEvent>([
  'relay',
  'delivery-failure',
  'temporary-failure',
]);

const countOf = ({ general, byRecipientDomain, bySenderDomain }: EventRules): number =>
  new Set([...[general, ...byRecipientDomain.values(), ...bySenderDomain.values()].flat().map(({ rule }) => rule.id)])
    .size;

export function deliveryRules(set: RuleSet): RuleSet {
  const events = new Map([...set.events].filter(([event]) => deliveryEvents.has(event)));
  return { scope: set.scope, size: [...events.values()].reduce((sum, rules) => sum + countOf(rules), 0), events };
}
