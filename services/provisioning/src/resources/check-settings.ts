/**
 * What a tenant, one of its domains or one of its users sets differently for checks: read with the schema of the operator's own settings and
 * refused where it loosens what the operator does not allow. A document is replaced whole; an empty one takes the settings back.
 */
import { type CheckPatch, idleInPatch, readPatch } from '@postern/check-settings';
import { ConfigError, locateYaml, plainOf } from '@postern/config';
import { PosternError } from '@postern/errors';
import type {
  GetCheckSettingsRequest,
  GetCheckSettingsResponse,
  PutCheckSettingsRequest,
  PutCheckSettingsResponse,
} from '@postern/proto/provisioning/v1/provisioning_service';
import type { CheckSettings } from '@postern/proto/provisioning/v1/resources';
import { tenantOf } from '../access.js';
import { audit } from '../audit.js';
import type { Transaction } from '../database/tenant-scope.js';
import type { OperatorDocument } from '../operator/schema.js';
import { assertEtag, etagOf, invalid, required } from '../request-fields.js';
import { noteRecipients, noteSnapshot } from '../snapshot/outbox.js';
import { apiMethod, type ResourceParts } from './api-method.js';
import { assertScopeOwned, scopeField } from './tenant-part.js';

interface Row {
  readonly source: string;
  readonly version: string;
}

const longestDocument = 1_048_576;

function readDocument(text: string, operator: OperatorDocument['checks'], userScope: boolean): CheckPatch {
  if (text.length > longestDocument)
    throw invalid('settings.document', `${text.length} characters`, `at most ${longestDocument}`);
  try {
    const reading = readPatch(plainOf(locateYaml(text, 'settings.document')), operator, userScope);
    if (reading.ok) return reading.patch;
    throw new PosternError('invalid-argument', reading.problems.slice(0, 10).join('\n'));
  } catch (error) {
    if (error instanceof ConfigError) throw new PosternError('invalid-argument', error.message);
    throw error;
  }
}

const read = (tx: Transaction, tenant: string, scope: string): Promise<Row[]> =>
  tx.rows<Row>('SELECT source, version FROM check_settings WHERE tenant = $1 AND scope = $2 FOR UPDATE', [
    tenant,
    scope,
  ]);

/** A check that is switched on with nothing to ask finds nothing, and nobody would know. */
async function refuseIdle(
  tx: Transaction,
  { tenant, scope }: { readonly tenant: string; readonly scope: string },
  patch: CheckPatch,
  operator: OperatorDocument['checks'],
): Promise<void> {
  const outer =
    scope === ''
      ? []
      : await tx.rows<{ document: CheckPatch }>(
          "SELECT document FROM check_settings WHERE tenant = $1 AND scope = ''",
          [tenant],
        );
  const idle = idleInPatch(
    operator,
    outer.map(({ document }) => document),
    patch,
  );
  if (idle.length === 0) return;
  throw new PosternError(
    'invalid-argument',
    idle.map(({ check, message }) => `${check}.enabled: ${message}`).join('\n'),
  );
}

const shown = (tenant: string, scope: string, row: Row | undefined): CheckSettings => ({
  tenant,
  scope,
  document: row?.source ?? '',
  etag: row === undefined ? '' : etagOf(row.version),
});

export function checkSettingsMethods({ withTenant, operator }: ResourceParts) {
  return {
    getCheckSettings: apiMethod<GetCheckSettingsRequest, GetCheckSettingsResponse>('reader', (request, caller) => {
      const tenant = tenantOf(caller, request.tenant);
      const scope = scopeField('settings.scope', request.scope);
      return withTenant(caller.scope, async (tx) => {
        await assertScopeOwned(tx, tenant, scope);
        return { settings: shown(tenant, scope, (await read(tx, tenant, scope))[0]) };
      });
    }),
    putCheckSettings: apiMethod<PutCheckSettingsRequest, PutCheckSettingsResponse>('admin', (request, caller) => {
      const settings = required('settings', request.settings);
      const tenant = tenantOf(caller, settings.tenant);
      const scope = scopeField('settings.scope', settings.scope);
      const isEmpty = settings.document.trim() === '';
      const document = isEmpty ? {} : readDocument(settings.document, operator().checks, scope.includes('@'));
      return withTenant(caller.scope, async (tx) => {
        await assertScopeOwned(tx, tenant, scope);
        const [before] = await read(tx, tenant, scope);
        assertEtag(settings.etag, before?.version ?? 0);
        await refuseIdle(tx, { tenant, scope }, document, operator().checks);
        let row: Row | undefined;
        if (isEmpty) await tx.run('DELETE FROM check_settings WHERE tenant = $1 AND scope = $2', [tenant, scope]);
        else
          [row] = await tx.rows<Row>(
            `INSERT INTO check_settings AS c (tenant, scope, document, source) VALUES ($1, $2, $3, $4)
             ON CONFLICT (tenant, scope) DO UPDATE SET document = excluded.document, source = excluded.source,
               version = c.version + 1
             RETURNING source, version`,
            [tenant, scope, JSON.stringify(document), settings.document],
          );
        if (scope.includes('@')) await noteRecipients(tx, tenant, [scope]);
        await noteSnapshot(tx, tenant);
        await audit(tx, caller, { tenant, method: 'PutCheckSettings', resource: scope === '' ? tenant : scope });
        return { settings: shown(tenant, scope, row) };
      });
    }),
  };
}
