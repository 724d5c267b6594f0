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
export type AskRules = (
  choice: RuleChoice,
  event: RuleEvent,
  facts: Facts,
  remembered?: Remembered,
  spent?: SpentTime,
) => RuleAnswer;

/** Milliseconds by owner of the rules; one for all recipients, so that a thousand of them with rules of their own do not hold up the mail of others. */
export type SpentTime = Map<string, number>;

export type RuleAnswer = Pick<Evaluation, 'decisions' | 'faults'>;

/** For the operator's rules, and as much for those of a tenant. */
const budgetMs = 100;
const togetherMs = 500;

export function createRuleRunner(clock: Clock, observer: RuleObserver): AskRules {
  const budget = { monotonic: () => clock.cpu(), ms: budgetMs };
  return (choice, event, facts, remembered, spent) => {
    const own = spent === undefined ? budget : { ...budget, together: { ms: togetherMs, spent } };
    const { decisions, faults, unfinished } = evaluate(choice.sets, event, facts, own, remembered);
    for (const { ruleId, version, message, isKnown } of faults)
      if (!isKnown) observer.failed(`${ruleId}@${version}`, message);
    if (unfinished) observer.unfinished(event);
    for (const { action } of decisions) observer.decided(event, action.kind);
    return { decisions, faults };
  };
}
