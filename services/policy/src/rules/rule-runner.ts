/**
 * Asks the rules of one event: the operator's, then the tenant's. Bounded in CPU time, not by the clock on the wall: a busy pod fails no rule a quiet one
 * finishes. What goes wrong in a rule is told; whether it puts the mail off is the rule's (packages/rules, fault.ts).
 */
import type { Clock } from '@postern/clock';
import type { RuleChoice } from '@postern/rules';
import { type Action, type Evaluation, evaluate, type Facts, type Remembered, type RuleEvent } from '@postern/rules';

export interface RuleObserver {
  failed(rule: string, message: string): void;
  unfinished(event: RuleEvent): void;
  decided(event: RuleEvent, action: Action['kind']): void;
}

/** `remembered`: one for all recipients of one evaluation at one event. */
export type AskRules = (choice: RuleChoice, event: RuleEvent, facts: Facts, remembered?: Remembered) => RuleAnswer;

export type RuleAnswer = Pick<Evaluation, 'decisions' | 'faults'>;

/** For the operator's rules, and as much for those of a tenant. */
const budgetMs = 100;

export function createRuleRunner(clock: Clock, observer: RuleObserver): AskRules {
  const budget = { monotonic: () => clock.cpu(), ms: budgetMs };
  return (choice, event, facts, remembered) => {
    const { decisions, faults, unfinished } = evaluate(choice.sets, event, facts, budget, remembered);
    for (const { ruleId, version, message, isKnown } of faults)
      if (!isKnown) observer.failed(`${ruleId}@${version}`, message);
    if (unfinished) observer.unfinished(event);
    for (const { action } of decisions) observer.decided(event, action.kind);
    return { decisions, faults };
  };
}
