/**
 * Asks the rules of one event: the operator's, then the tenant's. Bounded in time. What goes wrong in a rule is logged and the rule does
 * not match; mail goes on.
 */
import type { Clock } from '@postern/clock';
import type { RuleChoice } from '@postern/rules';
import { type Action, type Decision, evaluate, type Facts, type Remembered, type RuleEvent } from '@postern/rules';

export interface RuleObserver {
  failed(rule: string, message: string): void;
  unfinished(event: RuleEvent): void;
  decided(event: RuleEvent, action: Action['kind']): void;
}

/** `remembered`: one for all recipients of one evaluation at one event. */
export type AskRules = (
  choice: RuleChoice,
  event: RuleEvent,
  facts: Facts,
  remembered?: Remembered,
) => readonly Decision[];

const budgetMs = 25;

export function createRuleRunner(clock: Clock, observer: RuleObserver): AskRules {
  const budget = { monotonic: () => clock.monotonic(), ms: budgetMs };
  return (choice, event, facts, remembered) => {
    const { decisions, faults, unfinished } = evaluate(choice.sets, event, facts, budget, remembered);
    for (const { ruleId, version, message } of faults) observer.failed(`${ruleId}@${version}`, message);
    if (unfinished) observer.unfinished(event);
    for (const { action } of decisions) observer.decided(event, action.kind);
    return decisions;
  };
}
