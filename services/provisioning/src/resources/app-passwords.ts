/** Passwords for single programs of a user: shown once, listed without secret, removed one by one. */
import { createUlidSource } from '@postern/clock';
import { PosternError } from '@postern/errors';
import type {
  CreateAppPasswordRequest,
  CreateAppPasswordResponse,
  DeleteAppPasswordRequest,
  DeleteAppPasswordResponse,
  ListAppPasswordsRequest,
  ListAppPasswordsResponse,
} from '@postern/proto/provisioning/v1/provisioning_service';
import type { AppPassword } from '@postern/proto/provisioning/v1/resources';
import { audit } from '../audit.js';
import { appPasswordDigest, newAppPassword } from '../credentials/app-password.js';
import { addressField, invalid, required, taken, unknown } from '../request-fields.js';
import { apiMethod, type ResourceParts } from './api-method.js';
import { readUser } from './users.js';

interface Row {
  readonly id: string;
  readonly address: string;
  readonly name: string;
  readonly created_at: Date;
  readonly expires_at: Date | null;
}

const columns = 'id, address, name, created_at, expires_at';
const mostOfUser = 50;

const toAppPassword = (row: Row): AppPassword => ({
  id: row.id,
  address: row.address,
  name: row.name,
  secret: '',
  createdAtMs: row.created_at.getTime(),
  expiresAtMs: row.expires_at?.getTime() ?? 0,
});

function nameField(name: string): string {
  const trimmed = name.trim();
  if (trimmed.length >= 1 && trimmed.length <= 100 && !/[\p{Cc}]/u.test(trimmed)) return trimmed;
  throw invalid('app_password.name', name.slice(0, 100), 'what it is for, 1 to 100 characters');
}

export function appPasswordMethods({ withTenant, sealer, random, clock }: ResourceParts) {
  const nextId = createUlidSource(clock, random);
  return {
    createAppPassword: apiMethod<CreateAppPasswordRequest, CreateAppPasswordResponse>('admin', (request, caller) => {
      const wanted = required('app_password', request.appPassword);
      const address = addressField('app_password.address', wanted.address);
      const name = nameField(wanted.name);
      const { expiresAtMs } = wanted;
      if (expiresAtMs !== 0 && expiresAtMs <= clock.now())
        throw invalid('app_password.expires_at_ms', String(expiresAtMs), 'a time to come, or 0');
      const secret = newAppPassword(random);
      return withTenant(caller.scope, async (tx) => {
        const { tenant } = await readUser(tx, address);
        const [count] = await tx.rows<{ n: number }>(
          'SELECT count(*)::int AS n FROM app_passwords WHERE address = $1',
          [address],
        );
        if ((count?.n ?? 0) >= mostOfUser)
          throw new PosternError('quota-exceeded', `a user has at most ${mostOfUser} app passwords`);
        const expiry = expiresAtMs === 0 ? null : new Date(expiresAtMs);
        const [row] = await tx.rows<Row>(
          `INSERT INTO app_passwords (id, address, tenant, name, digest, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (address, name) DO NOTHING RETURNING ${columns}`,
          [nextId(), address, tenant, name, appPasswordDigest(sealer, address, secret), expiry],
        );
        if (row === undefined) throw taken('app password', name);
        await audit(tx, caller, { tenant, method: 'CreateAppPassword', resource: address, detail: { name } });
        return { appPassword: { ...toAppPassword(row), secret } };
      });
    }),
    listAppPasswords: apiMethod<ListAppPasswordsRequest, ListAppPasswordsResponse>('reader', (request, caller) =>
      withTenant(caller.scope, async (tx) => {
        const { address } = await readUser(tx, addressField('address', request.address));
        const rows = await tx.rows<Row>(
          `SELECT ${columns} FROM app_passwords WHERE address = $1 ORDER BY name LIMIT ${mostOfUser}`,
          [address],
        );
        return { appPasswords: rows.map(toAppPassword) };
      }),
    ),
    deleteAppPassword: apiMethod<DeleteAppPasswordRequest, DeleteAppPasswordResponse>('admin', (request, caller) =>
      withTenant(caller.scope, async (tx) => {
        const { address, tenant } = await readUser(tx, addressField('address', request.address));
        const deleted = await tx.run('DELETE FROM app_passwords WHERE address = $1 AND (id = $2 OR name = $2)', [
          address,
          request.id,
        ]);
        if (deleted === 0) throw unknown('app password', request.id);
        const detail = { id: request.id.slice(0, 100) };
        await audit(tx, caller, { tenant, method: 'DeleteAppPassword', resource: address, detail });
        return {};
      }),
    ),
  };
}
