/**
 * Asks the rules of one event: the operator's, then the tenant's. Bounded in time. What goes wrong in a rule is logged and the rule does
 * not match; mail goes on.
 */
import type { Clock } from '@postern/clock';
import type { RuleChoice } from '@postern/rules';
import { type Decision, evaluate, type Facts, type RuleEvent } from '@postern/rules';

export interface RuleObserver {
  failed(rule: string, message: string): void;
  unfinished(event: RuleEvent): void;
}

export type AskRules = (choice: RuleChoice, event: RuleEvent, facts: Facts) => readonly Decision[];

const budgetMs = 25;

export function createRuleRunner(clock: Clock, observer: RuleObserver): AskRules {
  const budget = { monotonic: () => clock.monotonic(), ms: budgetMs };
  return (choice, event, facts) => {
    const { decisions, faults, unfinished } = evaluate(choice.sets, event, facts, budget);
    for (const { ruleId, version, message } of faults) observer.failed(`${ruleId}@${version}`, message);
    if (unfinished) observer.unfinished(event);
    return decisions;
  };
}
