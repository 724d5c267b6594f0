/**
 * What a schema cannot see: names that must exist, addresses in the tenant's own domains, domains given twice. Pure.
 */
import type { Fault, FieldPath } from '@postern/config';
import { canonical, domainOf } from '../addresses.js';
import { isTenantRoute, namedRoutes } from '../rule-routes.js';
import { fileTargetFaults } from '../rule-targets.js';
import { fileCheckFaults } from './file-checks.js';
import { fileRuleFaults, fileRules, isMap } from './file-rules.js';
import { scopeFaults } from './rule-scopes.js';
import type { OperatorDocument, OperatorTenant } from './schema.js';

const shown = (value: string): string => JSON.stringify(value);
const mostNames = 20;
const oneOf = (names: Iterable<string>, otherwise: string): string => {
  const list = [...names];
  if (list.length === 0) return otherwise;
  return `expected one of ${list.slice(0, mostNames).join(', ')}${list.length > mostNames ? ' ...' : ''}`;
};
const noHop = 'no next hop is defined: name one under nextHops first';
const services = ['smtp', 'api'];

/** Names no tenant may take: the key space of the operator. */
export const reservedTenants = new Set(['system', 'operator']);

export function referenceProblems(document: OperatorDocument): Fault[] {
  const problems: Fault[] = [];
  const hops = new Set(Object.keys(document.nextHops));
  if (document.defaultNextHop !== '' && !hops.has(document.defaultNextHop)) {
    const message = `${shown(document.defaultNextHop)} is not allowed; ${oneOf(hops, noHop)}`;
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
  document.oauthIssuers.forEach(({ issuer, jwksUrl, jwksFile }, index) => {
    const at = ['oauthIssuers', index];
    if ((jwksUrl === '') === (jwksFile === undefined)) {
      const message =
        jwksFile === undefined ? 'missing; expected it or jwksFile' : 'is given with jwksFile; expected one of them';
      problems.push({ path: [...at, 'jwksUrl'], message });
    }
    if (document.oauthIssuers.findIndex((other) => other.issuer === issuer) < index)
      problems.push({ path: [...at, 'issuer'], message: `${shown(issuer)} is named twice; expected it once` });
  });
  document.kerberosRealms.forEach(({ realm }, index) => {
    if (document.kerberosRealms.findIndex((other) => other.realm === realm) < index)
      problems.push({
        path: ['kerberosRealms', index, 'realm'],
        message: `${shown(realm)} is named twice; expected it once`,
      });
  });
  const listenerNames = new Set(['mx', 'submission', 'submissions', ...Object.keys(document.listeners)]);
  document.access.forEach((rule, index) => {
    const path = ['access', index, 'target'];
    if (rule.level !== 'global' && rule.target === '') {
      const expected =
        rule.level === 'service' ? `one of ${services.join(', ')}` : 'the name of a listener, such as mx';
      problems.push({ path, message: `missing; expected ${expected}, since level is ${rule.level}` });
    } else if (rule.level === 'service' && !services.includes(rule.target))
      problems.push({ path, message: `${shown(rule.target)} is not allowed; expected one of ${services.join(', ')}` });
    else if (rule.level === 'listener' && !listenerNames.has(rule.target))
      problems.push({ path, message: `${shown(rule.target)} is not allowed; ${oneOf(listenerNames, '')}` });
    else if (rule.level === 'global' && rule.target !== '')
      problems.push({
        path,
        message: `${shown(rule.target)} is not allowed; expected no target, since level is global`,
      });
  });
  if (document.retry.cap < document.retry.first) {
    problems.push({ path: ['retry', 'cap'], message: 'shorter than retry.first; expected at least as long' });
  }
  for (const [name, { hosts }] of Object.entries(document.nextHops))
    problems.push(...hostFaults(hosts, ['nextHops', name, 'hosts']));
  problems.push(
    ...fileRuleFaults(document),
    ...fileTargetFaults(document),
    ...scopeFaults(document),
    ...ruleHopFaults(document, hops),
    ...fileCheckFaults(document),
  );
  const tenants = new Set<string>();
  const domains = new Map<string, string>();
  document.tenants.forEach((tenant, index) => {
    const at = ['tenants', index];
    if (reservedTenants.has(tenant.name) || tenants.has(tenant.name)) {
      problems.push({
        path: [...at, 'name'],
        message: `${shown(tenant.name)} is ${tenants.has(tenant.name) ? 'given twice; expected each tenant once' : `reserved; expected a name other than ${[...reservedTenants].join(', ')}`}`,
      });
    }
    tenants.add(tenant.name);
    problems.push(...tenantProblems(tenant, at, hops, domains));
  });
  return problems;
}

/**
 * Next hops of the operator that its rules name, for mail or for its login. Routes of tenants are looked up when the file is applied; rules of a
 * tenant may name routes it makes by the API later.
 */
function ruleHopFaults({ rules, tenants }: OperatorDocument, hops: ReadonlySet<string>): Fault[] {
  const ofTenants = tenants.flatMap(({ name, routes }) => routes.map((route) => `${name}/${route.name}`));
  return fileRules(rules).flatMap(({ index, tenant, rule }) =>
    (tenant === '' && isMap(rule) ? namedRoutes(rule) : [])
      .filter(({ name }) => !hops.has(name) && !isTenantRoute(name))
      .map(({ field, action, name }) => ({
        path: ['rules', index, 'then', action, 'route', field],
        message: `${shown(name)} is not allowed; ${oneOf([...hops, ...ofTenants], noHop)}`,
      })),
  );
}

type Hosts = OperatorDocument['nextHops'][string]['hosts'];

function hostFaults(hosts: Hosts, at: FieldPath): Fault[] {
  return hosts.flatMap((host, index) => {
    const path = [...at, index];
    const given = host.password !== undefined || host.passwordFile !== undefined;
    if (given && host.username === '')
      return [{ path: [...path, 'username'], message: 'missing; expected the login the password is for' }];
    if (!given && host.username !== '')
      return [
        { path: [...path, 'passwordFile'], message: `missing; expected the password of ${shown(host.username)}` },
      ];
    return host.password !== undefined && host.passwordFile !== undefined ? [twoPasswords(path)] : [];
  });
}

const twoPasswords = (at: FieldPath): Fault => ({
  path: [...at, 'passwordFile'],
  message: 'given beside password; expected one of the two',
});

function tenantProblems(
  tenant: OperatorTenant,
  at: FieldPath,
  operatorHops: ReadonlySet<string>,
  domains: Map<string, string>,
): Fault[] {
  const problems: Fault[] = [];
  const hops = new Set([...operatorHops, ...tenant.routes.map((route) => route.name)]);
  const own = new Set(tenant.domains.map((domain) => domain.name));
  tenant.domains.forEach((domain, index) => {
    const path = [...at, 'domains', index];
    const holder = domains.get(domain.name);
    if (holder !== undefined) {
      const message =
        holder === tenant.name
          ? `${shown(domain.name)} is given twice; expected each domain once`
          : `${shown(domain.name)} is a domain of tenant ${shown(holder)} already; expected a domain that no other tenant has`;
      problems.push({ path: [...path, 'name'], message });
    }
    domains.set(domain.name, tenant.name);
    if (domain.nextHop !== '' && !hops.has(domain.nextHop)) {
      problems.push({
        path: [...path, 'nextHop'],
        message: `${shown(domain.nextHop)} is not allowed; ${oneOf(hops, `${noHop}, or under routes of the tenant`)}`,
      });
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
      const expected =
        own.size === 0
          ? 'the tenant has no domain yet: give it one under its domains'
          : `expected an address in a domain of the tenant (${[...own].slice(0, mostNames).join(', ')})`;
      problems.push({ path, message: `${shown(address)} is not allowed; ${expected}` });
    } else if (taken.has(known)) {
      const message = `${shown(address)} is given twice; expected each address once, as a user or as an alias`;
      problems.push({ path, message });
    } else taken.add(known);
  };
  for (const [index, user] of tenant.users.entries()) {
    checkAddress('users', index, user.address);
    if (user.password !== undefined && user.passwordFile !== undefined)
      problems.push(twoPasswords([...at, 'users', index]));
  }
  const routes = new Set<string>();
  for (const [index, { name, hosts }] of tenant.routes.entries()) {
    if (routes.has(name))
      problems.push({
        path: [...at, 'routes', index, 'name'],
        message: `${shown(name)} is given twice; expected each route once`,
      });
    routes.add(name);
    problems.push(...hostFaults(hosts, [...at, 'routes', index, 'hosts']));
  }
  for (const [index, alias] of tenant.aliases.entries()) checkAddress('aliases', index, alias.address);
  return problems;
}
