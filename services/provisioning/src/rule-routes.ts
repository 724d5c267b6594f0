/**
 * Names of next hops in the route actions of a rule that is saved: routes of its tenant and next hops of the operator; a rule of the server names
 * a tenant's as `tenant/name`. One that is not there would leave the mail waiting without a way.
 */
import { type Fault, type PlainValue, quoteValue } from '@postern/config';
import type { Transaction } from './database/tenant-scope.js';
import { isMap } from './operator/file-rules.js';

const mostNamed = 20;

export interface NamedRoute {
  readonly field: 'to' | 'login';
  readonly action: number;
  readonly name: string;
}

export function namedRoutes({ then }: Readonly<Record<string, PlainValue>>): NamedRoute[] {
  const actions = Array.isArray(then) ? then : then === undefined ? [] : [then];
  return actions.flatMap((written, action) => {
    const route = isMap(written) ? written.route : undefined;
    if (!isMap(route)) return [];
    return (['to', 'login'] as const).flatMap((field) => {
      const name = route[field];
      return typeof name === 'string' ? [{ field, action, name }] : [];
    });
  });
}

/** As a rule of the operator names a route of a tenant; a next hop of the operator has no slash in its name. */
export const isTenantRoute = (name: string): boolean => name.includes('/');

export async function routeFaults(
  tx: Transaction,
  tenant: string,
  document: Readonly<Record<string, PlainValue>>,
  ofOperator: readonly string[],
): Promise<Fault[]> {
  const named = namedRoutes(document).filter(({ name }) => !ofOperator.includes(name));
  if (named.length === 0) return [];
  const rows = await tx.rows<{ name: string }>(
    `SELECT name FROM (SELECT CASE WHEN $1 = '' THEN tenant || '/' || name ELSE name END AS name FROM routes WHERE $1 IN ('', tenant)) AS r
     ORDER BY name = ANY ($2) DESC, name LIMIT 100`,
    [tenant, named.map(({ name }) => name)],
  );
  const known = [...new Set([...rows.map(({ name }) => name), ...ofOperator])];
  const more = known.length > mostNamed ? ' ...' : '';
  const allowed =
    known.length === 0 ? 'a route; none is defined yet' : `one of ${known.slice(0, mostNamed).join(', ')}${more}`;
  return named
    .filter(({ name }) => !known.includes(name))
    .map(({ field, action, name }) => ({
      path: ['then', action, 'route', field],
      message: `${quoteValue(name)} is not allowed; expected ${allowed}`,
    }));
}
