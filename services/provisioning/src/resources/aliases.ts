/** Aliases and groups of a domain. Loops among them are the queue's to stop; here only the form is checked. */
import type {
  DeleteAliasRequest,
  DeleteAliasResponse,
  ListAliasesRequest,
  ListAliasesResponse,
  PutAliasRequest,
  PutAliasResponse,
} from '@postern/proto/provisioning/v1/provisioning_service';
import type { Alias } from '@postern/proto/provisioning/v1/resources';
import { domainOf } from '../addresses.js';
import { audit } from '../audit.js';
import { listed } from '../audit-detail.js';
import { comesBack } from '../operator/missing-parts.js';
import { addressField, assertEtag, cutPage, etagOf, invalid, pageOf, required, unknown } from '../request-fields.js';
import { noteRecipients } from '../snapshot/outbox.js';
import { claimAddress } from './address-claim.js';
import { refuseLoop } from './alias-loop.js';
import { apiMethod, type ResourceParts } from './api-method.js';
import { readDomain } from './domains.js';
import { emptyTargets } from './empty-targets.js';

interface Row {
  readonly address: string;
  readonly tenant: string;
  readonly targets: string[];
  readonly is_group: boolean;
  readonly version: string;
}

const columns = 'address, tenant, targets, is_group, version';
const mostTargets = 1_000;

const toAlias = (row: Row): Alias => ({
  address: row.address,
  tenant: row.tenant,
  targets: row.targets,
  group: row.is_group,
  etag: etagOf(row.version),
});

export function aliasMethods({ withTenant, operator }: ResourceParts) {
  return {
    putAlias: apiMethod<PutAliasRequest, PutAliasResponse>('admin', (request, caller) => {
      const alias = required('alias', request.alias);
      const address = addressField('alias.address', alias.address);
      if (alias.targets.length < 1 || alias.targets.length > mostTargets) {
        throw invalid('alias.targets', String(alias.targets.length), `1 to ${mostTargets} addresses`);
      }
      const targets = [...new Set(alias.targets.map((target) => addressField('alias.targets', target)))];
      return withTenant(caller.scope, async (tx) => {
        const domain = await readDomain(tx, domainOf(address));
        await claimAddress(tx, address, 'alias');
        const [before] = await tx.rows<Row>(`SELECT ${columns} FROM aliases WHERE address = $1`, [address]);
        assertEtag(alias.etag, before?.version ?? 0);
        const [row] = await tx.rows<Row>(
          `INSERT INTO aliases AS a (address, domain, tenant, targets, is_group) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (address) DO UPDATE SET targets = excluded.targets, is_group = excluded.is_group, version = a.version + 1
           RETURNING ${columns}`,
          [address, domain.name, domain.tenant, targets, alias.group],
        );
        await refuseLoop(tx, address, targets);
        await noteRecipients(tx, domain.tenant, [address]);
        const detail = { targets: listed(targets), group: alias.group };
        await audit(tx, caller, { tenant: domain.tenant, method: 'PutAlias', resource: address, detail });
        const warnings = await emptyTargets(tx, `mail for ${address} fails there`, targets);
        return { alias: row === undefined ? undefined : toAlias(row), warnings };
      });
    }),
    listAliases: apiMethod<ListAliasesRequest, ListAliasesResponse>('reader', (request, caller) => {
      const page = pageOf(request);
      return withTenant(caller.scope, async (tx) => {
        const found = await tx.rows<Row>(
          `SELECT ${columns} FROM aliases WHERE address > $1 AND ($2 = '' OR domain = $2) ORDER BY address LIMIT $3`,
          [page.after, request.domain.toLowerCase(), page.size + 1],
        );
        const { rows, nextPageToken } = cutPage(found, page, (row) => row.address);
        return { aliases: rows.map(toAlias), nextPageToken };
      });
    }),
    deleteAlias: apiMethod<DeleteAliasRequest, DeleteAliasResponse>('admin', (request, caller) =>
      withTenant(caller.scope, async (tx) => {
        const address = addressField('address', request.address);
        const [row] = await tx.rows<Row>(`DELETE FROM aliases WHERE address = $1 RETURNING ${columns}`, [address]);
        if (row === undefined) throw unknown('alias', address);
        await noteRecipients(tx, row.tenant, [address]);
        await audit(tx, caller, { tenant: row.tenant, method: 'DeleteAlias', resource: address });
        return { warnings: comesBack(operator(), { kind: 'alias', name: address }) };
      }),
    ),
  };
}
