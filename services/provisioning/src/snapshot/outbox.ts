/**
 * The outbox: what a transaction changed, written in the same transaction, so that a change is published exactly when it is committed.
 * Rows say what to look at again, not what to write: the projector reads the state then, so order and repetition do no harm.
 */
import type { Transaction } from '../database/tenant-scope.js';

export const outboxChannel = 'postern_config_outbox';

/** Something every pod must see: tenants, domains, routes, rules. */
export async function noteSnapshot(tx: Transaction, tenant: string): Promise<void> {
  await tx.run("INSERT INTO outbox (tenant, kind) VALUES ($1, 'snapshot')", [tenant]);
  await notify(tx);
}

/** Addresses whose directory entries may have changed. */
export async function noteRecipients(tx: Transaction, tenant: string, addresses: readonly string[]): Promise<void> {
  if (addresses.length === 0) return;
  await tx.run("INSERT INTO outbox (tenant, kind, key) SELECT $1, 'recipient', unnest($2::text[])", [
    tenant,
    addresses,
  ]);
  await notify(tx);
}

/** Keys of SECRETS that may have changed. */
export async function noteSecrets(tx: Transaction, tenant: string, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  await tx.run("INSERT INTO outbox (tenant, kind, key) SELECT $1, 'secret', unnest($2::text[])", [tenant, keys]);
  await notify(tx);
}

/** Delivered at commit, and once however often it is said in a transaction. */
async function notify(tx: Transaction): Promise<void> {
  await tx.rows('SELECT pg_notify($1, $2)', [outboxChannel, '']);
}

/** Addresses every hosted domain answers (RFC 5321 §4.5.1, RFC 2142 §5). */
export const roleAddresses = (domain: string): string[] => [`postmaster@${domain}`, `abuse@${domain}`];
export const roleLocalParts: ReadonlySet<string> = new Set(['postmaster', 'abuse']);
