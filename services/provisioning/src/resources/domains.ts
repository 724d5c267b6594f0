/** Domains: one tenant each, unique over all; take mail once verified by a TXT record, or at once where an operator says so. */
import { PosternError } from '@postern/errors';
import {
  CreateDomainRequest,
  CreateDomainResponse,
  type DeleteDomainRequest,
  type DeleteDomainResponse,
  type GetDomainRequest,
  type GetDomainResponse,
  type ListDomainsRequest,
  type ListDomainsResponse,
  type UpdateDomainRequest,
  type UpdateDomainResponse,
  type VerifyDomainRequest,
  type VerifyDomainResponse,
} from '@postern/proto/provisioning/v1/provisioning_service';
import type { Domain } from '@postern/proto/provisioning/v1/resources';
import { type Caller, tenantOf } from '../access.js';
import { audit } from '../audit.js';
import type { Transaction } from '../database/tenant-scope.js';
import { once } from '../idempotency.js';
import { comesBack } from '../operator/missing-parts.js';
import {
  addressField,
  assertEtag,
  cutPage,
  domainField,
  etagOf,
  invalid,
  maskedFields,
  pageOf,
  required,
  taken,
  unknown,
} from '../request-fields.js';
import { noteRecipients, noteSnapshot, roleAddresses } from '../snapshot/outbox.js';
import { apiMethod, type ResourceParts } from './api-method.js';
import { emptyTargets } from './empty-targets.js';
import { readTenant } from './tenants.js';

interface Row {
  readonly name: string;
  readonly tenant: string;
  readonly next_hop: string;
  readonly validate_recipients: boolean;
  readonly catch_all: string;
  readonly verified: boolean;
  readonly verification: string;
  readonly version: string;
}

const columns = 'name, tenant, next_hop, validate_recipients, catch_all, verified, verification, version';

const toDomain = (row: Row): Domain => ({
  name: row.name,
  tenant: row.tenant,
  nextHop: row.next_hop,
  validateRecipients: row.validate_recipients,
  catchAll: row.catch_all,
  verified: row.verified,
  verification: row.verification,
  etag: etagOf(row.version),
});

export async function readDomain(tx: Transaction, name: string): Promise<Row> {
  const [row] = await tx.rows<Row>(`SELECT ${columns} FROM domains WHERE name = $1`, [name]);
  if (row === undefined) throw unknown('domain', name);
  return row;
}

/** An address nobody has takes nothing: unknown recipients are refused all the same. */
const emptyCatchAll = (tx: Transaction, { name, catch_all, validate_recipients }: Row): Promise<string[]> =>
  catch_all === '' || !validate_recipients
    ? Promise.resolve([])
    : emptyTargets(tx, `the catch-all of ${name} takes nothing and who is unknown is refused`, [catch_all]);

/** No top-level domain is a number; what ends in one is an IPv4 address to whoever resolves it. */
const isNumeric = (name: string): boolean => /\.\d+$/.test(name);

