/**
 * One tenant of the operator file: its row, routes and domains; a domain of another tenant, and an address that is a user and an alias, are refused.
 * What changed is told to the caller, who notes it for the outbox.
 */
import { ConfigError } from '@postern/config';
import type { Transaction } from '../database/tenant-scope.js';
import { noteSnapshot, roleAddresses } from '../snapshot/outbox.js';
import type { OperatorTenant } from './schema.js';
import { addressOf } from './wanted/address.js';
import type { WantedDomain } from './wanted/domains.js';
import type { WantedRoute } from './wanted/routes.js';

interface Noted {
  readonly snapshot: boolean;
  readonly recipients: readonly string[];
  readonly secrets: readonly string[];
}

export async function applyTenantRow(tx: Transaction, tenant: OperatorTenant): Promise<void> {
  const changed = await tx.run(
    `INSERT INTO tenants AS t (name, display_name, weight) VALUES ($1, $2, $3)
     ON CONFLICT (name) DO UPDATE SET display_name = excluded.display_name, weight = excluded.weight, version = t.version + 1
     WHERE (t.display_name, t.weight) IS DISTINCT FROM (excluded.display_name, excluded.weight)`,
    [tenant.name, tenant.displayName, tenant.weight],
  );
  if (changed > 0) await noteSnapshot(tx, tenant.name);
}

export async function applyTenant(
  tx: Transaction,
  tenant: OperatorTenant,
  routes: readonly WantedRoute[],
  domains: readonly WantedDomain[],
  file: string,
): Promise<Noted> {
  await refuseForeignDomains(
    tx,
    tenant,
    domains.map((domain) => domain.name),
    file,
  );
  const changedRoutes = await tx.run(
    `INSERT INTO routes AS r (tenant, name, hosts, egress_pool)
     SELECT $1, w.name, w.hosts, w.egress_pool FROM jsonb_to_recordset($2::jsonb) AS w (name text, hosts jsonb, egress_pool text)
     ON CONFLICT (tenant, name) DO UPDATE SET hosts = excluded.hosts, egress_pool = excluded.egress_pool, version = r.version + 1
     WHERE (r.hosts, r.egress_pool) IS DISTINCT FROM (excluded.hosts, excluded.egress_pool)`,
    [tenant.name, JSON.stringify(routes)],
  );
  const changedDomains = await tx.rows<{ name: string }>(
    `INSERT INTO domains AS d (name, tenant, next_hop, validate_recipients, catch_all, dkim_keys, verified, verification)
     SELECT w.name, $1, w.next_hop, w.validate_recipients, w.catch_all, w.dkim_keys, true, ''
     FROM jsonb_to_recordset($2::jsonb)
       AS w (name text, next_hop text, validate_recipients boolean, catch_all text, dkim_keys jsonb)
     ON CONFLICT (name) DO UPDATE SET next_hop = excluded.next_hop, validate_recipients = excluded.validate_recipients,
       catch_all = excluded.catch_all, dkim_keys = excluded.dkim_keys, verified = true,
       verified_at = CASE WHEN d.verified THEN d.verified_at ELSE now() END, version = d.version + 1
     WHERE (d.next_hop, d.validate_recipients, d.catch_all, d.dkim_keys, d.verified) IS DISTINCT FROM
       (excluded.next_hop, excluded.validate_recipients, excluded.catch_all, excluded.dkim_keys, true)
     RETURNING name`,
    [tenant.name, JSON.stringify(domains)],
  );
  return {
    snapshot: changedRoutes + changedDomains.length > 0,
    recipients: changedDomains.flatMap((domain) => roleAddresses(domain.name)),
    secrets: [...routes, ...domains].flatMap((wanted) => wanted.secrets),
  };
}

async function refuseForeignDomains(
  tx: Transaction,
  tenant: OperatorTenant,
  names: string[],
  file: string,
): Promise<void> {
  const foreign = await tx.rows<{ name: string; tenant: string }>(
    'SELECT name, tenant FROM domains WHERE name = ANY ($1) AND tenant <> $2 LIMIT 20',
    [names, tenant.name],
  );
  if (foreign.length === 0) return;
  throw new ConfigError(
    foreign.map((row) => ({
      place: file,
      path: `tenants.${tenant.name}.domains`,
      message: `${JSON.stringify(row.name)} belongs to tenant ${row.tenant} already; expected a domain that no other tenant has`,
    })),
  );
}

export async function refuseCollisions(tx: Transaction, tenant: OperatorTenant, file: string): Promise<void> {
  const taken = await tx.rows<{ address: string }>(
    `SELECT address FROM aliases WHERE address = ANY ($1) UNION ALL SELECT address FROM users WHERE address = ANY ($2) LIMIT 20`,
    [tenant.users.map((user) => addressOf(user.address)), tenant.aliases.map((alias) => addressOf(alias.address))],
  );
  if (taken.length === 0) return;
  throw new ConfigError(
    taken.map((row) => ({
      place: file,
      path: `tenants.${tenant.name}`,
      message: `${JSON.stringify(row.address)} is both a user and an alias; expected one of them`,
    })),
  );
}
