/**
 * What rules could refuse of one recipient's copy once its content is known, found out at RCPT: the rules of headers and body that refuse, in the order
 * they are asked, with those before them that can end the asking, each with what is left of its conditions. Equal chains refuse the same content, so
 * names, texts and codes are no part of the key. Bounded by the same budget as asking the rules.
 */
import type { ActionKind } from './action.js';
import { candidates } from './candidates.js';
import type { Budget } from './evaluate.js';
import { factContext } from './fact-context.js';
import type { Facts } from './fact-table.js';
import { renewEffort } from './literals.js';
import { type Residual, residualOf, takeApart } from './residual.js';
import type { Rule } from './rule.js';
import type { RuleChoice } from './rule-book.js';
import type { RuleSet } from './rule-set.js';

const contentEvents = ['headers', 'body'] as const;
const refusing: ReadonlySet<ActionKind> = new Set<ActionKind>(['reject', 'tempfail', 'close']);

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
  readonly budget?: Budget;
  readonly rests?: RuleRests;
}

type Role = 'refuses' | 'spares' | 'discards' | 'stops';

interface Profile {
  readonly refuses: boolean;
  readonly spares: boolean;
  readonly asksRecipient: boolean;
}

interface Step {
  readonly role: Role;
  readonly link: ChainLink;
}

const rulesPerLook = 8;
const plain: Profile = { refuses: false, spares: false, asksRecipient: false };
const profiles = new WeakMap<RuleSet, Profile>();

function roleOf({ actions, stop }: Rule, set: RuleSet): Role | undefined {
  if (actions.some(({ kind }) => refusing.has(kind))) return 'refuses';
  if (actions.some(({ kind }) => kind === 'discard')) return 'discards';
  const isInner = set.scope.kind === 'tenant';
  if (actions.some(({ kind }) => kind === 'accept' || (kind === 'skip' && isInner))) return 'spares';
  return stop ? 'stops' : undefined;
}

function contentRules({ events }: RuleSet): Rule[] {
  return contentEvents.flatMap((event) => {
    const of = events.get(event);
    if (of === undefined) return [];
    const { general, byRecipientDomain, bySenderDomain } = of;
    return [general, ...byRecipientDomain.values(), ...bySenderDomain.values()].flat().map(({ rule }) => rule);
  });
}

function profileOf(set: RuleSet): Profile {
  const known = profiles.get(set);
  if (known !== undefined) return known;
  const rules = contentRules(set);
  const roles = rules.map((rule) => roleOf(rule, set));
  const made: Profile = {
    refuses: roles.includes('refuses'),
    spares: roles.includes('spares'),
    asksRecipient: rules.some(({ asksRecipient }, index) => asksRecipient && roles[index] !== undefined),
  };
  profiles.set(set, made);
  return made;
}

/** For a compiler of rules whose chains will be asked for: what a set costs once is done when it is compiled. */
export function withChains(set: RuleSet): RuleSet {
  for (const rule of contentRules(set)) if (roleOf(rule, set) !== undefined) takeApart(rule);
  profileOf(set);
  return set;
}

/** Whether some rule of the choice has a say in it, and whether it may say another thing of another recipient. */
export function chainProfile({ sets }: RuleChoice): Profile {
  let sum = plain;
  for (const set of sets) {
    const { refuses, spares, asksRecipient } = profileOf(set);
    sum = {
      refuses: sum.refuses || refuses,
      spares: sum.spares || spares,
      asksRecipient: sum.asksRecipient || asksRecipient,
    };
  }
  return sum;
}

/** Undefined = the budget ran out. */
export function refusalChain({ sets }: RuleChoice, facts: Facts, options: ChainOptions): RefusalChain | undefined {
  const { checksRefuse, budget, rests } = options;
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
      const steps = stepsOf(set, event, facts, restOf);
      if (steps === undefined) return undefined;
      bySet.push(steps.list);
      if (steps.isEnd) break;
    }
    const counted = relevant(bySet, checksRefuse);
    keys.push(counted.map((steps) => steps.map(({ link }) => link.key).join('\n')).join('\n--\n'));
    told.push(...counted.flat());
  }
  const key = keys.every((part) => part === '') ? '' : keys.join('\n==\n');
  const links = told.filter(({ role }) => role === 'refuses' || role === 'spares').map(({ link }) => link);
  return { key, links };
}

interface Steps {
  readonly list: Step[];
  /** No later set is asked. */
  readonly isEnd: boolean;
}

function stepsOf(
  set: RuleSet,
  event: (typeof contentEvents)[number],
  facts: Facts,
  restOf: (rule: Rule) => Residual | undefined,
): Steps | undefined {
  const list: Step[] = [];
  let isEnd = false;
  /** A rule before may end this set alone. */
  let mayStop = false;
  const rules = set.events.get(event);
  if (rules === undefined) return { list, isEnd };
  for (const { rule } of candidates(rules, facts)) {
    const role = roleOf(rule, set);
    if (role === undefined) continue;
    const rest = restOf(rule);
    if (rest === undefined) return undefined;
    if (rest === false) continue;
    list.push({ role, link: linkOf(rule, set, rest) });
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

function linkOf({ id, version, actions, stop }: Rule, { scope }: RuleSet, rest: Residual): ChainLink {
  const kinds = actions.flatMap((action) => {
    if (action.kind === 'skip') return [`skip ${action.check}`];
    return refusing.has(action.kind) || action.kind === 'accept' || action.kind === 'discard' ? [action.kind] : [];
  });
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
