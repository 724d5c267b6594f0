/** Routes: named next hops of a tenant. Passwords are sealed before they are stored; a host sent without one keeps the one it has. */
import { PosternError } from '@postern/errors';
import type {
  DeleteRouteRequest,
  DeleteRouteResponse,
  ListRoutesRequest,
  ListRoutesResponse,
  PutRouteRequest,
  PutRouteResponse,
} from '@postern/proto/provisioning/v1/provisioning_service';
import type { Route, RouteHost } from '@postern/proto/provisioning/v1/resources';
import { tenantOf } from '../access.js';
import { audit } from '../audit.js';
import { hostsTold } from '../audit-detail.js';
import type { Transaction } from '../database/tenant-scope.js';
import { declaredPools, isDeclared, usualPool } from '../egress-pools.js';
import { tenantRoutesInFile } from '../operator/file-routes.js';
import { comesBack } from '../operator/missing-parts.js';
import type { OperatorDocument } from '../operator/schema.js';
import { assertEtag, cutPage, etagOf, invalid, pageOf, required, textField, unknown } from '../request-fields.js';
import { routeSecretKey, type Sealer } from '../secrets/seal.js';
import type { StoredHost } from '../snapshot/compile.js';
import { noteSecrets, noteSnapshot } from '../snapshot/outbox.js';
import { apiMethod, type ResourceParts } from './api-method.js';
import { readTenant } from './tenants.js';

interface Row {
  readonly tenant: string;
  readonly name: string;
  readonly hosts: StoredHost[];
  readonly egress_pool: string;
  readonly version: string;
}

const columns = 'tenant, name, hosts, egress_pool, version';
const mostHosts = 32;
const separator = '\u0001';

const toRoute = (row: Row): Route => ({
  name: row.name,
  tenant: row.tenant,
  hosts: row.hosts.map(({ host, port, protocol, tls, username }) => ({
    host,
    port,
    protocol,
    tls,
    username,
    password: '',
  })),
  egressPool: row.egress_pool,
  etag: etagOf(row.version),
});

function choice(field: string, value: string, usual: string, values: readonly string[]): string {
  if (value === '') return usual;
  if (!values.includes(value)) throw invalid(field, value, `one of ${values.join(', ')}`);
  return value;
}

function storedHost(
  given: RouteHost,
  index: number,
  tenant: string,
  before: StoredHost | undefined,
  sealer: Sealer,
): StoredHost {
  const at = `route.hosts[${index}]`;
  if (given.port > 65_535) throw invalid(`${at}.port`, String(given.port), '1 to 65535');
  if (given.username.length > 255) throw invalid(`${at}.username`, given.username, 'at most 255 characters');
  if (given.password.length > 255)
    throw new PosternError('invalid-argument', `${at}.password: longer than 255 characters`);
  const base = {
    host: textField(`${at}.host`, given.host, /^[A-Za-z0-9.:_[\]-]{1,255}$/, 'a host name or address'),
    port: given.port === 0 ? 25 : given.port,
    protocol: choice(`${at}.protocol`, given.protocol, 'smtp', ['smtp', 'lmtp']),
    tls: choice(`${at}.tls`, given.tls, 'opportunistic', ['none', 'opportunistic', 'required', 'verified']),
    username: given.username,
  };
  if (given.password !== '') return { ...base, sealed: sealer.seal(tenant, given.password).toString('base64') };
  // A password belongs to one login at one host: it is never carried over to another one.
  const same = before?.host === base.host && before.port === base.port && before.username === base.username;
  if (same && before.sealed !== undefined) return { ...base, sealed: before.sealed };
  if (base.username !== '')
    throw new PosternError(
      'invalid-argument',
      `${at}.password: missing; expected the password of ${JSON.stringify(base.username)}`,
    );
  return base;
}

/** Domains and rules that send mail there; without it their mail would wait. Rules of the server are seen by operators. */
async function usersOf(tx: Transaction, tenant: string, route: string, operator: OperatorDocument): Promise<string[]> {
  const path = '$.then[*].route ? (@.to == $name || @.login == $name)';
  const rows = await tx.rows<{ name: string }>(
    `SELECT name FROM domains WHERE tenant = $1 AND next_hop = $2
     UNION ALL SELECT 'rule ' || id FROM rules WHERE tenant = $1 AND jsonb_path_exists(document, $3, jsonb_build_object('name', $2::text))
     UNION ALL SELECT 'rule ' || id FROM rules WHERE tenant = '' AND jsonb_path_exists(document, $3, jsonb_build_object('name', $4::text))
     LIMIT 10`,
    [tenant, route, path, `${tenant}/${route}`],
  );
  const isInFile = tenantRoutesInFile(operator).some(({ name }) => name === `${tenant}/${route}`);
  return [...rows.map(({ name }) => name), ...(isInFile ? ['a rule of the operator file'] : [])];
}

