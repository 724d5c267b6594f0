/**
 * Addresses that a rule redirects to or adds. A tenant's rule must not lead into another tenant's domain, past whose rules and lists the mail would go;
 * policy holds it to that as well (services/policy/src/evaluation/rule-targets.ts).
 */
import { type Fault, type PlainValue, quoteValue } from '@postern/config';
import { canonical, canonicalDomain, domainOf } from './addresses.js';
import type { Transaction } from './database/tenant-scope.js';
import { fileRules, isMap } from './operator/file-rules.js';
import type { OperatorDocument } from './operator/schema.js';

export interface NamedTarget {
  readonly kind: 'redirect' | 'addRecipient';
  readonly action: number;
  /** In the form of the directory. */
  readonly address: string;
}

export function namedTargets({ then }: Readonly<Record<string, PlainValue>>): NamedTarget[] {
  const actions = Array.isArray(then) ? then : then === undefined ? [] : [then];
  return actions.flatMap((written, action) => {
    if (!isMap(written)) return [];
    return (['redirect', 'addRecipient'] as const).flatMap((kind) => {
      const fields = Object.hasOwn(written, kind) ? written[kind] : undefined;
      const address = isMap(fields) && typeof fields.address === 'string' ? canonical(fields.address) : undefined;
      return address === undefined ? [] : [{ kind, action, address }];
    });
  });
}

/** `tx` sees the domains of all tenants. */
export async function targetFaults(tx: Transaction, tenant: string, targets: readonly NamedTarget[]): Promise<Fault[]> {
  const foreign = await tx.rows<{ name: string }>('SELECT name FROM domains WHERE name = ANY ($1) AND tenant <> $2', [
    targets.map(({ address }) => domainOf(address)),
    tenant,
  ]);
  return faultsIn(new Set(foreign.map(({ name }) => name)), targets);
}

const faultsIn = (foreign: ReadonlySet<string>, targets: readonly NamedTarget[]): Fault[] =>
  targets
    .filter(({ address }) => foreign.has(domainOf(address)))
    .map(({ kind, action, address }) => ({
      path: ['then', action, kind, 'address'],
      message: `${quoteValue(address)} is not allowed; expected an address of the tenant or elsewhere: ${domainOf(address)} is another tenant's here`,
    }));

/** Of the rules of an operator file, by the tenants it names; of others policy knows. */
export function fileTargetFaults({ rules, tenants }: Pick<OperatorDocument, 'rules' | 'tenants'>): Fault[] {
  return fileRules(rules).flatMap(({ index, tenant, rule }) => {
    const targets = tenant === '' || !isMap(rule) ? [] : namedTargets(rule);
    if (targets.length === 0) return [];
    const others = tenants.filter(({ name }) => name !== tenant).flatMap(({ domains }) => domains);
    const foreign = new Set(others.map(({ name }) => canonicalDomain(name) ?? name));
    return faultsIn(foreign, targets).map(({ path, message }) => ({ path: ['rules', index, ...path], message }));
  });
}
