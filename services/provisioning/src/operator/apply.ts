/**
 * Brings the tenants of the operator file into the database: what is missing is created, what differs is changed, nothing is deleted.
 * Of a tenant whose part of the file is what was applied before only what was deleted since is made again, so that what was changed since through the API stays; a password
 * is hashed only when the file's password changed. One transaction; what changed goes through the outbox. Domains count as verified.
 */
import { operatorScope } from '../database/tenant-scope.js';
import { noteRecipients, noteSecrets, noteSnapshot } from '../snapshot/outbox.js';
import type { ApplyContext } from './apply-context.js';
import { applyPostmaster, emptyPostmaster } from './apply-postmaster.js';
import { applyTenant, applyTenantRow, refuseCollisions } from './apply-tenant.js';
import { emptyCatchAlls } from './catch-alls.js';
import { applyFileChecks } from './file-checks.js';
import { refuseUnknownRoutes } from './file-routes.js';
import { missingParts } from './missing-parts.js';
import { refuseUnknownTenants } from './named-tenants.js';
import { refuseForeignScopes } from './rule-scopes.js';
import type { OperatorDocument, OperatorTenant } from './schema.js';
import { refuseStoredRules } from './stored-rules.js';
import { keepMark, tenantMarks } from './tenant-marks.js';
import { applyAliases } from './wanted/aliases.js';
import { wantedDomains } from './wanted/domains.js';
import { wantedRoutes } from './wanted/routes.js';
import { applyUsers, wantedUsers } from './wanted/users.js';

export interface Applied {
  /** Tenants of which parts were made again that had been deleted through the API. */
  readonly restored: readonly OperatorTenant[];
  /** What is in effect and does not act as things are, each with its field. */
  readonly notes: readonly string[];
}

export async function applyOperatorDocument(document: OperatorDocument, context: ApplyContext): Promise<Applied> {
  const marks = await tenantMarks(document.tenants, context);
  const isChanged = ({ name }: OperatorTenant): boolean => marks.changed.has(name);
  const restored = await missingParts(
    context.withTenant,
    document.tenants.filter((tenant) => !isChanged(tenant)),
  );
  const tenants = [...document.tenants.filter(isChanged), ...restored];
  const users = await Promise.all(tenants.map((tenant) => wantedUsers(tenant, context)));
  const routes = await Promise.all(tenants.map((tenant) => wantedRoutes(tenant, context)));
  const domains = await Promise.all(tenants.map((tenant) => wantedDomains(tenant, context)));
  const notes = await context.withTenant(operatorScope, async (tx) => {
    await refuseStoredRules(tx, document, context.file);
    await applyPostmaster(tx, document.postmaster ?? '');
    for (const [index, tenant] of tenants.entries()) {
      if (isChanged(tenant)) await applyTenantRow(tx, tenant);
      const note = await applyTenant(tx, tenant, routes[index] ?? [], domains[index] ?? [], context.file);
      await refuseCollisions(tx, tenant, context.file);
      const recipients = [
        ...note.recipients,
        ...(await applyUsers(tx, users[index] ?? [])),
        ...(await applyAliases(tx, tenant)),
      ];
      const checks = await applyFileChecks(tx, tenant);
      recipients.push(...checks.recipients);
      await noteRecipients(tx, tenant.name, recipients);
      await noteSecrets(tx, tenant.name, note.secrets);
      if (note.snapshot || checks.changed) await noteSnapshot(tx, tenant.name);
      const mark = marks.changed.get(tenant.name);
      if (mark === undefined) continue;
      await keepMark(tx, tenant.name, mark);
    }
    await refuseUnknownRoutes(tx, document, context.file);
    await refuseUnknownTenants(tx, document, context.file);
    return [
      ...(await refuseForeignScopes(tx, document, context.file)),
      ...(await emptyPostmaster(tx, document.postmaster ?? '')),
      ...(await emptyCatchAlls(tx, document)),
    ];
  });
  return { restored, notes };
}
