/**
 * Whether a tenant's part of the operator file is what was applied before: a keyed digest of it, the secrets it names included, kept in the
 * database. A tenant whose mark did not change is left as the API has made it since.
 */
import { readSecret } from '@postern/config';
import { operatorScope, type Transaction } from '../database/tenant-scope.js';
import type { ApplyContext } from './apply-context.js';
import { givenPassword } from './password-source.js';
import type { OperatorTenant } from './schema.js';

const markName = (tenant: string): string => `tenant ${tenant}`;

/** Keyed digests of each tenant's part of the file, the secrets it names included; `changed` are those not applied yet. */
export async function tenantMarks(
  tenants: readonly OperatorTenant[],
  context: ApplyContext,
): Promise<{ readonly changed: ReadonlyMap<string, string> }> {
  const rows = await context.withTenant(operatorScope, (tx) =>
    tx.rows<{ name: string; value: string }>('SELECT name, value FROM operator_settings WHERE name = ANY ($1)', [
      tenants.map((tenant) => markName(tenant.name)),
    ]),
  );
  const applied = new Map(rows.map((row) => [row.name, row.value]));
  const changed = new Map<string, string>();
  for (const tenant of tenants) {
    const sources = [...tenant.users, ...tenant.routes.flatMap((route) => route.hosts)];
    const passwords = await Promise.all(sources.map(givenPassword));
    const keys = await Promise.all(
      tenant.domains.flatMap((domain) => domain.dkim.map(({ keyFile }) => readSecret(keyFile))),
    );
    const text = JSON.stringify([tenant, passwords, keys]);
    const mark = context.sealer.digest('operator-tenant', text).toString('hex');
    if (applied.get(markName(tenant.name)) !== mark) changed.set(tenant.name, mark);
  }
  return { changed };
}

export async function keepMark(tx: Transaction, tenant: string, mark: string): Promise<void> {
  await tx.run(
    `INSERT INTO operator_settings (name, value) VALUES ($1, $2)
     ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
    [markName(tenant), mark],
  );
}
