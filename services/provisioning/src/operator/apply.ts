/**
 * Brings the tenants of the operator file into the database: what is missing is created, what differs is changed, nothing is deleted.
 * Of a tenant whose part of the file is what was applied before only what was deleted since is made again, so that what was changed since through the API stays; a password
 * is hashed only when the file's password changed. One transaction; what changed goes through the outbox. Domains count as verified.
 */
import type { Random } from '@postern/clock';
import { ConfigError, parseEndDate, readSecret } from '@postern/config';
import { canonical, canonicalDomain, domainOf } from '../addresses.js';
import type { HashSlots } from '../credentials/hash-slots.js';
import { hashPassword } from '../credentials/password.js';
import { operatorScope, type Transaction, type WithTenant } from '../database/tenant-scope.js';
import { dkimSecretKey, routeSecretKey, type Sealer } from '../secrets/seal.js';
import type { StoredHost } from '../snapshot/compile.js';
import { noteRecipients, noteSecrets, noteSnapshot, roleAddresses } from '../snapshot/outbox.js';
import { applyFileChecks } from './file-checks.js';
import { refuseUnknownRoutes } from './file-routes.js';
import { missingParts } from './missing-parts.js';
import { refuseUnknownTenants } from './named-tenants.js';
import { givenPassword } from './password-source.js';
import type { OperatorDocument, OperatorTenant } from './schema.js';
import { refuseStoredRules } from './stored-rules.js';

export interface ApplyContext {
  readonly withTenant: WithTenant;
  readonly sealer: Sealer;
  readonly hashSlots: HashSlots;
  readonly random: Random;
  /** Named in messages. */
  readonly file: string;
}

interface WantedUser {
  readonly address: string;
  readonly domain: string;
  readonly tenant: string;
  readonly display_name: string;
  /** Null = leave as it is. */
  readonly disabled: boolean | null;
  /** Milliseconds since 1970, 0 = never; null = leave as it is. */
  readonly expires: number | null;
  readonly allowed_identities: string[];
  readonly recoverable: boolean;
  readonly sealed: string | null;
  readonly password: string | null;
  readonly scram: string | null;
  /** Hex; null = the file gives no new password. */
  readonly digest: string | null;
}

export interface Applied {
  /** Tenants of which parts were made again that had been deleted through the API. */
  readonly restored: readonly OperatorTenant[];
}