export function routeMethods({ withTenant, sealer, operator, egressPools }: ResourceParts) {
  return {
    putRoute: apiMethod<PutRouteRequest, PutRouteResponse>('admin', (request, caller) => {
      const route = required('route', request.route);
      const tenant = tenantOf(caller, route.tenant);
      textField('route.name', route.name, /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/, 'letters, digits, - and _, at most 63');
      if (!isDeclared(route.egressPool, egressPools))
        throw invalid('route.egress_pool', route.egressPool, declaredPools(egressPools));
      if (route.hosts.length < 1 || route.hosts.length > mostHosts) {
        throw invalid('route.hosts', String(route.hosts.length), `1 to ${mostHosts} hosts`);
      }
      return withTenant(caller.scope, async (tx) => {
        await readTenant(tx, tenant);
        const [before] = await tx.rows<Row>(
          `SELECT ${columns} FROM routes WHERE tenant = $1 AND name = $2 FOR UPDATE`,
          [tenant, route.name],
        );
        assertEtag(route.etag, before?.version ?? 0);
        const hosts = route.hosts.map((host, index) => storedHost(host, index, tenant, before?.hosts[index], sealer));
        const [row] = await tx.rows<Row>(
          `INSERT INTO routes AS r (tenant, name, hosts, egress_pool) VALUES ($1, $2, $3, $4)
           ON CONFLICT (tenant, name) DO UPDATE SET hosts = excluded.hosts, egress_pool = excluded.egress_pool, version = r.version + 1
           RETURNING ${columns}`,
          [tenant, route.name, JSON.stringify(hosts), route.egressPool],
        );
        await noteSecrets(tx, tenant, changedSecrets(tenant, route.name, before?.hosts ?? [], hosts));
        await noteSnapshot(tx, tenant);
        const detail = { hosts: hostsTold(hosts), pool: route.egressPool || usualPool };
        await audit(tx, caller, { tenant, method: 'PutRoute', resource: route.name, detail });
        return { route: row === undefined ? undefined : toRoute(row) };
      });
    }),
    listRoutes: apiMethod<ListRoutesRequest, ListRoutesResponse>('reader', (request, caller) => {
      const page = pageOf(request);
      const [tenant = '', name = ''] = page.after.split(separator);
      return withTenant(caller.scope, async (tx) => {
        const found = await tx.rows<Row>(
          `SELECT ${columns} FROM routes WHERE (tenant, name) > ($1, $2) AND ($3 = '' OR tenant = $3) ORDER BY tenant, name LIMIT $4`,
          [tenant, name, request.tenant, page.size + 1],
        );
        const { rows, nextPageToken } = cutPage(found, page, (row) => `${row.tenant}${separator}${row.name}`);
        return { routes: rows.map(toRoute), nextPageToken };
      });
    }),
    deleteRoute: apiMethod<DeleteRouteRequest, DeleteRouteResponse>('admin', (request, caller) => {
      const tenant = tenantOf(caller, request.tenant);
      return withTenant(caller.scope, async (tx) => {
        const used = await usersOf(tx, tenant, request.name, operator());
        if (used.length > 0)
          throw new PosternError('failed-precondition', `route ${request.name} is used by ${used.join(', ')}`);
        const [row] = await tx.rows<Row>(`DELETE FROM routes WHERE tenant = $1 AND name = $2 RETURNING ${columns}`, [
          tenant,
          request.name,
        ]);
        if (row === undefined) throw unknown('route', request.name);
        await noteSecrets(tx, tenant, changedSecrets(tenant, row.name, row.hosts, []));
        await noteSnapshot(tx, tenant);
        await audit(tx, caller, { tenant, method: 'DeleteRoute', resource: row.name });
        return { warnings: comesBack(operator(), { kind: 'route', tenant, name: row.name }) };
      });
    }),
  };
}

function changedSecrets(
  tenant: string,
  route: string,
  before: readonly StoredHost[],
  after: readonly StoredHost[],
): string[] {
  const length = Math.max(before.length, after.length);
  const indexes = Array.from({ length }, (_, index) => index);
  return indexes
    .filter((index) => before[index]?.sealed !== after[index]?.sealed)
    .map((index) => routeSecretKey(tenant, route, index));
}
