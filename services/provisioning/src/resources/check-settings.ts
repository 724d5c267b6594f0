/**
 * What a tenant, one of its domains or one of its users sets differently for checks: read with the schema of the operator's own settings and
 * refused where it loosens what the operator does not allow. A document is replaced whole; an empty one takes the settings back.
 */
import {
  type CheckPatch,
  checksSchema,
  countryFaults,
  effectiveFields,
  idleChecks,
  idleInPatch,
  readPatch,
  usablePatch,
  writeSettings,
} from '@postern/check-settings';
import { ConfigError, checkDocument, locateYaml, pathText, plainOf } from '@postern/config';
import { PosternError } from '@postern/errors';
import type {
  EffectiveCheckField,
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
import { readTenant } from './tenants.js';

interface Row {
  readonly source: string;
  readonly version: string;
  readonly document: CheckPatch;
}

const longestDocument = 1_048_576;

type Operator = OperatorDocument['checks'];

/** `before`: what is stored. */
function readDocument(text: string, operator: Operator, userScope: boolean, before: CheckPatch): CheckPatch {
  if (text.length > longestDocument)
    throw invalid('settings.document', `${text.length} characters`, `at most ${longestDocument}`);
  try {
    const reading = readPatch(plainOf(locateYaml(text, 'settings.document')), operator, userScope);
    if (reading.ok) {
      const [fault] = countryFaults(reading.patch);
      if (fault !== undefined) throw new PosternError('invalid-argument', `${pathText(fault.path)}: ${fault.message}`);
      return reading.patch;
    }
    const known = new Set(problemsOf(before, operator));
    const told = reading.problems
      .map((problem) => (known.has(problem) ? `${problem}${wayOut(problem)}` : problem))
      // What is wrong with all of it has no field of its own.
      .map((problem) => (problem.startsWith(': ') ? `settings.document${problem}` : problem));
    throw new PosternError('invalid-argument', told.slice(0, 30).join('\n'));
  } catch (error) {
    if (error instanceof ConfigError) throw new PosternError('invalid-argument', error.message);
    throw error;
  }
}

const read = (tx: Transaction, tenant: string, scope: string): Promise<Row[]> =>
  tx.rows<Row>('SELECT source, version, document FROM check_settings WHERE tenant = $1 AND scope = $2 FOR UPDATE', [
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

/** Whoever changes another field need not know that this one has come to conflict. */
const wayOut = (problem: string): string =>
  `; it was saved before and is not in effect: take it out with --unset ${problem.split(':')[0] ?? ''}`;

const problemsOf = (document: unknown, operator: Operator): string[] =>
  usablePatch(document, operator).leftOut.flatMap(({ problems }) => problems);

const shown = (tenant: string, scope: string, row: Row | undefined, operator: Operator): CheckSettings => ({
  tenant,
  scope,
  document: row?.source ?? '',
  etag: row === undefined ? '' : etagOf(row.version),
  notInEffect: row === undefined ? [] : problemsOf(row.document, operator),
});

interface StoredRow {
  readonly tenant: string;
  readonly scope: string;
  readonly document: unknown;
}

const mostTold = 50;

/** What is stored of all tenants and not in effect, one line each. */
export async function settingsNotInEffect(tx: Transaction, operator: Operator): Promise<string[]> {
  const rows = await tx.rows<StoredRow>(
    'SELECT tenant, scope, document FROM check_settings ORDER BY tenant, scope',
    [],
  );
  const lines = rows.flatMap(({ tenant, scope, document }) =>
    problemsOf(document, operator).map((problem) => `${scope === '' ? `tenant ${tenant}` : scope}: ${problem}`),
  );
  return lines.length <= mostTold ? lines : [...lines.slice(0, mostTold), `and ${lines.length - mostTold} more`];
}

/** The tenant's, the domain's and the user's own, as far as `scope` is within them. */
async function effectiveOf(
  tx: Transaction,
  { tenant, scope }: { readonly tenant: string; readonly scope: string },
  operator: Operator,
): Promise<EffectiveCheckField[]> {
  const domain = scope.slice(scope.lastIndexOf('@') + 1);
  const rows = await tx.rows<StoredRow>(
    `SELECT tenant, scope, document FROM check_settings WHERE tenant = $1 AND scope = ANY ($2) ORDER BY length(scope)`,
    [tenant, ['', domain, scope]],
  );
  const layers = rows.map((row) => ({
    name: row.scope === '' ? `tenant ${tenant}` : row.scope,
    document: row.document,
  }));
  return effectiveFields(operator, layers);
}

/** Settings to try are judged like settings to save, so that a mistake is told in the same words. As JSON. */
export async function readTriedSettings(
  tx: Transaction,
  { tenant, scope, document }: { readonly tenant: string; readonly scope: string; readonly document: string },
  operator: Operator,
): Promise<string> {
  await assertScopeOwned(tx, tenant, scope);
  if (document.trim() === '') return '';
  const [before] = await read(tx, tenant, scope);
  const patch = readDocument(document, operator, false, before?.document ?? {});
  await refuseIdle(tx, { tenant, scope }, patch, operator);
  return JSON.stringify(patch);
}

/** All that the operator sets, as its file has it under `checks`. */
export function readTriedOperatorSettings(document: string): string {
  if (document.length > longestDocument)
    throw invalid('checks.document', `${document.length} characters`, `at most ${longestDocument}`);
  try {
    const checked = checkDocument(checksSchema, plainOf(locateYaml(document, 'checks')) ?? {}, 'checks');
    if (checked.ok) {
      const idle = idleChecks(checked.value);
      if (idle.length === 0) return writeSettings(checked.value);
      throw new PosternError(
        'invalid-argument',
        idle.map(({ check, message }) => `checks.${check}.enabled: ${message}`).join('\n'),
      );
    }
    const told = checked.problems
      .slice(0, 30)
      .map(({ path, message }) => `checks${path === '' ? '' : `.${path}`}: ${message}`);
    throw new PosternError('invalid-argument', told.join('\n'));
  } catch (error) {
    if (error instanceof ConfigError) throw new PosternError('invalid-argument', error.message);
    throw error;
  }
}

export function checkSettingsMethods({ withTenant, operator }: ResourceParts) {
  return {
    getCheckSettings: apiMethod<GetCheckSettingsRequest, GetCheckSettingsResponse>('reader', (request, caller) => {
      const tenant = tenantOf(caller, request.tenant);
      const scope = scopeField('settings.scope', request.scope);
      return withTenant(caller.scope, async (tx) => {
        await assertScopeOwned(tx, tenant, scope);
        const [row] = await read(tx, tenant, scope);
        const effective = request.effective ? await effectiveOf(tx, { tenant, scope }, operator().checks) : [];
        return { settings: shown(tenant, scope, row, operator().checks), effective };
      });
    }),
    putCheckSettings: apiMethod<PutCheckSettingsRequest, PutCheckSettingsResponse>('admin', (request, caller) => {
      const settings = required('settings', request.settings);
      const tenant = tenantOf(caller, settings.tenant);
      const scope = scopeField('settings.scope', settings.scope);
      const isEmpty = settings.document.trim() === '';
      const inner = scope.includes('@');
      return withTenant(caller.scope, async (tx) => {
        await readTenant(tx, tenant);
        await assertScopeOwned(tx, tenant, scope);
        const [before] = await read(tx, tenant, scope);
        assertEtag(settings.etag, before?.version ?? 0);
        const document = isEmpty
          ? {}
          : readDocument(settings.document, operator().checks, inner, before?.document ?? {});
        await refuseIdle(tx, { tenant, scope }, document, operator().checks);
        let row: Row | undefined;
        if (isEmpty) await tx.run('DELETE FROM check_settings WHERE tenant = $1 AND scope = $2', [tenant, scope]);
        else
          [row] = await tx.rows<Row>(
            `INSERT INTO check_settings AS c (tenant, scope, document, source) VALUES ($1, $2, $3, $4)
             ON CONFLICT (tenant, scope) DO UPDATE SET document = excluded.document, source = excluded.source,
               version = c.version + 1
             RETURNING source, version, document`,
            [tenant, scope, JSON.stringify(document), settings.document],
          );
        if (scope.includes('@')) await noteRecipients(tx, tenant, [scope]);
        await noteSnapshot(tx, tenant);
        await audit(tx, caller, { tenant, method: 'PutCheckSettings', resource: scope === '' ? tenant : scope });
        return { settings: shown(tenant, scope, row, operator().checks) };
      });
    }),
  };
}
