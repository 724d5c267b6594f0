/**
 * Tenants the operator file names outside `tenants`. One that is not in the file may have been made through the API, so the file alone cannot
 * tell: `npm start --check` says it as a note, and a document that names one nobody made is refused when it is applied.
 */
import { ConfigError, type Fault, type FieldPath, pathText } from '@postern/config';
import type { Transaction } from '../database/tenant-scope.js';
import { fileRules } from './file-rules.js';
import type { OperatorDocument } from './schema.js';

interface NamedTenant {
  readonly path: FieldPath;
  readonly tenant: string;
}

/** The operator's own; not in the database. */
const ownTenant = 'system';
const mostFaults = 20;

/** Those that are not tenants of the file. */
function namedElsewhere(document: OperatorDocument): NamedTenant[] {
  const { relayNetworks, relayCertificates, oauthIssuers, kerberosRealms, rules, tenants } = document;
  const here = new Set([ownTenant, ...tenants.map(({ name }) => name)]);
  const each = (list: string, parts: readonly { readonly tenant: string }[]): NamedTenant[] =>
    parts.map(({ tenant }, index) => ({ path: [list, index, 'tenant'], tenant }));
  const named = [
    ...each('relayNetworks', relayNetworks),
    ...each('relayCertificates', relayCertificates),
    ...each('oauthIssuers', oauthIssuers),
    ...kerberosRealms.flatMap((realm, index) =>
      realm.tenants.map((tenant, number) => ({ path: ['kerberosRealms', index, 'tenants', number], tenant })),
    ),
    ...fileRules(rules).flatMap(({ index, tenant }) =>
      tenant === '' ? [] : [{ path: ['rules', index, 'tenant'], tenant }],
    ),
  ];
  return named.filter(({ tenant }) => !here.has(tenant));
}

export const tenantNotes = (document: OperatorDocument): Fault[] =>
  namedElsewhere(document).map(({ path, tenant }) => ({
    path,
    message: `${JSON.stringify(tenant)} is not under tenants; expected a tenant made through the API, else this file is refused until it is made`,
  }));

/** To be asked when the tenants of the file are in the database. */
export async function refuseUnknownTenants(tx: Transaction, document: OperatorDocument, file: string): Promise<void> {
  const named = namedElsewhere(document);
  if (named.length === 0) return;
  const rows = await tx.rows<{ name: string }>('SELECT name FROM tenants WHERE name = ANY ($1)', [
    [...new Set(named.map(({ tenant }) => tenant))],
  ]);
  const known = new Set(rows.map(({ name }) => name));
  const unknown = named.filter(({ tenant }) => !known.has(tenant)).slice(0, mostFaults);
  if (unknown.length === 0) return;
  throw new ConfigError(
    unknown.map(({ path, tenant }) => ({
      place: file,
      path: pathText(path),
      message: `${JSON.stringify(tenant)} is no tenant; expected one that is there: name it under tenants, or make it through the API: this file is tried again then`,
    })),
  );
}
