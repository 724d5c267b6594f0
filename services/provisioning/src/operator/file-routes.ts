/**
 * Routes of tenants that rules of the operator file name as `tenant/route`. The file need not name the tenant, and a route may have been made through
 * the API, so the database says whether it is there, once the tenants of the file are in it. One that is not would leave the mail waiting.
 */
import { ConfigError } from '@postern/config';
import type { Transaction } from '../database/tenant-scope.js';
import { isTenantRoute, namedRoutes } from '../rule-routes.js';
import { fileRules, isMap } from './file-rules.js';
import type { OperatorDocument } from './schema.js';

const mostNamed = 20;

export interface FileRoute {
  /** Place in the file. */
  readonly path: string;
  readonly name: string;
}

/** Of rules of the operator, those of tenants name their own. */
export function tenantRoutesInFile({ rules }: OperatorDocument): FileRoute[] {
  return fileRules(rules).flatMap(({ index, tenant, rule }) => {
    if (tenant !== '' || !isMap(rule)) return [];
    return namedRoutes(rule)
      .filter(({ name }) => isTenantRoute(name))
      .map(({ field, action, name }) => ({ path: `rules[${index}].then[${action}].route.${field}`, name }));
  });
}

export async function refuseUnknownRoutes(tx: Transaction, document: OperatorDocument, file: string): Promise<void> {
  const named = tenantRoutesInFile(document);
  if (named.length === 0) return;
  const rows = await tx.rows<{ name: string }>(
    `SELECT name FROM (SELECT tenant || '/' || name AS name FROM routes) AS r ORDER BY name = ANY ($1) DESC, name LIMIT $2`,
    [named.map(({ name }) => name), named.length + mostNamed],
  );
  const known = rows.map(({ name }) => name);
  const allowed =
    known.length === 0 ? 'a route of a tenant; none has one' : `one of ${known.slice(0, mostNamed).join(', ')}`;
  const problems = named
    .filter(({ name }) => !known.includes(name))
    .map(({ path, name }) => ({
      place: file,
      path,
      message: `${JSON.stringify(name)} is not allowed; expected ${allowed}`,
    }));
  if (problems.length > 0) throw new ConfigError(problems);
}
