/** Users: recipients of their domain and, with a password, logins. The password is stored as verifiers only and never returned. */
import { PosternError } from '@postern/errors';
import {
  CreateUserRequest,
  CreateUserResponse,
  type DeleteUserRequest,
  type DeleteUserResponse,
  type GetUserRequest,
  type GetUserResponse,
  type ListUsersRequest,
  type ListUsersResponse,
  type SetPasswordRequest,
  type SetPasswordResponse,
  type UpdateUserRequest,
  type UpdateUserResponse,
} from '@postern/proto/provisioning/v1/provisioning_service';
import type { User } from '@postern/proto/provisioning/v1/resources';
import { domainOf } from '../addresses.js';
import { audit } from '../audit.js';
import { hashPassword, type Verifiers } from '../credentials/password.js';
import type { Transaction } from '../database/tenant-scope.js';
import { once } from '../idempotency.js';
import { comesBack } from '../operator/missing-parts.js';
import {
  addressField,
  assertEtag,
  cutPage,
  etagOf,
  invalid,
  maskedFields,
  pageOf,
  required,
  shortText,
  taken,
  unknown,
} from '../request-fields.js';
import { noteRecipients } from '../snapshot/outbox.js';
import { claimAddress } from './address-claim.js';
import { apiMethod, type ResourceParts } from './api-method.js';
import { readDomain } from './domains.js';

interface Row {
  readonly address: string;
  readonly tenant: string;
  readonly display_name: string;
  readonly disabled: boolean;
  readonly allowed_identities: string[];
  readonly recoverable: boolean;
  readonly expires_at: Date | null;
  readonly has_password: boolean;
  readonly version: string;
}

const columns =
  'address, tenant, display_name, disabled, allowed_identities, recoverable, expires_at, password IS NOT NULL AS has_password, version';
const shortestPassword = 8;
const longestPassword = 1_024;
const mostIdentities = 1_000;
const latestExpiryMs = Date.UTC(9999, 0);

const toUser = (row: Row): User => ({
  address: row.address,
  tenant: row.tenant,
  password: '',
  displayName: row.display_name,
  disabled: row.disabled,
  etag: etagOf(row.version),
  allowedIdentities: row.allowed_identities,
  recoverablePassword: row.recoverable,
  expiresAtMs: row.expires_at?.getTime() ?? 0,
  hasPassword: row.has_password,
});

/** A date that has passed is taken of a user there is: it ends the login now. */
function expiryField(ms: number): Date | null {
  if (ms > latestExpiryMs)
    throw invalid('user.expires_at_ms', String(ms), 'milliseconds since 1970 before the year 9999');
  return ms === 0 ? null : new Date(ms);
}

/** The value of a password never reaches an error. */
export function passwordField(field: string, password: string): string {
  const length = [...password].length;
  if (length >= shortestPassword && length <= longestPassword) return password;
  throw new PosternError(
    'invalid-argument',
    `${field}: ${length} characters; expected ${shortestPassword} to ${longestPassword}`,
  );
}

export async function readUser(tx: Transaction, address: string): Promise<Row> {
  const [row] = await tx.rows<Row>(`SELECT ${columns} FROM users WHERE address = $1`, [address]);
  if (row === undefined) throw unknown('user', address);
  return row;
}

/** A login may only speak for domains of its own tenant. */
async function identitiesField(tx: Transaction, tenant: string, identities: readonly string[]): Promise<string[]> {
  if (identities.length > mostIdentities)
    throw invalid('user.allowed_identities', String(identities.length), `at most ${mostIdentities}`);
  const addresses = identities.map((identity) => addressField('user.allowed_identities', identity));
  const rows = await tx.rows<{ name: string }>('SELECT name FROM domains WHERE tenant = $1 AND name = ANY ($2)', [
    tenant,
    addresses.map(domainOf),
  ]);
  const own = new Set(rows.map((row) => row.name));
  const foreign = addresses.find((address) => !own.has(domainOf(address)));
  if (foreign !== undefined) throw invalid('user.allowed_identities', foreign, 'an address in a domain of the tenant');
  return addresses;
}

