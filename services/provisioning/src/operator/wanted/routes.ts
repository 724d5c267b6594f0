/** Routes of the operator file, their passwords sealed. */
import { operatorScope } from '../../database/tenant-scope.js';
import { routeSecretKey } from '../../secrets/seal.js';
import type { StoredHost } from '../../snapshot/compile.js';
import type { ApplyContext } from '../apply-context.js';
import { givenPassword } from '../password-source.js';
import type { OperatorTenant } from '../schema.js';

export interface WantedRoute {
  readonly name: string;
  readonly egress_pool: string;
  readonly hosts: StoredHost[];
  readonly secrets: string[];
}

/** A password that did not change keeps its sealed bytes, so that the row stays equal. */
export async function wantedRoutes(tenant: OperatorTenant, context: ApplyContext): Promise<WantedRoute[]> {
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