export async function applyOperatorDocument(document: OperatorDocument, context: ApplyContext): Promise<Applied> {
  const marks = await tenantMarks(document.tenants, context);
  const isChanged = ({ name }: OperatorTenant): boolean => marks.changed.has(name);
  const restored = await missingParts(
    context.withTenant,
    document.tenants.filter((tenant) => !isChanged(tenant)),
  );
  const tenants = [...document.tenants.filter(isChanged), ...restored];
  const users = await Promise.all(tenants.map((tenant) => wantedUsers(tenant, context)));
  const routes = await Promise.all(tenants.map((tenant) => wantedRoutes(tenant, context)));
  const domains = await Promise.all(tenants.map((tenant) => wantedDomains(tenant, context)));
  await context.withTenant(operatorScope, async (tx) => {
    await refuseStoredRules(tx, document, context.file);
    await applyPostmaster(tx, document.postmaster ?? '');
    for (const [index, tenant] of tenants.entries()) {
      if (isChanged(tenant)) await applyTenantRow(tx, tenant);
      const note = await applyTenant(tx, tenant, routes[index] ?? [], domains[index] ?? [], context);
      await refuseCollisions(tx, tenant, context.file);
      const recipients = [
        ...note.recipients,
        ...(await applyUsers(tx, users[index] ?? [])),
        ...(await applyAliases(tx, tenant)),
      ];
      const checks = await applyFileChecks(tx, tenant);
      recipients.push(...checks.recipients);
      await noteRecipients(tx, tenant.name, recipients);
      await noteSecrets(tx, tenant.name, note.secrets);
      if (note.snapshot || checks.changed) await noteSnapshot(tx, tenant.name);
      if (!isChanged(tenant)) continue;
      await tx.run(
        `INSERT INTO operator_settings (name, value) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
        [markName(tenant.name), marks.changed.get(tenant.name)],
      );
    }
    await refuseUnknownRoutes(tx, document, context.file);
    await refuseUnknownTenants(tx, document, context.file);
  });
  return { restored };
}

const markName = (tenant: string): string => `tenant ${tenant}`;

/** Keyed digests of each tenant's part of the file, the secrets it names included; `changed` are those not applied yet. */
async function tenantMarks(
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

const addressOf = (text: string): string => canonical(text) ?? text.toLowerCase();

async function wantedUsers(tenant: OperatorTenant, context: ApplyContext): Promise<WantedUser[]> {
  const known = await context.withTenant(operatorScope, (tx) =>
    tx.rows<{ address: string; operator_digest: Buffer | null }>(
      'SELECT address, operator_digest FROM users WHERE tenant = $1 AND operator_digest IS NOT NULL',
      [tenant.name],
    ),
  );
  const digests = new Map(known.map((row) => [row.address, row.operator_digest]));
  return Promise.all(
    tenant.users.map(async (user) => {
      const address = addressOf(user.address);
      const plain = await givenPassword(user);
      const digest =
        plain === undefined
          ? undefined
          : context.sealer.digest(
              'operator-password',
              `${address}\0${plain}${user.recoverablePassword ? '\0recoverable' : ''}`,
            );
      const changed = plain !== undefined && digest !== undefined && digests.get(address)?.equals(digest) !== true;
      const verifiers = changed ? await context.hashSlots.run(() => hashPassword(plain, context.random)) : undefined;
      return {
        address,
        domain: domainOf(address),
        tenant: tenant.name,
        display_name: user.displayName,
        disabled: user.disabled ?? null,
        expires: user.expires === undefined ? null : (parseEndDate(user.expires) ?? null),
        allowed_identities: user.allowedIdentities.map(addressOf),
        recoverable: user.recoverablePassword,
        sealed: changed && user.recoverablePassword ? context.sealer.seal(tenant.name, plain).toString('hex') : null,
        password: verifiers?.password ?? null,
        scram: verifiers?.scram ?? null,
        digest: changed ? (digest?.toString('hex') ?? null) : null,
      };
    }),
  );
}

interface WantedRoute {
  readonly name: string;
  readonly egress_pool: string;
  readonly hosts: StoredHost[];
  readonly secrets: string[];
}

/** A password that did not change keeps its sealed bytes, so that the row stays equal. */
async function wantedRoutes(tenant: OperatorTenant, context: ApplyContext): Promise<WantedRoute[]> {
  const rows = await context.withTenant(operatorScope, (tx) =>
    tx.rows<{ name: string; hosts: StoredHost[] }>('SELECT name, hosts FROM routes WHERE tenant = $1', [tenant.name]),
  );
  const stored = new Map(rows.map((row) => [row.name, row.hosts]));
  return Promise.all(
    tenant.routes.map(async (route) => {
      const secrets: string[] = [];
      const hosts = await Promise.all(
        route.hosts.map(async (host, index): Promise<StoredHost> => {
          const { host: name, port, protocol, tls, username } = host;
          const plain = await givenPassword(host);
          const base = { host: name, port, protocol, tls, username };
          if (plain === undefined) return base;
          const before = stored.get(route.name)?.[index]?.sealed;
          const same =
            before !== undefined && context.sealer.open(tenant.name, Buffer.from(before, 'base64')) === plain;
          if (same) return { ...base, sealed: before };
          secrets.push(routeSecretKey(tenant.name, route.name, index));
          return { ...base, sealed: context.sealer.seal(tenant.name, plain).toString('base64') };
        }),
      );
      return { name: route.name, egress_pool: route.egressPool, hosts, secrets };
    }),
  );
}

interface WantedDomain {
  readonly name: string;
  readonly next_hop: string;
  readonly validate_recipients: boolean;
  readonly catch_all: string;
  readonly dkim_keys: { readonly selector: string; readonly sealed: string }[];
  readonly secrets: string[];
}

async function wantedDomains(tenant: OperatorTenant, context: ApplyContext): Promise<WantedDomain[]> {
  const rows = await context.withTenant(operatorScope, (tx) =>
    tx.rows<Pick<WantedDomain, 'name' | 'dkim_keys'>>('SELECT name, dkim_keys FROM domains WHERE tenant = $1', [
      tenant.name,
    ]),
  );
  const stored = new Map(rows.map((row) => [row.name, row.dkim_keys]));
  return Promise.all(
    tenant.domains.map(async (domain) => {
      const name = canonicalDomain(domain.name) ?? domain.name;
      const secrets: string[] = [];
      const keys = await Promise.all(
        domain.dkim.map(async ({ selector, keyFile }) => {
          const plain = await readSecret(keyFile);
          const before = stored.get(name)?.find((key) => key.selector === selector);
          const known =
            before === undefined ? undefined : context.sealer.open(tenant.name, Buffer.from(before.sealed, 'base64'));
          if (before !== undefined && known === plain) return before;
          secrets.push(dkimSecretKey(tenant.name, name, selector));
          return { selector, sealed: context.sealer.seal(tenant.name, plain).toString('base64') };
        }),
      );
      return {
        name,
        next_hop: domain.nextHop,
        validate_recipients: domain.validateRecipients,
        catch_all: domain.catchAll === '' ? '' : addressOf(domain.catchAll),
        dkim_keys: keys,
        secrets,
      };
    }),
  );
}

interface Noted {
  readonly snapshot: boolean;
  readonly recipients: readonly string[];
  readonly secrets: readonly string[];
}

async function applyTenantRow(tx: Transaction, tenant: OperatorTenant): Promise<void> {
  const changed = await tx.run(
    `INSERT INTO tenants AS t (name, display_name, weight) VALUES ($1, $2, $3)
     ON CONFLICT (name) DO UPDATE SET display_name = excluded.display_name, weight = excluded.weight, version = t.version + 1
     WHERE (t.display_name, t.weight) IS DISTINCT FROM (excluded.display_name, excluded.weight)`,
    [tenant.name, tenant.displayName, tenant.weight],
  );
  if (changed > 0) await noteSnapshot(tx, tenant.name);
}

async function applyTenant(
  tx: Transaction,
  tenant: OperatorTenant,
  routes: readonly WantedRoute[],
  domains: readonly WantedDomain[],
  context: ApplyContext,
): Promise<Noted> {
  await refuseForeignDomains(
    tx,
    tenant,
    domains.map((domain) => domain.name),
    context.file,
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
       catch_all = excluded.catch_all, dkim_keys = excluded.dkim_keys, verified = true, version = d.version + 1
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
      message: `${JSON.stringify(row.name)} belongs to tenant ${row.tenant} already; expected a domain of no other tenant`,
    })),
  );
}

async function refuseCollisions(tx: Transaction, tenant: OperatorTenant, file: string): Promise<void> {
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

async function applyUsers(tx: Transaction, users: readonly WantedUser[]): Promise<string[]> {
  if (users.length === 0) return [];
  // Only what a recipient entry or a login depends on makes the row differ.
  const changed = await tx.rows<{ address: string }>(
    `INSERT INTO users AS u (address, domain, tenant, display_name, disabled, allowed_identities, password, scram, operator_digest,
       recoverable, recoverable_password, expires_at)
     SELECT w.address, w.domain, w.tenant, w.display_name, coalesce(w.disabled, e.disabled, false), ARRAY(SELECT jsonb_array_elements_text(w.allowed_identities)),
       w.password, w.scram, decode(w.digest, 'hex'), w.recoverable, decode(w.sealed, 'hex'),
       CASE WHEN w.expires IS NULL THEN e.expires_at WHEN w.expires > 0 THEN to_timestamp(w.expires / 1000.0) END
     FROM jsonb_to_recordset($1::jsonb) AS w (address text, domain text, tenant text, display_name text, disabled boolean, expires bigint,
       allowed_identities jsonb, password text, scram text, digest text, recoverable boolean, sealed text)
     LEFT JOIN users e ON e.address = w.address
     ON CONFLICT (address) DO UPDATE SET display_name = excluded.display_name, disabled = excluded.disabled, expires_at = excluded.expires_at,
       allowed_identities = excluded.allowed_identities, password = coalesce(excluded.password, u.password),
       scram = coalesce(excluded.scram, u.scram), operator_digest = coalesce(excluded.operator_digest, u.operator_digest),
       recoverable = excluded.recoverable,
       recoverable_password = CASE WHEN excluded.recoverable THEN coalesce(excluded.recoverable_password, u.recoverable_password) END,
       version = u.version + 1
     WHERE excluded.password IS NOT NULL OR (u.display_name, u.disabled, u.expires_at, u.allowed_identities, u.recoverable)
       IS DISTINCT FROM (excluded.display_name, excluded.disabled, excluded.expires_at, excluded.allowed_identities, excluded.recoverable)
     RETURNING address`,
    [JSON.stringify(users)],
  );
  return changed.map((row) => row.address);
}

async function applyAliases(tx: Transaction, tenant: OperatorTenant): Promise<string[]> {
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

/** The address that stands in for missing postmasters is part of every such entry. */
async function applyPostmaster(tx: Transaction, postmaster: string): Promise<void> {
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
