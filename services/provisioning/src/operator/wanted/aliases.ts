/** Aliases and groups of the operator file, brought into the database. */
import { domainOf } from '../../addresses.js';
import type { Transaction } from '../../database/tenant-scope.js';
import type { OperatorTenant } from '../schema.js';
import { addressOf } from './address.js';

export async function applyAliases(tx: Transaction, tenant: OperatorTenant): Promise<string[]> {
  if (tenant.aliases.length === 0) return [];
  const wanted = tenant.aliases.map((alias) => {
    const address = addressOf(alias.address);
    return { address, domain: domainOf(address), targets: alias.targets.map(addressOf), is_group: alias.group };
  });
  const changed = await tx.rows<{ address: string }>(
    `INSERT INTO aliases AS a (address, domain, tenant, targets, is_group)
     SELECT w.address, w.domain, $2, ARRAY(SELECT jsonb_array_elements_text(w.targets)), w.is_group
     FROM jsonb_to_recordset($1::jsonb) AS w (address text, domain text, targets jsonb, is_group boolean)
     ON CONFLICT (address) DO UPDATE SET targets = excluded.targets, is_group = excluded.is_group, version = a.version + 1
     WHERE (a.targets, a.is_group) IS DISTINCT FROM (excluded.targets, excluded.is_group)
     RETURNING address`,
    [JSON.stringify(wanted), tenant.name],
  );
  return changed.map((row) => row.address);
}
