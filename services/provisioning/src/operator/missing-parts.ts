/**
 * What the operator file declares and the database no longer has, since it was deleted through the API: it is made again when the file is applied, at a
 * start and with every change of it. Only what is missing; what is there stays as it was changed since. An address or a domain somebody else has by
 * now is not missing.
 */
import { canonical, canonicalDomain, domainOf } from '../addresses.js';
import { operatorScope, type WithTenant } from '../database/tenant-scope.js';
import type { OperatorDocument, OperatorTenant } from './schema.js';

const addressOf = (text: string): string => canonical(text) ?? text.toLowerCase();
const nameOf = (text: string): string => canonicalDomain(text) ?? text;

interface Present {
  readonly addresses: ReadonlySet<string>;
  /** Domain to its tenant. */
  readonly domains: ReadonlyMap<string, string>;
  /** `tenant/route` */
  readonly routes: ReadonlySet<string>;
}

async function readPresent(withTenant: WithTenant, tenants: readonly OperatorTenant[]): Promise<Present> {
  const addresses = tenants.flatMap(({ users, aliases }) =>
    [...users, ...aliases].map(({ address }) => addressOf(address)),
  );
  const domains = tenants.flatMap((tenant) => tenant.domains.map(({ name }) => nameOf(name)));
  return withTenant(operatorScope, async (tx) => {
    const taken = await tx.rows<{ address: string }>(
      'SELECT address FROM users WHERE address = ANY ($1) UNION ALL SELECT address FROM aliases WHERE address = ANY ($1)',
      [addresses],
    );
    const held = await tx.rows<{ name: string; tenant: string }>(
      'SELECT name, tenant FROM domains WHERE name = ANY ($1)',
      [domains],
    );
    const routes = await tx.rows<{ name: string }>(
      `SELECT tenant || '/' || name AS name FROM routes WHERE tenant = ANY ($1)`,
      [tenants.map(({ name }) => name)],
    );
    return {
      addresses: new Set(taken.map(({ address }) => address)),
      domains: new Map(held.map(({ name, tenant }) => [name, tenant])),
      routes: new Set(routes.map(({ name }) => name)),
    };
  });
}

/** Each tenant with only what it lacks; those that lack nothing are left out. */
export async function missingParts(
  withTenant: WithTenant,
  tenants: readonly OperatorTenant[],
): Promise<OperatorTenant[]> {
  if (tenants.length === 0) return [];
  const present = await readPresent(withTenant, tenants);
  return tenants.flatMap((tenant) => {
    const holds = (address: string): boolean => (present.domains.get(domainOf(address)) ?? tenant.name) === tenant.name;
    const lacks = ({ address }: { readonly address: string }): boolean =>
      !present.addresses.has(addressOf(address)) && holds(addressOf(address));
    const domains = tenant.domains.filter(({ name }) => !present.domains.has(nameOf(name)));
    const users = tenant.users.filter(lacks);
    const aliases = tenant.aliases.filter(lacks);
    const routes = tenant.routes.filter(({ name }) => !present.routes.has(`${tenant.name}/${name}`));
    if (domains.length + users.length + aliases.length + routes.length === 0) return [];
    const { checks: _kept, ...rest } = tenant;
    return [{ ...rest, domains, users, aliases, routes }];
  });
}

export type DeclaredPart =
  | { readonly kind: 'user' | 'alias' | 'domain'; readonly name: string }
  | { readonly kind: 'route'; readonly tenant: string; readonly name: string };

function isDeclared({ tenants }: OperatorDocument, part: DeclaredPart): boolean {
  const { name } = part;
  const has = (list: readonly { readonly address: string }[]): boolean =>
    list.some(({ address }) => addressOf(address) === name);
  if (part.kind === 'route')
    return tenants.some((tenant) => tenant.name === part.tenant && tenant.routes.some((route) => route.name === name));
  if (part.kind === 'user') return tenants.some(({ users }) => has(users));
  if (part.kind === 'alias') return tenants.some(({ aliases }) => has(aliases));
  return tenants.some(({ domains }) => domains.some((domain) => nameOf(domain.name) === name));
}

/** For whoever deletes it through the API. */
export const comesBack = (document: OperatorDocument, part: DeclaredPart): string[] =>
  isDeclared(document, part)
    ? [
        `${part.kind} ${part.name} stands in the operator file and comes back with its next change, or when provisioning is started again: take it out there too`,
      ]
    : [];
