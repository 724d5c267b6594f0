/**
 * Rules as the snapshot carries them, and how those of one scope become a set. An operator's set is compiled whole or not at all; of a tenant's,
 * what cannot be compiled is left out, each said so.
 */
import { type ActionKind, permittableActions } from './action.js';
import { availableDatabases, notCarriedOut } from './carried-out.js';
import type { RuleOptions, RuleScope } from './rule.js';
import { compileRules, type RuleSet } from './rule-set.js';

export interface StoredRule {
  readonly id: string;
  readonly version: number;
  /** `server`, `tenant`, `domain` or `user`. */
  readonly scope: string;
  readonly tenant: string;
  /** The domain, or user@domain, in lower case; empty for the other scopes. */
  readonly target: string;
  /** JSON. */
  readonly document: string;
}

/** Loosening actions the operator lets tenants use. */
export type RuleRights = ReadonlyMap<string, readonly ActionKind[]>;

export type OnRefusedRule = (tenant: string, rule: string, reason: string) => void;

type TenantScope = Extract<RuleScope, { kind: 'tenant' }>;

export function rightsOf(
  tenants: readonly { readonly name: string; readonly ruleActions: readonly string[] }[],
): RuleRights {
  const rights = new Map<string, readonly ActionKind[]>();
  for (const { name, ruleActions } of tenants) {
    const open = permittableActions.filter((action) => ruleActions.includes(action));
    if (open.length > 0) rights.set(name, open);
  }
  return rights;
}

export const isRuleOfOperator = ({ scope }: StoredRule): boolean => scope === 'server';

export function isRuleOfTenant({ scope, tenant, target }: StoredRule): boolean {
  if (tenant === '') return false;
  if (scope === 'tenant') return target === '';
  return scope === 'domain'
    ? target !== '' && !target.includes('@')
    : scope === 'user' && target.lastIndexOf('@') > 0 && !target.endsWith('@');
}

export const targetOf = ({ target }: StoredRule): string => target.toLowerCase();

export const placeOf = ({ scope, tenant, target, id }: StoredRule): string =>
  JSON.stringify([scope, tenant, target, id]);

function documentOf({ id, version, document }: StoredRule): unknown {
  const parsed: unknown = JSON.parse(document);
  return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? { ...parsed, id, version } : parsed;
}

function compileStrict(rules: readonly StoredRule[], scope: RuleScope): RuleSet | string {
  const options: RuleOptions = {
    scope,
    unsupported: notCarriedOut, // Whether there is one was judged when the rule was saved.
    available: availableDatabases(true),
  };
  try {
    const compiled = compileRules(rules.map(documentOf), options);
    if (compiled.ok) return compiled.set;
    const [first] = compiled.errors;
    return `${first?.ruleId} ${first?.field}: ${first?.message} (${first?.hint})`;
  } catch (error) {
    return error instanceof Error ? error.message : 'unreadable';
  }
}

/** Or the reason why not. */
export const compileOperator = (rules: readonly StoredRule[]): RuleSet | string =>
  compileStrict(rules, { kind: 'operator' });

export function compileTenant(scope: TenantScope, rules: readonly StoredRule[], onRefused: OnRefusedRule): RuleSet {
  const whole = compileStrict(rules, scope);
  if (typeof whole !== 'string') return whole;
  const ids = new Set<string>();
  const good = rules.filter((rule) => {
    const alone = ids.has(rule.id) ? 'its id is used by another rule of the scope' : compileStrict([rule], scope);
    ids.add(rule.id);
    if (typeof alone === 'string') onRefused(scope.tenant, `${rule.id}@${rule.version}`, alone);
    return typeof alone !== 'string';
  });
  const rest = compileStrict(good, scope);
  if (typeof rest !== 'string') return rest;
  onRefused(scope.tenant, '', rest);
  return { scope, size: 0, events: new Map() };
}
