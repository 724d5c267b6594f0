/**
 * Asks a compiled set what its rules say at one event about one set of facts. Never throws: a condition that cannot be
 * computed is a fault, and so is a rule the budget did not reach; what becomes of the mail then is said by the rule
 * (fault.ts). Where one condition decides, a fault in another does not matter. The budget is looked at before every
 * eighth rule and is one for the operator and one for each tenant with its domains and users: a tenant's rules take
 * nothing from those of others. With several sets, outer ones come first; a set whose rules refuse or dispose of the message ends
 * the asking, an `accept` ends only its own set: inner scopes may still tighten.
 */
import type { Action } from './action.js';
import { candidates } from './candidates.js';
import { renewEffort } from './effort.js';
import type { RuleEvent } from './event.js';
import { factContext } from './fact-context.js';
import type { Facts } from './fact-table.js';
import { type FaultConsequence, putOff } from './fault.js';
import type { TextSubject } from './filled-action.js';
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
  /** Its conditions ask about the recipient; absent = they do not. */
  readonly asksRecipient?: true;
  /** Milliseconds rules took since the decision before it at this event; absent without a clock. */
  readonly tookMs?: number;
  /** Why the rule could not be computed: the action is not its own. */
  readonly fault?: string;
  /** Its conditions ask who the recipient is. */
  readonly namesRecipient?: boolean;
  /** Whose facts its text was filled with; absent = nobody's in particular. */
  readonly textAbout?: readonly TextSubject[];
}

/** A rule that could not be computed or finished. */
export interface RuleFault
  extends Omit<Decision, 'action' | 'asksRecipient' | 'namesRecipient' | 'textAbout' | 'tookMs' | 'fault'> {
  readonly message: string;
  /** `tempfail`: a decision says so too. */
  readonly consequence: FaultConsequence;
  /** Found out for another recipient of the same message. */
  readonly isKnown: boolean;
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
  /** Milliseconds, never going back; of CPU time, so that a busy machine fails no rule. */
  readonly monotonic: () => number;
  readonly ms: number;
  /** What the rules of one owner may take for all recipients of a message, and have taken. */
  readonly together?: { readonly ms: number; readonly spent: Map<string, number> };
}

/**
 * Whether rules matched that ask nothing about the recipient: for further recipients of the same message at the same event, so that a thousand of them
 * do not cost a thousand times.
 */
export type Remembered = Map<Rule, Answer>;

/** Whether a rule matched, or why that could not be found out. */
type Answer = boolean | { readonly fault: string };

/** Looking at the clock costs as much as a small condition. */
const rulesPerLook = 8;
/** Told of one evaluation. */
const FAULT_LIMIT = 20;
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
  const begun = budget?.monotonic() ?? 0;
  const took = budget === undefined ? undefined : marksOf(budget, begun);
  let owner: string | undefined;
  let time = endless;
  for (const set of 'events' in sets ? [sets] : sets) {
    const rules = set.events.get(event);
    if (rules === undefined) continue;
    const of = set.scope.kind === 'tenant' ? set.scope.tenant : '';
    if (owner !== of) {
      renewEffort();
      time = budget === undefined ? endless : timeOf(budget, of, owner === undefined ? begun : budget.monotonic());
      owner = of;
    }
    const from = course.decisions.length;
    ask(course, set, candidates(rules, facts), { facts, context, time, remembered, took });
    time.note();
    if (course.decisions.slice(from).some(({ action }) => ENDING.has(action.kind))) break;
  }
  return course;
}

interface Time {
  /** Rules whose conditions were computed. */
  asked: number;
  isOver: boolean;
  readonly late: () => boolean;
  /** Remembers what was taken so far, for further recipients. */
  readonly note: () => void;
}

const endless: Time = { asked: 0, isOver: false, late: () => false, note: () => undefined };

function timeOf({ monotonic, ms, together }: Budget, owner: string, begun: number): Time {
  const before = together?.spent.get(owner) ?? 0;
  const end = begun + (together === undefined ? ms : Math.min(ms, together.ms - before));
  return {
    asked: 0,
    isOver: false,
    late: () => monotonic() >= end,
    note: () => together?.spent.set(owner, before + monotonic() - begun),
  };
}

interface Asking {
  readonly facts: Facts;
  readonly context: object;
  readonly time: Time;
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

function ask(course: Course, { scope }: RuleSet, rules: Iterable<RankedRule>, asking: Asking): void {
  const { took } = asking;
  const tenant = scope.kind === 'tenant' ? scope.tenant : undefined;
  const target = scope.kind === 'tenant' ? scope.target : undefined;
  for (const { rule } of rules) {
    const isKnown = asking.remembered?.has(rule) === true;
    const answer = answerOf(course, rule, asking);
    if (answer === false) continue;
    const by = { ruleId: rule.id, version: rule.version, tenant, target };
    const about: Pick<Decision, 'asksRecipient' | 'namesRecipient'> = {
      ...(rule.asksRecipient ? { asksRecipient: true } : {}),
      ...(rule.namesRecipient ? { namesRecipient: true } : {}),
    };
    const decide = (action: Action, more: Pick<Decision, 'fault' | 'textAbout'> = {}): void => {
      const decided = { ...by, action, ...about, ...more };
      course.decisions.push(took === undefined ? decided : { ...decided, tookMs: took() });
    };
    if (answer !== true) {
      if (course.faults.length < FAULT_LIMIT)
        course.faults.push({ ...by, message: answer.fault, consequence: rule.onFault, isKnown });
      if (rule.onFault === 'skip') continue;
      decide(putOff, answer);
      return;
    }
    for (const [index, action] of rule.actions.entries()) {
      const filler = rule.fillers?.[index];
      if (filler === undefined) decide(action);
      else
        decide(filler.fill(textContext(asking, tenant)), filler.about.length === 0 ? {} : { textAbout: filler.about });
    }
    if (rule.stop) return;
  }
}

/** Conditions know who logged in, texts of another tenant's rules do not tell it. */
function textContext({ facts, context }: Asking, tenant: string | undefined): object {
  const { submittingTenant = '', client } = facts;
  if (tenant === undefined || submittingTenant === '' || submittingTenant === tenant) return context;
  const unnamed = { address: client?.address, port: client?.port };
  return factContext({ ...facts, auth: undefined, client: unnamed });
}

const outOfTime: Answer = { fault: 'the time for rules ran out' };

function answerOf(course: Course, rule: Rule, { context, time, remembered }: Asking): Answer {
  const known = remembered?.get(rule);
  if (known !== undefined) return known;
  if (!time.isOver && time.asked % rulesPerLook === 0 && time.late()) {
    time.isOver = true;
    course.unfinished = true;
  }
  if (time.isOver) return outOfTime;
  time.asked += 1;
  course.asked += 1;
  const answer = matches(rule, context);
  if (!rule.asksRecipient) remembered?.set(rule, answer);
  return answer;
}

/** Of ANY, one condition that holds decides; of ALL, one that does not. */
function matches(rule: Rule, context: object): Answer {
  const any = rule.match === 'any' && rule.conditions.length > 0;
  let fault: Answer | undefined;
  for (const { test } of rule.conditions) {
    const held = holds(test, context);
    if (held === any) return any;
    if (typeof held !== 'boolean') fault ??= held;
  }
  return fault ?? !any;
}

function holds(test: (context: object) => boolean, context: object): Answer {
  try {
    return test(context);
  } catch (error) {
    return { fault: error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'unknown fault' };
  }
}