export function userMethods({ withTenant, sealer, hashSlots, random, clock, operator }: ResourceParts) {
  const hashed = async (password: string): Promise<Verifiers> => hashSlots.run(() => hashPassword(password, random));
  return {
    createUser: apiMethod<CreateUserRequest, CreateUserResponse>('admin', async (request, caller) => {
      const user = required('user', request.user);
      const address = addressField('user.address', user.address);
      const displayName = shortText('user.display_name', user.displayName);
      if (user.expiresAtMs !== 0 && user.expiresAtMs <= clock.now())
        throw invalid('user.expires_at_ms', String(user.expiresAtMs), 'a time to come, or 0 for never');
      const verifiers = user.password === '' ? undefined : await hashed(passwordField('user.password', user.password));
      return withTenant(caller.scope, async (tx) => {
        const domain = await readDomain(tx, domainOf(address));
        const repeatable = {
          requestId: request.requestId,
          method: 'CreateUser',
          tenant: domain.tenant,
          request: CreateUserRequest.encode(request).finish(),
          codec: CreateUserResponse,
        };
        return once(tx, caller, sealer, repeatable, async () => {
          await claimAddress(tx, address, 'user');
          const identities = await identitiesField(tx, domain.tenant, user.allowedIdentities);
          const [row] = await tx.rows<Row>(
            `INSERT INTO users (address, domain, tenant, display_name, disabled, allowed_identities, password, scram,
               recoverable, recoverable_password, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             ON CONFLICT (address) DO NOTHING RETURNING ${columns}`,
            [
              address,
              domain.name,
              domain.tenant,
              displayName,
              user.disabled,
              identities,
              verifiers?.password ?? null,
              verifiers?.scram ?? null,
              user.recoverablePassword,
              user.recoverablePassword && user.password !== '' ? sealer.seal(domain.tenant, user.password) : null,
              expiryField(user.expiresAtMs),
            ],
          );
          if (row === undefined) throw taken('user', address);
          await noteRecipients(tx, domain.tenant, [address]);
          await audit(tx, caller, { tenant: domain.tenant, method: 'CreateUser', resource: address });
          return { user: toUser(row) };
        });
      });
    }),
    getUser: apiMethod<GetUserRequest, GetUserResponse>('reader', (request, caller) =>
      withTenant(caller.scope, async (tx) => ({
        user: toUser(await readUser(tx, addressField('address', request.address))),
      })),
    ),
    listUsers: apiMethod<ListUsersRequest, ListUsersResponse>('reader', (request, caller) => {
      const page = pageOf(request);
      return withTenant(caller.scope, async (tx) => {
        const found = await tx.rows<Row>(
          `SELECT ${columns} FROM users WHERE address > $1 AND ($2 = '' OR domain = $2) AND ($3 = '' OR tenant = $3)
           ORDER BY address LIMIT $4`,
          [page.after, request.domain.toLowerCase(), request.tenant, page.size + 1],
        );
        const { rows, nextPageToken } = cutPage(found, page, (row) => row.address);
        return { users: rows.map(toUser), nextPageToken };
      });
    }),
    updateUser: apiMethod<UpdateUserRequest, UpdateUserResponse>('admin', (request, caller) => {
      const user = required('user', request.user);
      const fields = maskedFields(request.updateMask, [
        'display_name',
        'disabled',
        'allowed_identities',
        'recoverable_password',
        'expires_at_ms',
      ]);
      return withTenant(caller.scope, async (tx) => {
        const before = await readUser(tx, addressField('user.address', user.address));
        assertEtag(user.etag, before.version);
        const [row] = await tx.rows<Row>(
          `UPDATE users SET display_name = $2, disabled = $3, allowed_identities = $4, recoverable = $6, expires_at = $7,
             recoverable_password = CASE WHEN $6 THEN recoverable_password END, version = version + 1
           WHERE address = $1 AND version = $5 RETURNING ${columns}`,
          [
            before.address,
            fields.has('display_name') ? shortText('user.display_name', user.displayName) : before.display_name,
            fields.has('disabled') ? user.disabled : before.disabled,
            fields.has('allowed_identities')
              ? await identitiesField(tx, before.tenant, user.allowedIdentities)
              : before.allowed_identities,
            before.version,
            fields.has('recoverable_password') ? user.recoverablePassword : before.recoverable,
            fields.has('expires_at_ms') ? expiryField(user.expiresAtMs) : before.expires_at,
          ],
        );
        if (row === undefined) throw new PosternError('aborted', '');
        await noteRecipients(tx, row.tenant, [row.address]);
        const detail = { fields: [...fields], disabled: row.disabled };
        await audit(tx, caller, { tenant: row.tenant, method: 'UpdateUser', resource: row.address, detail });
        return { user: toUser(row) };
      });
    }),
    setPassword: apiMethod<SetPasswordRequest, SetPasswordResponse>('admin', async (request, caller) => {
      const address = addressField('address', request.address);
      const verifiers = await hashed(passwordField('password', request.password));
      return withTenant(caller.scope, async (tx) => {
        const before = await readUser(tx, address);
        await tx.run(
          `UPDATE users SET password = $2, scram = $3, recoverable_password = $4, version = version + 1
           WHERE address = $1`,
          [
            address,
            verifiers.password,
            verifiers.scram,
            before.recoverable ? sealer.seal(before.tenant, request.password) : null,
          ],
        );
        await audit(tx, caller, { tenant: before.tenant, method: 'SetPassword', resource: address });
        return {};
      });
    }),
    deleteUser: apiMethod<DeleteUserRequest, DeleteUserResponse>('admin', (request, caller) =>
      withTenant(caller.scope, async (tx) => {
        const before = await readUser(tx, addressField('address', request.address));
        await tx.run('DELETE FROM check_settings WHERE scope = $1', [before.address]);
        await tx.run('DELETE FROM rules WHERE tenant = $1 AND scope = $2', [before.tenant, before.address]);
        await tx.run('DELETE FROM users WHERE address = $1', [before.address]);
        await noteRecipients(tx, before.tenant, [before.address]);
        await audit(tx, caller, { tenant: before.tenant, method: 'DeleteUser', resource: before.address });
        return { warnings: comesBack(operator(), { kind: 'user', name: before.address }) };
      }),
    ),
  };
}
