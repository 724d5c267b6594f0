/**
 * Asks a compiled set what its rules say at one event about one set of facts. Never throws: a condition that cannot be
 * computed is a fault and its rule does not match, so a mistake in a rule neither refuses nor admits mail. Time is
 * bounded: the budget is looked at before every eighth rule; what is left out is said in `unfinished`.
 * With several sets, outer ones come first; a set whose rules refuse or dispose of the message ends the asking, an
 * `accept` ends only its own set: inner scopes may still tighten.
 */
import type { Action } from './action.js';
import { candidates } from './candidates.js';
import type { RuleEvent } from './event.js';
import { factContext } from './fact-context.js';
import type { Facts } from './fact-table.js';
import { renewEffort } from './literals.js';
import type { Rule } from './rule.js';
import type { RankedRule, RuleSet } from './rule-set.js';

export interface Decision {
  readonly ruleId: string;
  readonly version: number;
  /** The tenant whose rule it is; undefined for the operator's. */
  readonly tenant: string | undefined;
  /** Its domain or user; undefined for the whole tenant. */
  readonly target?: string | undefined;
  readonly action: Action;
  /** Milliseconds rules took since the decision before it at this event; absent without a clock. */
  readonly tookMs?: number;
}

export interface RuleFault {
  readonly ruleId: string;
  readonly version: number;
  readonly message: string;
}

export interface Evaluation {
  readonly decisions: readonly Decision[];
  readonly faults: readonly RuleFault[];
  /** Rules whose conditions were computed. */
  readonly asked: number;
  /** The budget ran out before the last rule. */
  readonly unfinished: boolean;
}

export interface Budget {
  /** Milliseconds, monotonic. */
  readonly monotonic: () => number;
  readonly ms: number;
}

/**
 * Whether rules matched that ask nothing about the recipient: for further recipients of the same message at the same event, so that a thousand of them
 * do not cost a thousand times.
 */
export type Remembered = Map<Rule, boolean>;

/** Looking at the clock costs as much as a small condition. */
const rulesPerLook = 8;
const ENDING: ReadonlySet<Action['kind']> = new Set(['reject', 'tempfail', 'discard', 'close']);

interface Course {
  readonly decisions: Decision[];
  readonly faults: RuleFault[];
  asked: number;
  unfinished: boolean;
}

export function evaluate(
  sets: RuleSet | readonly RuleSet[],
  event: RuleEvent,
  facts: Facts,
  budget?: Budget,
  remembered?: Remembered,
): Evaluation {
  const course: Course = { decisions: [], faults: [], asked: 0, unfinished: false };
  const context = factContext(facts);
  renewEffort();
  const begun = budget?.monotonic() ?? 0;
  const end = budget === undefined ? undefined : begun + budget.ms;
  const took = budget === undefined ? undefined : marksOf(budget, begun);
  const late = (): boolean => budget !== undefined && end !== undefined && budget.monotonic() >= end;
  for (const set of 'events' in sets ? [sets] : sets) {
    const rules = set.events.get(event);
    if (rules === undefined) continue;
    const from = course.decisions.length;
    ask(course, set, candidates(rules, facts), { context, late, remembered, took });
    if (course.unfinished || course.decisions.slice(from).some(({ action }) => ENDING.has(action.kind))) break;
  }
  return course;
}

interface Asking {
  readonly context: object;
  readonly late: () => boolean;
  readonly remembered: Remembered | undefined;
  /** Time since it was asked last. */
  readonly took: (() => number) | undefined;
}

/** One look at the clock for each decision: rules that do not match cost none. */
function marksOf({ monotonic }: Budget, begun: number): () => number {
  let last = begun;
  return () => {
    const before = last;
    last = monotonic();
    return last - before;
  };
}

function ask(course: Course, set: RuleSet, rules: Iterable<RankedRule>, asking: Asking): void {
  const { context, late, remembered, took } = asking;
  const tenant = set.scope.kind === 'tenant' ? set.scope.tenant : undefined;
  const target = set.scope.kind === 'tenant' ? set.scope.target : undefined;
  for (const { rule } of rules) {
    let matched = remembered?.get(rule);
    if (matched === undefined) {
      if (course.asked % rulesPerLook === 0 && late()) {
        course.unfinished = true;
        return;
      }
      course.asked += 1;
      matched = matches(course, rule, context);
      if (!rule.asksRecipient) remembered?.set(rule, matched);
    }
    if (!matched) continue;
    for (const action of rule.actions) {
      const decided = { ruleId: rule.id, version: rule.version, tenant, target, action };
      course.decisions.push(took === undefined ? decided : { ...decided, tookMs: took() });
    }
    if (rule.stop) return;
  }
}

/** Of ANY, a condition that fails does not hide one that holds; of ALL, it decides that the rule does not match. */
function matches(course: Course, rule: Rule, context: object): boolean {
  const any = rule.match === 'any' && rule.conditions.length > 0;
  for (const { test } of rule.conditions) {
    const held = holds(course, rule, test, context);
    if (held === any) return any;
  }
  return !any;
}

function holds(course: Course, rule: Rule, test: (context: object) => boolean, context: object): boolean {
  try {
    return test(context);
  } catch (error) {
    const message = error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'unknown fault';
    course.faults.push({ ruleId: rule.id, version: rule.version, message });
    return false;
  }
}
