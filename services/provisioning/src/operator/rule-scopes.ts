/**
 * Domains and users that rules of the operator file are for. One of another tenant is refused, by the file alone where that names both, else when it is
 * applied. One nobody has may be made later, and deleted by its tenant at any time: that keeps no file from being applied, and is told.
 */
import { ConfigError, type Fault, type FieldPath, pathText } from '@postern/config';
import { canonical, canonicalDomain, domainOf } from '../addresses.js';
import type { Transaction } from '../database/tenant-scope.js';
import { fileRules } from './file-rules.js';
import type { OperatorDocument } from './schema.js';

interface ScopedRule {
  readonly path: FieldPath;
  readonly tenant: string;
  readonly scope: string;
  readonly domain: string;
}

const mostFaults = 20;
const mostNotes = 20;

function scopedRules({ rules }: OperatorDocument): ScopedRule[] {
  return fileRules(rules).flatMap(({ index, tenant, scope }) =>
    tenant === '' || scope === '' ? [] : [{ path: ['rules', index, 'scope'], tenant, scope, domain: domainOf(scope) }],
  );
}

const foreignMessage = ({ tenant, scope, domain }: ScopedRule, owner: string): string =>
  `${JSON.stringify(scope)} is not allowed; expected a domain or user of tenant ${tenant}: ${domain} is tenant ${owner}'s`;

/** A pair the file itself shows to be wrong. */
export function scopeFaults(document: OperatorDocument): Fault[] {
  const owners = new Map(
    document.tenants.flatMap(({ name, domains }) =>
      domains.map((domain) => [canonicalDomain(domain.name) ?? domain.name, name] as const),
    ),
  );
  return scopedRules(document).flatMap((rule) => {
    const owner = owners.get(rule.domain);
    return owner === undefined || owner === rule.tenant
      ? []
      : [{ path: rule.path, message: foreignMessage(rule, owner) }];
  });
}

const idleMessage = ({ tenant, scope }: ScopedRule, where: string): string => {
  const kind = scope.includes('@') ? 'user' : 'domain';
  return `tenant ${tenant} has no ${kind} ${JSON.stringify(scope)}${where}; until it has, the rule is asked for nobody's mail`;
};

/** Of what the file shows: for whoever checks it without the database. */
export function scopeNotes(document: OperatorDocument): Fault[] {
  const own = new Set(
    document.tenants.flatMap(({ name, domains, users }) => [
      ...domains.map((domain) => `${name} ${canonicalDomain(domain.name) ?? domain.name}`),
      ...users.map(({ address }) => `${name} ${canonical(address) ?? address}`),
    ]),
  );
  return scopedRules(document)
    .filter(({ tenant, scope }) => !own.has(`${tenant} ${scope}`))
    .map((rule) => ({ path: rule.path, message: idleMessage(rule, ' in this file') }));
}

/** To be asked when the tenants of the file are in the database. Returns what is taken and asked for nobody. */
export async function refuseForeignScopes(
  tx: Transaction,
  document: OperatorDocument,
  file: string,
): Promise<string[]> {
  const scoped = scopedRules(document);
  if (scoped.length === 0) return [];
  const names = await tx.rows<{ name: string; tenant: string }>(
    'SELECT name, tenant FROM domains WHERE name = ANY ($1) UNION ALL SELECT address, tenant FROM users WHERE address = ANY ($2)',
    [scoped.map(({ domain }) => domain), scoped.map(({ scope }) => scope)],
  );
  const owners = new Map(names.map(({ name, tenant }) => [name, tenant]));
  const problems = scoped.flatMap((rule) => {
    const owner = owners.get(rule.domain);
    if (owner === undefined || owner === rule.tenant) return [];
    return [{ place: file, path: pathText(rule.path), message: foreignMessage(rule, owner) }];
  });
  if (problems.length > 0) throw new ConfigError(problems.slice(0, mostFaults));
  return scoped
    .filter(({ scope, tenant }) => owners.get(scope) !== tenant)
    .slice(0, mostNotes)
    .map((rule) => `${pathText(rule.path)}: ${idleMessage(rule, '')}`);
}
