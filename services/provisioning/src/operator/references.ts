/**
 * What a schema cannot see: names that must exist, addresses in the tenant's own domains, domains given twice. Pure.
 */
import { compileRules, notCarriedOut } from '@postern/rules';
import { canonical, domainOf } from '../addresses.js';
import type { OperatorDocument, OperatorTenant } from './schema.js';

export interface ReferenceProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

const shown = (value: string): string => JSON.stringify(value);
const oneOf = (names: Iterable<string>): string => {
  const list = [...names].slice(0, 20);
  return list.length === 0 ? 'none is defined' : `expected one of ${list.join(', ')}`;
};

/** Names no tenant may take: the key space of the operator. */
export const reservedTenants = new Set(['system', 'operator']);

export function referenceProblems(document: OperatorDocument): ReferenceProblem[] {
  const problems: ReferenceProblem[] = [];
  const hops = new Set(Object.keys(document.nextHops));
  if (document.defaultNextHop !== '' && !hops.has(document.defaultNextHop)) {
    const message = `${shown(document.defaultNextHop)} is not allowed; ${oneOf(hops)}`;
    problems.push({ path: ['defaultNextHop'], message });
  }
  for (const [name, listener] of Object.entries(document.listeners)) {
    if (listener.role === undefined && !['mx', 'submission', 'submissions'].includes(name)) {
      problems.push({
        path: ['listeners', name, 'role'],
        message: 'missing; expected one of mx, submission, submissions',
      });
    }
  }
  document.access.forEach((rule, index) => {
    if (rule.level === 'global' || rule.target !== '') return;
    problems.push({ path: ['access', index, 'target'], message: `missing; expected the name of a ${rule.level}` });
  });
  problems.push(...ruleProblems(document));
  const tenants = new Set<string>();
  const domains = new Map<string, string>();
  document.tenants.forEach((tenant, index) => {
    const at = ['tenants', index];
    if (reservedTenants.has(tenant.name) || tenants.has(tenant.name)) {
      problems.push({
        path: [...at, 'name'],
        message: `${shown(tenant.name)} is ${tenants.has(tenant.name) ? 'given twice' : 'reserved'}`,
      });
    }
    tenants.add(tenant.name);
    problems.push(...tenantProblems(tenant, at, hops, domains));
  });
  return problems;
}

function ruleProblems(document: OperatorDocument): ReferenceProblem[] {
  const compiled = compileRules(document.rules, { scope: { kind: 'operator' }, unsupported: notCarriedOut });
  if (compiled.ok) return [];
  return compiled.errors.map((error) => {
    const index = document.rules.findIndex(
      (rule, at) => ruleIdOf(rule) === error.ruleId || `#${at + 1}` === error.ruleId,
    );
    const field = /^[a-z]+/i.exec(error.field)?.[0];
    const path = ['rules', ...(index < 0 ? [] : [index]), ...(field === undefined ? [] : [field])];
    const where = error.line > 1 || error.column > 1 ? ` (line ${error.line}, column ${error.column})` : '';
    return { path, message: `${error.message}${where}${error.hint === '' ? '' : `; ${error.hint}`}` };
  });
}

function ruleIdOf(rule: unknown): unknown {
  return typeof rule === 'object' && rule !== null && 'id' in rule ? rule.id : undefined;
}

function tenantProblems(
  tenant: OperatorTenant,
  at: readonly (string | number)[],
  operatorHops: ReadonlySet<string>,
  domains: Map<string, string>,
): ReferenceProblem[] {
  const problems: ReferenceProblem[] = [];
  const hops = new Set([...operatorHops, ...tenant.routes.map((route) => route.name)]);
  const own = new Set(tenant.domains.map((domain) => domain.name));
  tenant.domains.forEach((domain, index) => {
    const path = [...at, 'domains', index];
    const holder = domains.get(domain.name);
    if (holder !== undefined)
      problems.push({ path: [...path, 'name'], message: `${shown(domain.name)} belongs to ${holder} already` });
    domains.set(domain.name, tenant.name);
    if (domain.nextHop !== '' && !hops.has(domain.nextHop)) {
      problems.push({ path: [...path, 'nextHop'], message: `${shown(domain.nextHop)} is not allowed; ${oneOf(hops)}` });
    }
    if (domain.catchAll !== '' && canonical(domain.catchAll) === undefined) {
      problems.push({
        path: [...path, 'catchAll'],
        message: `${shown(domain.catchAll)} is not allowed; expected a mail address`,
      });
    }
  });
  const taken = new Set<string>();
  const checkAddress = (kind: 'users' | 'aliases', index: number, address: string): void => {
    const path = [...at, kind, index, 'address'];
    const known = canonical(address);
    if (known === undefined || !own.has(domainOf(known))) {
      problems.push({
        path,
        message: `${shown(address)} is not allowed; expected an address in a domain of the tenant: ${[...own].slice(0, 20).join(', ')}`,
      });
    } else if (taken.has(known)) problems.push({ path, message: `${shown(address)} is given twice` });
    else taken.add(known);
  };
  for (const [index, user] of tenant.users.entries()) checkAddress('users', index, user.address);
  for (const [index, alias] of tenant.aliases.entries()) checkAddress('aliases', index, alias.address);
  return problems;
}
