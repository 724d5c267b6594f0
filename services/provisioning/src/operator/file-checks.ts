/**
 * What tenants, domains and users of the operator file set differently for checks: judged by the rules of the API, and brought into the table the
 * API writes. A part without `checks` leaves what is stored, an empty one takes it back.
 */
import { type CheckPatch, countryFaults, idleChecks, idleInPatch, readPatch } from '@postern/check-settings';
import type { Fault, FieldPath } from '@postern/config';
import { canonical, canonicalDomain } from '../addresses.js';
import type { Transaction } from '../database/tenant-scope.js';
import type { OperatorDocument, OperatorTenant } from './schema.js';

interface Part {
  /** Empty = the tenant; a domain; the address of a user. */
  readonly scope: string;
  readonly path: FieldPath;
  readonly patch: CheckPatch;
}

function partsOf({ checks, domains, users }: OperatorTenant, at: FieldPath): Part[] {
  const parts: Part[] = checks === undefined ? [] : [{ scope: '', path: [...at, 'checks'], patch: checks }];
  for (const [index, domain] of domains.entries()) {
    const scope = canonicalDomain(domain.name) ?? domain.name;
    if (domain.checks !== undefined)
      parts.push({ scope, path: [...at, 'domains', index, 'checks'], patch: domain.checks });
  }
  for (const [index, user] of users.entries()) {
    const scope = canonical(user.address) ?? user.address.toLowerCase();
    if (user.checks !== undefined) parts.push({ scope, path: [...at, 'users', index, 'checks'], patch: user.checks });
  }
  return parts;
}

/** `spf.onFail: said` at its own place. */
function faultOf(path: FieldPath, problem: string): Fault {
  const [, field = '', message = problem] = /^([A-Za-z.]+): (.*)$/s.exec(problem) ?? [];
  return { path: field === '' ? path : [...path, ...field.split('.')], message };
}

export function fileCheckFaults({ tenants, checks }: OperatorDocument): Fault[] {
  const own = idleChecks(checks).map(({ check, message }) => ({ path: ['checks', check, 'enabled'], message }));
  const inner = tenants.flatMap((tenant, index) => {
    const parts = partsOf(tenant, ['tenants', index]);
    return parts.flatMap(({ scope, path, patch }) => {
      const reading = readPatch(patch, checks, scope.includes('@'));
      if (!reading.ok) return reading.problems.map((problem) => faultOf(path, problem));
      const countries = countryFaults(patch).map((fault) => ({ ...fault, path: [...path, ...fault.path] }));
      if (countries.length > 0) return countries;
      const ofTenant = parts.find((part) => part.scope === '' && part.patch !== patch)?.patch;
      return idleInPatch(checks, ofTenant === undefined ? [] : [ofTenant], patch).map(({ check, message }) => ({
        path: [...path, check, 'enabled'],
        message,
      }));
    });
  });
  const countries = countryFaults(checks).map((fault) => ({ ...fault, path: ['checks', ...fault.path] }));
  return [...own, ...countries, ...inner];
}

export interface AppliedChecks {
  readonly changed: boolean;
  /** Users whose directory entry holds other lists now. */
  readonly recipients: readonly string[];
}

export async function applyFileChecks(tx: Transaction, tenant: OperatorTenant): Promise<AppliedChecks> {
  const parts = partsOf(tenant, []);
  if (parts.length === 0) return { changed: false, recipients: [] };
  const isEmpty = ({ patch }: Part): boolean => Object.keys(patch).length === 0;
  const removed = await tx.rows<{ scope: string }>(
    'DELETE FROM check_settings WHERE tenant = $1 AND scope = ANY ($2) RETURNING scope',
    [tenant.name, parts.filter(isEmpty).map(({ scope }) => scope)],
  );
  const wanted = parts
    .filter((part) => !isEmpty(part))
    .map(({ scope, patch }) => ({ scope, document: patch, source: `${JSON.stringify(patch, null, 2)}\n` }));
  const written = await tx.rows<{ scope: string }>(
    `INSERT INTO check_settings AS c (tenant, scope, document, source)
     SELECT $1, w.scope, w.document, w.source FROM jsonb_to_recordset($2::jsonb) AS w (scope text, document jsonb, source text)
     ON CONFLICT (tenant, scope) DO UPDATE SET document = excluded.document, source = excluded.source, version = c.version + 1
     WHERE c.document IS DISTINCT FROM excluded.document
     RETURNING scope`,
    [tenant.name, JSON.stringify(wanted)],
  );
  const scopes = [...removed, ...written].map(({ scope }) => scope);
  return { changed: scopes.length > 0, recipients: scopes.filter((scope) => scope.includes('@')) };
}
