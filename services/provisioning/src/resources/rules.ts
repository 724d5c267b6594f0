/** Rules: checked by the rule engine when they are saved, so that what is saved is what is evaluated. YAML or JSON in, JSON in the snapshot. */
import { PosternError } from '@postern/errors';
import type {
  DeleteRuleRequest,
  DeleteRuleResponse,
  ListRulesRequest,
  ListRulesResponse,
  PutRuleRequest,
  PutRuleResponse,
} from '@postern/proto/provisioning/v1/provisioning_service';
import type { Rule } from '@postern/proto/provisioning/v1/resources';
import { type Caller, tenantOf } from '../access.js';
import { audit } from '../audit.js';
import { operatorScope } from '../database/tenant-scope.js';
import { rulePoolFaults } from '../egress-pools.js';
import { rightsOfTenant } from '../operator/file-rules.js';
import { type InFile, idsInFile, mostRules, priorityOf, rulesInFile } from '../operator/stored-rules.js';
import { assertEtag, etagOf, invalid, required, textField, unknown } from '../request-fields.js';
import { readRuleDocument } from '../rule-document.js';
import { routeFaults } from '../rule-routes.js';
import { namedTargets, targetFaults } from '../rule-targets.js';
import { noteSnapshot } from '../snapshot/outbox.js';
import { apiMethod, type ResourceParts } from './api-method.js';
import { emptyTargets } from './empty-targets.js';
import { assertScopeOwned, scopeField } from './tenant-part.js';
import { readTenant } from './tenants.js';

interface Row {
  readonly tenant: string;
  readonly scope: string;
  readonly id: string;
  readonly source: string;
  readonly version: string;
  readonly priority: number;
}

const columns = 'tenant, scope, id, source, version, priority';

const toRule = (row: Row): Rule => ({
  id: row.id,
  tenant: row.tenant,
  scope: row.scope,
  version: Number(row.version),
  document: row.source,
  etag: etagOf(row.version),
  priority: row.priority,
  inFile: false,
});

const fileRule = (rule: InFile): Rule => ({ ...rule, version: 1, etag: '', inFile: true });

/** Those of the file before the saved ones of the same priority: as pods ask them. */
function inOrder(one: Rule, other: Rule): number {
  if (one.tenant !== other.tenant) return one.tenant < other.tenant ? -1 : 1;
  if (one.scope !== other.scope) return one.scope < other.scope ? -1 : 1;
  return one.priority - other.priority;
}

/** Empty = server scope, for operators only. */
function ruleTenant(caller: Caller, named: string): string {
  return caller.role === 'operator' && named === '' ? '' : tenantOf(caller, named);
}

/** A domain or user, which must be of the tenant. */
function ruleScope(tenant: string, scope: string): string {
  if (scope !== '' && tenant === '') throw invalid('rule.scope', scope, 'no scope without a tenant');
  return scopeField('rule.scope', scope);
}

