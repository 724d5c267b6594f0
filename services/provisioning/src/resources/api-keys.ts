/** API keys: the secret is shown once, in the answer to create. A tenant's admin makes keys of that tenant only. */
import { createUlidSource } from '@postern/clock';
import type {
  CreateApiKeyRequest,
  CreateApiKeyResponse,
  DeleteApiKeyRequest,
  DeleteApiKeyResponse,
  ListApiKeysRequest,
  ListApiKeysResponse,
} from '@postern/proto/provisioning/v1/provisioning_service';
import type { ApiKey } from '@postern/proto/provisioning/v1/resources';
import { hashSecret, keyText, newSecret, tenantOf } from '../access.js';
import { audit } from '../audit.js';
import { invalid, required, unknown } from '../request-fields.js';
import { apiMethod, type ResourceParts } from './api-method.js';

interface Row {
  readonly id: string;
  readonly tenant: string;
  readonly role: string;
  readonly created_at: Date;
  readonly expires_at: Date | null;
}

const columns = 'id, tenant, role, created_at, expires_at';
const mostListed = 10_000;

const toKey = (row: Row): ApiKey => ({
  id: row.id,
  tenant: row.tenant,
  role: row.role,
  secret: '',
  createdAtMs: row.created_at.getTime(),
  expiresAtMs: row.expires_at?.getTime() ?? 0,
});

export function apiKeyMethods({ withTenant, random, clock }: ResourceParts) {
  const nextId = createUlidSource(clock, random);
  return {
    createApiKey: apiMethod<CreateApiKeyRequest, CreateApiKeyResponse>('admin', (request, caller) => {
      const key = required('api_key', request.apiKey);
      const roles =
        caller.role === 'operator' ? ['operator', 'tenant-admin', 'tenant-reader'] : ['tenant-admin', 'tenant-reader'];
      if (!roles.includes(key.role)) throw invalid('api_key.role', key.role, `one of ${roles.join(', ')}`);
      if (key.role === 'operator' && key.tenant !== '')
        throw invalid('api_key.tenant', key.tenant, 'none for an operator key');
      const tenant = key.role === 'operator' ? '' : tenantOf(caller, key.tenant);
      if (key.expiresAtMs !== 0 && key.expiresAtMs <= clock.now()) {
        throw invalid('api_key.expires_at_ms', String(key.expiresAtMs), 'a time to come, or 0');
      }
      return withTenant(caller.scope, async (tx) => {
        if (tenant !== '' && (await tx.rows('SELECT 1 FROM tenants WHERE name = $1', [tenant])).length === 0) {
          throw unknown('tenant', tenant);
        }
        const id = nextId();
        const secret = newSecret(random);
        const [row] = await tx.rows<Row>(
          `INSERT INTO api_keys (id, tenant, role, secret_hash, expires_at) VALUES ($1, $2, $3, $4, $5) RETURNING ${columns}`,
          [id, tenant, key.role, hashSecret(secret), key.expiresAtMs === 0 ? null : new Date(key.expiresAtMs)],
        );
        await audit(tx, caller, { tenant, method: 'CreateApiKey', resource: id, detail: { role: key.role } });
        return { apiKey: row === undefined ? undefined : { ...toKey(row), secret: keyText(id, secret) } };
      });
    }),
    listApiKeys: apiMethod<ListApiKeysRequest, ListApiKeysResponse>('admin', (request, caller) =>
      withTenant(caller.scope, async (tx) => {
        const rows = await tx.rows<Row>(
          `SELECT ${columns} FROM api_keys WHERE $1 = '' OR tenant = $1 ORDER BY tenant, id LIMIT ${mostListed}`,
          [request.tenant],
        );
        return { apiKeys: rows.map(toKey) };
      }),
    ),
    deleteApiKey: apiMethod<DeleteApiKeyRequest, DeleteApiKeyResponse>('admin', (request, caller) =>
      withTenant(caller.scope, async (tx) => {
        const [row] = await tx.rows<Row>(`DELETE FROM api_keys WHERE id = $1 RETURNING ${columns}`, [request.id]);
        if (row === undefined) throw unknown('API key', request.id);
        await audit(tx, caller, { tenant: row.tenant, method: 'DeleteApiKey', resource: row.id });
        return {};
      }),
    ),
  };
}
