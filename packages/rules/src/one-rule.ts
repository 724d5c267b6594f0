/** A rule by itself as it will be computed; undefined where it does not compile. For what is told when it is saved. */
import type { Rule, RuleOptions } from './rule.js';
import { compileRules } from './rule-set.js';

export function oneRule(document: unknown, options: RuleOptions): Rule | undefined {
  const compiled = compileRules([document], options);
  if (!compiled.ok) return undefined;
  const [rule] = [...compiled.set.events.values()].flatMap(({ general, byRecipientDomain, bySenderDomain }) =>
    [general, ...byRecipientDomain.values(), ...bySenderDomain.values()].flat().map((ranked) => ranked.rule),
  );
  return rule;
}
