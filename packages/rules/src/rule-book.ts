/**
 * All rules of a snapshot: one set of the operator, one of each tenant, asked in that order. Sets that did not change are kept from the
 * snapshot before. A tenant's rule that cannot be compiled is left out and said so: it must not hold up the configuration of others;
 * an operator's refuses the snapshot, because leaving it out could admit what it refuses.
 */
import { PosternError } from '@postern/errors';
import { availableDatabases, notCarriedOut } from './carried-out.js';
import { type RuleEvent, ruleEvents } from './event.js';
import type { RuleOptions } from './rule.js';
import { compileRules, type RuleSet } from './rule-set.js';

/** A rule as the snapshot carries it. */
export interface StoredRule {
  readonly id: string;
  readonly version: number;
  /** `server` or `tenant`. */
  readonly scope: string;
  readonly tenant: string;
  /** JSON. */
  readonly document: string;
}

/** What a service takes of each set; whole by default. */
export type Narrow = (set: RuleSet) => RuleSet;

export interface RuleChoice {
  /** In the order in which they are asked. */
  readonly sets: readonly RuleSet[];
  has(event: RuleEvent): boolean;
}

export interface RuleBook {
  /** Rules that apply to a tenant's mail; '' = the operator's alone. */
  of(tenant: string): RuleChoice;
  /** The same with these rules tried: each takes the place of the one of its scope and id. Throws where one cannot be compiled. */
  trying(candidates: readonly StoredRule[]): RuleBook;
  readonly size: number;
}

export interface RuleCompiler {
  compile(rules: readonly StoredRule[]): RuleBook;
}

export type OnRefusedRule = (tenant: string, rule: string, reason: string) => void;

interface Kept {
  readonly source: string;
  readonly set: RuleSet;
}

function choiceOf(sets: readonly RuleSet[]): RuleChoice {
  const filled = sets.filter((set) => set.size > 0);
  const events = new Set(ruleEvents.filter((event) => filled.some((set) => set.events.has(event))));
  return { sets: filled, has: (event) => events.has(event) };
}

function documentOf({ id, version, document }: StoredRule): unknown {
  const parsed: unknown = JSON.parse(document);
  return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? { ...parsed, id, version } : parsed;
}

function compileStrict(rules: readonly StoredRule[], options: RuleOptions): RuleSet | string {
  try {
    const compiled = compileRules(rules.map(documentOf), options);
    if (compiled.ok) return compiled.set;
    const [first] = compiled.errors;
    return `${first?.ruleId} ${first?.field}: ${first?.message} (${first?.hint})`;
  } catch (error) {
    return error instanceof Error ? error.message : 'unreadable';
  }
}

function compileOperator(rules: readonly StoredRule[]): RuleSet {
  const compiled = compileStrict(rules, {
    scope: { kind: 'operator' },
    unsupported: notCarriedOut,
    available: availableDatabases,
  });
  if (typeof compiled === 'string') throw new PosternError('config-invalid', `operator rules: ${compiled}`);
  return compiled;
}

function compileTenant(tenant: string, rules: readonly StoredRule[], onRefused: OnRefusedRule): RuleSet {
  const options: RuleOptions = {
    scope: { kind: 'tenant', tenant },
    unsupported: notCarriedOut,
    available: availableDatabases,
  };
  const whole = compileStrict(rules, options);
  if (typeof whole !== 'string') return whole;
  const good = rules.filter((rule) => {
    const alone = compileStrict([rule], options);
    if (typeof alone === 'string') onRefused(tenant, `${rule.id}@${rule.version}`, alone);
    return typeof alone !== 'string';
  });
  const rest = compileStrict(good, options);
  if (typeof rest !== 'string') return rest;
  onRefused(tenant, '', rest);
  return { scope: options.scope, size: 0, events: new Map() };
}

const isOperators = ({ scope }: StoredRule): boolean => scope === 'server';
const isTenants = ({ scope, tenant }: StoredRule): boolean => scope === 'tenant' && tenant !== '';
const sourceOf = (rules: readonly StoredRule[]): string => JSON.stringify(rules);

type KeptSets = ReadonlyMap<string, Kept>;

interface Built {
  readonly book: RuleBook;
  readonly kept: KeptSets;
}

function build(rules: readonly StoredRule[], kept: KeptSets, onRefused: OnRefusedRule, narrow: Narrow): Built {
  const next = new Map<string, Kept>();
  const setOf = (owner: string, own: readonly StoredRule[], compile: () => RuleSet): RuleSet => {
    const source = sourceOf(own);
    const known = kept.get(owner);
    const set = known?.source === source ? known.set : narrow(compile());
    next.set(owner, { source, set });
    return set;
  };
  const operators = rules.filter(isOperators);
  const operator = setOf('', operators, () => compileOperator(operators));
  const byTenant = Map.groupBy(rules.filter(isTenants), ({ tenant }) => tenant);
  for (const { tenant, id, version, scope } of rules.filter((rule) => !isOperators(rule) && !isTenants(rule)))
    onRefused(tenant, `${id}@${version}`, `scope ${scope} is not known to this release`);
  const choices = new Map<string, RuleChoice>();
  for (const [tenant, own] of byTenant)
    choices.set(tenant, choiceOf([operator, setOf(tenant, own, () => compileTenant(tenant, own, onRefused))]));
  const otherwise = choiceOf([operator]);
  const book: RuleBook = {
    of: (tenant) => choices.get(tenant) ?? otherwise,
    size: rules.length,
    trying: (candidates) => {
      const replaced = new Set(candidates.map(placeOf));
      const all = [...rules.filter((rule) => !replaced.has(placeOf(rule))), ...candidates];
      return build(all, next, refuseCandidate, narrow).book;
    },
  };
  return { book, kept: next };
}

const placeOf = ({ scope, tenant, id }: StoredRule): string => JSON.stringify([scope, tenant, id]);

const refuseCandidate: OnRefusedRule = (_tenant, rule, reason) => {
  throw new PosternError('invalid-argument', `rule ${rule}: ${reason}`);
};

export function createRuleCompiler(onRefused: OnRefusedRule, narrow: Narrow = (set) => set): RuleCompiler {
  let kept: KeptSets = new Map();
  return {
    compile(rules) {
      const built = build(rules, kept, onRefused, narrow);
      kept = built.kept;
      return built.book;
    },
  };
}