export function domainMethods({ withTenant, sealer, random, operator, readTxt }: ResourceParts) {
  const checkNextHop = async (tx: Transaction, tenant: string, name: string): Promise<string> => {
    const document = operator();
    if (name === '' && document.defaultNextHop !== '') return name;
    if (Object.hasOwn(document.nextHops, name)) return name;
    const routes = await tx.rows<{ name: string }>(
      'SELECT name FROM routes WHERE tenant = $1 ORDER BY name LIMIT 100',
      [tenant],
    );
    if (routes.some((route) => route.name === name)) return name;
    const known = [...routes.map((route) => route.name), ...Object.keys(document.nextHops)];
    throw invalid(
      'domain.next_hop',
      name,
      known.length === 0 ? 'a route; none is defined yet' : `one of ${known.join(', ')}`,
    );
  };
  const catchAllOf = (value: string): string => (value === '' ? '' : addressField('domain.catch_all', value));
  const changed = async (tx: Transaction, caller: Caller, row: Row, method: string, detail?: object): Promise<void> => {
    await noteRecipients(tx, row.tenant, roleAddresses(row.name));
    await noteSnapshot(tx, row.tenant);
    await audit(tx, caller, {
      tenant: row.tenant,
      method,
      resource: row.name,
      ...(detail === undefined ? {} : { detail }),
    });
  };
  return {
    createDomain: apiMethod<CreateDomainRequest, CreateDomainResponse>('admin', (request, caller) => {
      const domain = required('domain', request.domain);
      const tenant = tenantOf(caller, domain.tenant);
      const name = domainField('domain.name', domain.name);
      if (isNumeric(name))
        throw invalid('domain.name', domain.name, 'a domain name such as example.com, not an address');
      if (request.assumeVerified && caller.role !== 'operator') {
        throw new PosternError('permission-denied', 'assume_verified: for operators only');
      }
      const repeatable = {
        requestId: request.requestId,
        method: 'CreateDomain',
        tenant,
        request: CreateDomainRequest.encode(request).finish(),
        codec: CreateDomainResponse,
      };
      return withTenant(caller.scope, (tx) =>
        once(tx, caller, sealer, repeatable, async () => {
          await readTenant(tx, tenant);
          const [row] = await tx.rows<Row>(
            `INSERT INTO domains (name, tenant, next_hop, validate_recipients, catch_all, verified, verification)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (name) DO NOTHING RETURNING ${columns}`,
            [
              name,
              tenant,
              await checkNextHop(tx, tenant, domain.nextHop),
              domain.validateRecipients,
              catchAllOf(domain.catchAll),
              request.assumeVerified,
              `postern-verify=${random.bytes(16).toString('hex')}`,
            ],
          );
          if (row === undefined) throw taken('domain', name);
          await changed(tx, caller, row, 'CreateDomain', { verified: row.verified });
          return { domain: toDomain(row), warnings: await emptyCatchAll(tx, row) };
        }),
      );
    }),
    getDomain: apiMethod<GetDomainRequest, GetDomainResponse>('reader', (request, caller) =>
      withTenant(caller.scope, async (tx) => ({
        domain: toDomain(await readDomain(tx, domainField('name', request.name))),
      })),
    ),
    listDomains: apiMethod<ListDomainsRequest, ListDomainsResponse>('reader', (request, caller) => {
      const page = pageOf(request);
      return withTenant(caller.scope, async (tx) => {
        const found = await tx.rows<Row>(
          `SELECT ${columns} FROM domains WHERE name > $1 AND ($2 = '' OR tenant = $2) ORDER BY name LIMIT $3`,
          [page.after, request.tenant, page.size + 1],
        );
        const { rows, nextPageToken } = cutPage(found, page, (row) => row.name);
        return { domains: rows.map(toDomain), nextPageToken };
      });
    }),
    updateDomain: apiMethod<UpdateDomainRequest, UpdateDomainResponse>('admin', (request, caller) => {
      const domain = required('domain', request.domain);
      const fields = maskedFields(request.updateMask, ['next_hop', 'validate_recipients', 'catch_all']);
      return withTenant(caller.scope, async (tx) => {
        const before = await readDomain(tx, domainField('domain.name', domain.name));
        assertEtag(domain.etag, before.version);
        const [row] = await tx.rows<Row>(
          `UPDATE domains SET next_hop = $2, validate_recipients = $3, catch_all = $4, version = version + 1
           WHERE name = $1 AND version = $5 RETURNING ${columns}`,
          [
            before.name,
            fields.has('next_hop') ? await checkNextHop(tx, before.tenant, domain.nextHop) : before.next_hop,
            fields.has('validate_recipients') ? domain.validateRecipients : before.validate_recipients,
            fields.has('catch_all') ? catchAllOf(domain.catchAll) : before.catch_all,
            before.version,
          ],
        );
        if (row === undefined) throw new PosternError('aborted', '');
        await changed(tx, caller, row, 'UpdateDomain', { fields: [...fields] });
        const isAsked = fields.has('catch_all') || fields.has('validate_recipients');
        return { domain: toDomain(row), warnings: isAsked ? await emptyCatchAll(tx, row) : [] };
      });
    }),
    verifyDomain: apiMethod<VerifyDomainRequest, VerifyDomainResponse>('admin', async (request, caller) => {
      const name = domainField('name', request.name);
      const before = await withTenant(caller.scope, (tx) => readDomain(tx, name));
      if (before.verified) return { domain: toDomain(before) };
      const record = `_postern.${name}`;
      const values = await readTxt(record);
      if (values === undefined)
        throw new PosternError('store-unavailable', `TXT ${record}: DNS gave no answer; try again`);
      if (!values.includes(before.verification)) {
        throw new PosternError('failed-precondition', `TXT ${record}: not found; expected ${before.verification}`);
      }
      return withTenant(caller.scope, async (tx) => {
        const [row] = await tx.rows<Row>(
          `UPDATE domains SET verified = true, verified_at = now(), version = version + 1 WHERE name = $1 RETURNING ${columns}`,
          [name],
        );
        if (row === undefined) throw unknown('domain', name);
        await changed(tx, caller, row, 'VerifyDomain');
        return { domain: toDomain(row) };
      });
    }),
    deleteDomain: apiMethod<DeleteDomainRequest, DeleteDomainResponse>('admin', (request, caller) =>
      withTenant(caller.scope, async (tx) => {
        const row = await readDomain(tx, domainField('name', request.name));
        assertEtag(request.etag, row.version);
        const inside = await tx.rows<{ address: string }>(
          'SELECT address FROM users WHERE domain = $1 UNION ALL SELECT address FROM aliases WHERE domain = $1',
          [row.name],
        );
        await tx.run('DELETE FROM domains WHERE name = $1', [row.name]);
        await tx.run('DELETE FROM check_settings WHERE tenant = $1 AND (scope = $2 OR split_part(scope, $3, 2) = $2)', [
          row.tenant,
          row.name,
          '@',
        ]);
        await tx.run('DELETE FROM rules WHERE tenant = $1 AND (scope = $2 OR split_part(scope, $3, 2) = $2)', [
          row.tenant,
          row.name,
          '@',
        ]);
        await noteRecipients(
          tx,
          row.tenant,
          inside.map((entry) => entry.address),
        );
        await changed(tx, caller, row, 'DeleteDomain', { recipients: inside.length });
        return { warnings: comesBack(operator(), { kind: 'domain', name: row.name }) };
      }),
    ),
  };
}
