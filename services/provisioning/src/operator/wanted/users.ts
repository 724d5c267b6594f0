/**
 * Users of the operator file: as they are wanted, and brought into the database. A password is hashed only when the file's password changed; what a
 * person set through the API and the file leaves out (disabled, end date) stays.
 */
import { parseEndDate } from '@postern/config';
import { domainOf } from '../../addresses.js';
import { hashPassword } from '../../credentials/password.js';
import { operatorScope, type Transaction } from '../../database/tenant-scope.js';
import type { ApplyContext } from '../apply-context.js';
import { givenPassword } from '../password-source.js';
import type { OperatorTenant } from '../schema.js';
import { addressOf } from './address.js';

export interface WantedUser {
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

export async function wantedUsers(tenant: OperatorTenant, context: ApplyContext): Promise<WantedUser[]> {
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

export async function applyUsers(tx: Transaction, users: readonly WantedUser[]): Promise<string[]> {
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
