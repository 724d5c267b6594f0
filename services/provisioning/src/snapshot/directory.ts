/**
 * Recipient entries as DIRECTORY holds them, read from the tables. An address has one entry at most: user, alias or group; postmaster@
 * and abuse@ of a hosted domain always have one (design.md, Tenancy).
 */
import { type RecipientEntry, RecipientKind } from '@postern/proto/directory/v1/recipient';
import { domainOf } from '../addresses.js';
import type { Transaction } from '../database/tenant-scope.js';
import { roleLocalParts } from './outbox.js';

interface Row {
  readonly address: string;
  readonly tenant: string;
  readonly kind: 'user' | 'alias' | 'group';
  readonly targets: string[];
  readonly enabled: boolean;
  readonly identities: string[];
  readonly checks: string;
}

const kinds = { user: RecipientKind.USER, alias: RecipientKind.ALIAS, group: RecipientKind.GROUP } as const;

/** Undefined = no such recipient: its entry is removed. */
export async function recipientEntries(
  tx: Transaction,
  addresses: readonly string[],
): Promise<Map<string, RecipientEntry | undefined>> {
  const rows = await tx.rows<Row>(
    `SELECT u.address, u.tenant, 'user' AS kind, '{}'::text[] AS targets, NOT u.disabled AS enabled, u.allowed_identities AS identities,
       coalesce(c.document::text, '') AS checks
     FROM users u LEFT JOIN check_settings c ON c.tenant = u.tenant AND c.scope = u.address WHERE u.address = ANY ($1)
     UNION ALL
     SELECT address, tenant, CASE WHEN is_group THEN 'group' ELSE 'alias' END, targets, true, '{}', '' FROM aliases WHERE address = ANY ($1)`,
    [addresses],
  );
  const entries = new Map<string, RecipientEntry | undefined>(addresses.map((address) => [address, undefined]));
  for (const { address, tenant, kind, targets, enabled, identities, checks } of rows) {
    const allowedIdentities = identities;
    entries.set(address, { address, tenant, kind: kinds[kind], targets, enabled, allowedIdentities, checks });
  }
  await addRoleAddresses(tx, entries);
  return entries;
}

async function addRoleAddresses(tx: Transaction, entries: Map<string, RecipientEntry | undefined>): Promise<void> {
  const open = [...entries].filter(([address, entry]) => {
    return (entry === undefined || !entry.enabled) && roleLocalParts.has(address.slice(0, address.lastIndexOf('@')));
  });
  if (open.length === 0) return;
  const domains = await tx.rows<{ name: string; tenant: string }>(
    'SELECT name, tenant FROM domains WHERE name = ANY ($1)',
    [open.map(([address]) => domainOf(address))],
  );
  const settings = await tx.rows<{ value: string }>("SELECT value FROM operator_settings WHERE name = 'postmaster'");
  const operator = settings[0]?.value ?? '';
  const owners = new Map(domains.map((domain) => [domain.name, domain.tenant]));
  for (const [address] of open) {
    const tenant = owners.get(domainOf(address));
    if (tenant === undefined) continue;
    const alias = operator !== '' && operator !== address;
    entries.set(address, {
      address,
      tenant,
      kind: alias ? RecipientKind.ALIAS : RecipientKind.USER,
      targets: alias ? [operator] : [],
      enabled: true,
      allowedIdentities: [],
      checks: '',
    });
  }
}