export function ruleMethods({ withTenant, operator, egressPools }: ResourceParts) {
  return {
    putRule: apiMethod<PutRuleRequest, PutRuleResponse>('admin', async (request, caller) => {
      const rule = required('rule', request.rule);
      const tenant = ruleTenant(caller, rule.tenant);
      textField('rule.id', rule.id, /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'letters, digits, dot, - and _, at most 64');
      const scope = ruleScope(tenant, rule.scope);
      const inFile = idsInFile(operator(), { tenant, scope });
      if (inFile.has(rule.id))
        throw invalid('rule.id', rule.id, 'an id that no rule of the operator file has in this scope');
      const permitted = rightsOfTenant(operator(), tenant);
      const hasAsn = operator().asnDatabase !== undefined;
      const {
        document,
        warnings: risks,
        refuse,
      } = readRuleDocument(rule.id, { tenant, scope, permitted, hasAsn }, rule.document);
      const priority = priorityOf(document);
      const targets = namedTargets(document);
      if (tenant !== '' && targets.length > 0)
        refuse(await withTenant(operatorScope, (tx) => targetFaults(tx, tenant, targets)));
      return withTenant(caller.scope, async (tx) => {
        if (tenant !== '') await readTenant(tx, tenant);
        await assertScopeOwned(tx, tenant, scope);
        refuse([
          ...(await routeFaults(tx, tenant, document, Object.keys(operator().nextHops))),
          ...rulePoolFaults(document, egressPools),
        ]);
        const [before] = await tx.rows<Row>(
          `SELECT ${columns} FROM rules WHERE tenant = $1 AND scope = $2 AND id = $3 FOR UPDATE`,
          [tenant, scope, rule.id],
        );
        assertEtag(rule.etag, before?.version ?? 0);
        const [count] = await tx.rows<{ n: number }>('SELECT count(*)::int AS n FROM rules WHERE tenant = $1', [
          tenant,
        ]);
        if (before === undefined && (count?.n ?? 0) + inFile.size >= mostRules) {
          throw new PosternError(
            'quota-exceeded',
            `${tenant === '' ? 'the server' : 'a tenant'} has at most ${mostRules} rules, those of the operator file included`,
          );
        }
        const version = Number(before?.version ?? 0) + 1;
        const [row] = await tx.rows<Row>(
          `INSERT INTO rules (tenant, scope, id, document, source, priority, version) VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (tenant, scope, id) DO UPDATE SET document = excluded.document, source = excluded.source,
             priority = excluded.priority, version = excluded.version
           RETURNING ${columns}`,
          [tenant, scope, rule.id, JSON.stringify({ ...document, version }), rule.document, priority, version],
        );
        await noteSnapshot(tx, tenant === '' ? operatorScope : tenant);
        await audit(tx, caller, { tenant, method: 'PutRule', resource: rule.id, detail: { version, scope } });
        const addresses = targets.map(({ address }) => address);
        const warnings = [...risks, ...(await emptyTargets(tx, `what rule ${rule.id} sends fails there`, addresses))];
        return { rule: row === undefined ? undefined : toRule(row), warnings };
      });
    }),
    listRules: apiMethod<ListRulesRequest, ListRulesResponse>('reader', (request, caller) =>
      withTenant(caller.scope, async (tx) => {
        const scope = scopeField('scope', request.scope);
        const rows = await tx.rows<Row>(
          `SELECT ${columns} FROM rules WHERE ($1 = '' OR tenant = $1) AND ($2 = '' OR scope = $2)
           ORDER BY tenant, scope, priority, created_at, id LIMIT ${mostRules}`,
          [request.tenant, scope],
        );
        const inFile = rulesInFile(operator()).filter(
          (rule) =>
            (caller.scope === operatorScope || rule.tenant === caller.scope) &&
            (request.tenant === '' || rule.tenant === request.tenant) &&
            (scope === '' || rule.scope === scope),
        );
        return { rules: [...inFile.map(fileRule), ...rows.map(toRule)].sort(inOrder) };
      }),
    ),
    deleteRule: apiMethod<DeleteRuleRequest, DeleteRuleResponse>('admin', (request, caller) => {
      const tenant = ruleTenant(caller, request.tenant);
      const scope = ruleScope(tenant, request.scope);
      if (idsInFile(operator(), { tenant, scope }).has(request.id))
        throw invalid('id', request.id, 'a saved rule: this one stands in the operator file, take it out there');
      return withTenant(caller.scope, async (tx) => {
        const deleted = await tx.run('DELETE FROM rules WHERE tenant = $1 AND scope = $2 AND id = $3', [
          tenant,
          scope,
          request.id,
        ]);
        if (deleted === 0) throw unknown('rule', request.id);
        await noteSnapshot(tx, tenant === '' ? operatorScope : tenant);
        await audit(tx, caller, { tenant, method: 'DeleteRule', resource: request.id });
        return {};
      });
    }),
  };
}
