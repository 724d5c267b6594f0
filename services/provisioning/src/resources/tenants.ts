/** Tenants: made, weighed, limited, suspended by operators; a tenant may read itself and limit its users. Deletion is a tracked purge and is not here yet. */
import { PosternError } from '@postern/errors';
import {
  CreateTenantRequest,
  CreateTenantResponse,
  type GetTenantRequest,
  type GetTenantResponse,
  type ListTenantsRequest,
  type ListTenantsResponse,
  type UpdateTenantRequest,
  type UpdateTenantResponse,
} from '@postern/proto/provisioning/v1/provisioning_service';
import type { MessageLimit, Tenant } from '@postern/proto/provisioning/v1/resources';
import { audit } from '../audit.js';
import { operatorScope, type Transaction } from '../database/tenant-scope.js';
import { once } from '../idempotency.js';
import { reservedTenants } from '../operator/references.js';
import {
  assertEtag,
  cutPage,
  etagOf,
  invalid,
  maskedFields,
  pageOf,
  required,
  shortText,
  taken,
  textField,
  unknown,
} from '../request-fields.js';
import { noteSnapshot } from '../snapshot/outbox.js';
import { apiMethod, type ResourceParts } from './api-method.js';
import { type StoredRate, shownRate, storedRate } from './message-limit.js';

interface Row {
  readonly name: string;
  readonly display_name: string;
  readonly state: string;
  readonly weight: number;
  readonly message_limit: StoredRate | null;
  readonly user_message_limit: StoredRate | null;
  readonly version: string;
  readonly created_at: Date;
}

const columns = 'name, display_name, state, weight, message_limit, user_message_limit, version, created_at';

const toTenant = (row: Row): Tenant => ({
  name: row.name,
  displayName: row.display_name,
  state: row.state,
  etag: etagOf(row.version),
  createdAtMs: row.created_at.getTime(),
  weight: row.weight,
  messageLimit: shownRate(row.message_limit),
  userMessageLimit: shownRate(row.user_message_limit),
});

export function tenantName(value: string): string {
  textField(
    'tenant.name',
    value,
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'lower case letters, digits and hyphens, at most 63',
  );
  if (reservedTenants.has(value)) throw invalid('tenant.name', value, 'a name that is not reserved');
  return value;
}

function weightOf(weight: number): number {
  if (weight === 0) return 1;
  if (weight > 100) throw invalid('tenant.weight', String(weight), '1 to 100');
  return weight;
}

export async function readTenant(tx: Transaction, name: string): Promise<Row> {
  const [row] = await tx.rows<Row>(`SELECT ${columns} FROM tenants WHERE name = $1`, [name]);
  if (row === undefined) throw unknown('tenant', name);
  return row;
}

/** What a tenant may change of itself. */
const ownFields: ReadonlySet<string> = new Set(['user_message_limit']);

export function tenantMethods({ withTenant, sealer, operator }: ResourceParts) {
  /** What an operator wrote into the file is changed there. */
  const tenantLimit = (name: string, limit: MessageLimit | undefined): StoredRate | null => {
    const stored = storedRate('tenant.message_limit', limit);
    const isFiled = operator().tenants.some((tenant) => tenant.name === name && tenant.messageLimit !== undefined);
    if (stored !== null && isFiled)
      throw new PosternError('failed-precondition', `tenant.message_limit: ${name} has one in the operator file`);
    return stored;
  };

  return {
    createTenant: apiMethod<CreateTenantRequest, CreateTenantResponse>('operator', (request, caller) => {
      const tenant = required('tenant', request.tenant);
      const values = [
        tenantName(tenant.name),
        shortText('tenant.display_name', tenant.displayName),
        weightOf(tenant.weight),
        tenantLimit(tenant.name, tenant.messageLimit),
        storedRate('tenant.user_message_limit', tenant.userMessageLimit),
      ];
      const repeatable = {
        requestId: request.requestId,
        method: 'CreateTenant',
        tenant: operatorScope,
        request: CreateTenantRequest.encode(request).finish(),
        codec: CreateTenantResponse,
      };
      return withTenant(caller.scope, (tx) =>
        once(tx, caller, sealer, repeatable, async () => {
          const [row] = await tx.rows<Row>(
            `INSERT INTO tenants (name, display_name, weight, message_limit, user_message_limit) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (name) DO NOTHING RETURNING ${columns}`,
            values,
          );
          if (row === undefined) throw taken('tenant', tenant.name);
          await noteSnapshot(tx, tenant.name);
          await audit(tx, caller, { tenant: tenant.name, method: 'CreateTenant', resource: tenant.name });
          return { tenant: toTenant(row) };
        }),
      );
    }),
    getTenant: apiMethod<GetTenantRequest, GetTenantResponse>('reader', (request, caller) =>
      withTenant(caller.scope, async (tx) => ({ tenant: toTenant(await readTenant(tx, request.name)) })),
    ),
    listTenants: apiMethod<ListTenantsRequest, ListTenantsResponse>('reader', (request, caller) => {
      const page = pageOf(request);
      return withTenant(caller.scope, async (tx) => {
        const found = await tx.rows<Row>(`SELECT ${columns} FROM tenants WHERE name > $1 ORDER BY name LIMIT $2`, [
          page.after,
          page.size + 1,
        ]);
        const { rows, nextPageToken } = cutPage(found, page, (row) => row.name);
        return { tenants: rows.map(toTenant), nextPageToken };
      });
    }),
    updateTenant: apiMethod<UpdateTenantRequest, UpdateTenantResponse>('admin', (request, caller) => {
      const tenant = required('tenant', request.tenant);
      const fields = maskedFields(request.updateMask, [
        'display_name',
        'state',
        'weight',
        'message_limit',
        'user_message_limit',
      ]);
      const foreign = [...fields].filter((field) => !ownFields.has(field));
      if (caller.role !== 'operator' && foreign.length > 0)
        throw new PosternError('permission-denied', `update_mask: ${foreign.join(', ')} is for operators`);
      if (fields.has('state') && tenant.state !== 'active' && tenant.state !== 'suspended') {
        throw invalid('tenant.state', tenant.state, 'active or suspended');
      }
      return withTenant(caller.scope, async (tx) => {
        const before = await readTenant(tx, tenant.name);
        assertEtag(tenant.etag, before.version);
        const [row] = await tx.rows<Row>(
          `UPDATE tenants SET display_name = $2, state = $3, weight = $4, message_limit = $5, user_message_limit = $6,
             version = version + 1
           WHERE name = $1 AND version = $7 RETURNING ${columns}`,
          [
            tenant.name,
            fields.has('display_name') ? shortText('tenant.display_name', tenant.displayName) : before.display_name,
            fields.has('state') ? tenant.state : before.state,
            fields.has('weight') ? weightOf(tenant.weight) : before.weight,
            fields.has('message_limit') ? tenantLimit(tenant.name, tenant.messageLimit) : before.message_limit,
            fields.has('user_message_limit')
              ? storedRate('tenant.user_message_limit', tenant.userMessageLimit)
              : before.user_message_limit,
            before.version,
          ],
        );
        if (row === undefined) throw new PosternError('aborted', '');
        await noteSnapshot(tx, tenant.name);
        const detail = { fields: [...fields], state: row.state };
        await audit(tx, caller, { tenant: tenant.name, method: 'UpdateTenant', resource: tenant.name, detail });
        return { tenant: toTenant(row) };
      });
    }),
  };
}
