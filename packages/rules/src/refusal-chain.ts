/**
 * What rules could refuse of one recipient's copy once its content is known, found out at RCPT: the rules of headers and body that refuse, in the order
 * they are asked, with those before them that can end the asking, each with what is left of its conditions. Equal chains refuse the same content, so
 * names, texts and codes are no part of the key. Bounded by the same budget as asking the rules.
 */
import type { Action } from './action.js';
import { candidates } from './candidates.js';
import { type Binds, contentEvents, counted, type Role, roleOf } from './chain-roles.js';
import { renewEffort } from './effort.js';
import type { Budget } from './evaluate.js';
import { factContext } from './fact-context.js';
import type { Facts } from './fact-table.js';
import { type Residual, residualOf } from './residual.js';
import type { Rule } from './rule.js';
import type { RuleChoice } from './rule-book.js';
import type { RuleSet } from './rule-set.js';

export interface ChainLink {
  /** `id@version`. */
  readonly rule: string;
  /** undefined = the operator's. */
  readonly tenant: string | undefined;
  /** Its domain or user; empty for the whole tenant. */
  readonly target: string;
  /** Equal where they do the same to the same content. */
  readonly key: string;
}

export interface RefusalChain {
  readonly key: string;
  /** Those that refuse, or keep a check from refusing. */
  readonly links: readonly ChainLink[];
}

/** What is left of rules that ask nothing about the recipient; one for all recipients of an evaluation. */
export type RuleRests = Map<Rule, Residual>;

export interface ChainOptions {
  /** Some check could refuse the content: what spares its consequence counts. */
  readonly checksRefuse: boolean;
  readonly binds?: Binds;
  readonly budget?: Budget;
  readonly rests?: RuleRests | undefined;
}

interface Step {
  readonly role: Role;
  readonly link: ChainLink;
}

const rulesPerLook = 8;

/** Undefined = the budget ran out. */
export function refusalChain({ sets }: RuleChoice, facts: Facts, options: ChainOptions): RefusalChain | undefined {
  const { checksRefuse, binds, budget, rests } = options;
  const end = budget === undefined ? Number.POSITIVE_INFINITY : budget.monotonic() + budget.ms;
  const known = { facts, context: factContext(facts) };
  let asked = 0;
  renewEffort();
  const restOf = (rule: Rule): Residual | undefined => {
    const before = rests?.get(rule);
    if (before !== undefined) return before;
    asked += 1;
    if (budget !== undefined && asked % rulesPerLook === 0 && budget.monotonic() >= end) return undefined;
    const rest = residualOf(rule, known);
    if (!rule.asksRecipient) rests?.set(rule, rest);
    return rest;
  };
  const told: Step[] = [];
  const keys: string[] = [];
  for (const event of contentEvents) {
    const bySet: Step[][] = [];
    for (const set of sets) {
      const steps = stepsOf(set, event, { facts, binds, restOf });
      if (steps === undefined) return undefined;
      bySet.push(steps.list);
      if (steps.isEnd) break;
    }
    const kept = relevant(bySet, checksRefuse);
    keys.push(kept.map((steps) => steps.map(({ link }) => link.key).join('\n')).join('\n--\n'));
    told.push(...kept.flat());
  }
  const key = keys.every((part) => part === '') ? '' : keys.join('\n==\n');
  const links = told.filter(({ role }) => role === 'refuses' || role === 'spares').map(({ link }) => link);
  return { key, links };
}

interface Asking {
  readonly binds: Binds;
  readonly facts: Facts;
  /** Undefined = no time. */
  readonly restOf: (rule: Rule) => Residual | undefined;
}

interface Steps {
  readonly list: Step[];
  /** No later set is asked. */
  readonly isEnd: boolean;
}

function stepsOf(
  set: RuleSet,
  event: (typeof contentEvents)[number],
  { facts, binds, restOf }: Asking,
): Steps | undefined {
  const list: Step[] = [];
  let isEnd = false;
  /** A rule before may end this set alone. */
  let mayStop = false;
  const rules = set.events.get(event);
  if (rules === undefined) return { list, isEnd };
  for (const { rule } of candidates(rules, facts)) {
    const actions = counted(rule, set, binds);
    const role = roleOf(actions, rule);
    if (role === undefined) continue;
    const rest = restOf(rule);
    if (rest === undefined) return undefined;
    if (rest === false) continue;
    list.push({ role, link: linkOf(rule, set, actions, rest) });
    const ends = role === 'refuses' || role === 'discards';
    if (rest !== true) {
      mayStop ||= rule.stop && !ends;
      continue;
    }
    isEnd ||= ends && !mayStop;
    if (rule.stop || role === 'refuses') break;
  }
  return { list, isEnd };
}

function linkOf(
  { id, version, stop }: Rule,
  { scope }: RuleSet,
  actions: readonly Action[],
  rest: Residual,
): ChainLink {
  const kinds = actions.map((action) => (action.kind === 'skip' ? `skip ${action.check}` : action.kind));
  return {
    rule: `${id}@${version}`,
    tenant: scope.kind === 'tenant' ? scope.tenant : undefined,
    target: scope.kind === 'tenant' ? (scope.target ?? '') : '',
    key: `${kinds.join()}${stop ? ' stop' : ''}: ${String(rest)}`,
  };
}

/** Without what comes after all that refuses or spares: nothing of it changes a refusal. */
function relevant(bySet: readonly Step[][], checksRefuse: boolean): Step[][] {
  const kept: Step[][] = [];
  const matters = ({ role }: Step): boolean => role === 'refuses' || (role === 'spares' && checksRefuse);
  let isLater = false;
  for (const steps of bySet.toReversed()) {
    const last = steps.findLastIndex((step) => matters(step) || (step.role === 'discards' && isLater));
    const list = steps.slice(0, last + 1);
    if (list.length === 0) continue;
    kept.unshift(list);
    isLater ||= list.some(matters);
  }
  return kept;
}
