/** The address that stands in for missing postmasters, server-wide. */
import { operatorScope, type Transaction } from '../database/tenant-scope.js';
import { emptyTargets } from '../resources/empty-targets.js';
import { noteRecipients, roleAddresses } from '../snapshot/outbox.js';
import { addressOf } from './wanted/address.js';

/** The address that stands in for missing postmasters is part of every such entry. */
export async function applyPostmaster(tx: Transaction, postmaster: string): Promise<void> {
  const value = postmaster === '' ? '' : addressOf(postmaster);
  const changed = await tx.run(
    `INSERT INTO operator_settings AS o (name, value) VALUES ('postmaster', $1)
     ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE o.value <> excluded.value`,
    [value],
  );
  if (changed === 0) return;
  const domains = await tx.rows<{ name: string; tenant: string }>('SELECT name, tenant FROM domains');
  await noteRecipients(
    tx,
    operatorScope,
    domains.flatMap((domain) => roleAddresses(domain.name)),
  );
}

/** An address of a hosted domain that nobody has: it may be made through the API, so the file is taken, and it is told. Asked when the tenants of the file are there. */
export async function emptyPostmaster(tx: Transaction, postmaster: string): Promise<string[]> {
  if (postmaster === '') return [];
  const effect = 'mail for postmaster without a domain, and for postmaster@ and abuse@ that lead there, fails';
  const told = await emptyTargets(tx, effect, [addressOf(postmaster)]);
  return told.map((text) => `postmaster: ${text}`);
}
