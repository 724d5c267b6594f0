/** The audit, newest first: operators see all of it, a tenant's administrators what concerns their tenant. Kept for a year (`housekeeping.ts`). */
import type { ListAuditRequest, ListAuditResponse } from '@postern/proto/provisioning/v1/provisioning_service';
import type { AuditEntry } from '@postern/proto/provisioning/v1/resources';
import type { Caller } from '../access.js';
import { cutPage, invalid, pageOf } from '../request-fields.js';
import { apiMethod, type ResourceParts } from './api-method.js';

interface Row {
  readonly id: string;
  readonly at: Date;
  readonly tenant: string;
  readonly actor: string;
  readonly role: string;
  readonly method: string;
  readonly resource: string;
  readonly detail: object;
}

const longestDetail = 4_096;

/** Keys of operators are nobody else's business. */
const toEntry = ({ at, detail, actor, ...row }: Row, { role }: Caller): AuditEntry => ({
  atMs: at.getTime(),
  tenant: row.tenant,
  actor: role !== 'operator' && row.role === 'operator' ? '' : actor,
  role: row.role,
  method: row.method,
  resource: row.resource,
  detail: JSON.stringify(detail).slice(0, longestDetail),
});

export function auditMethods({ withTenant }: Pick<ResourceParts, 'withTenant'>) {
  return {
    listAudit: apiMethod<ListAuditRequest, ListAuditResponse>('admin', (request, caller) => {
      const page = pageOf(request);
      if (page.after !== '' && !/^\d{1,18}$/.test(page.after))
        throw invalid('page_token', request.pageToken, 'the token of an earlier answer');
      const { tenant, method, resource, sinceMs } = request;
      return withTenant(caller.scope, async (tx) => {
        const found = await tx.rows<Row>(
          `SELECT id, at, tenant, actor, role, method, resource, detail FROM audit
            WHERE ($1 = '' OR tenant = $1) AND ($2 = '' OR id < $2::bigint) AND ($3 = '' OR method = $3)
              AND ($4 = '' OR resource = $4) AND at >= $5 ORDER BY id DESC LIMIT $6`,
          [tenant, page.after, method, resource, new Date(sinceMs), page.size + 1],
        );
        const { rows, nextPageToken } = cutPage(found, page, ({ id }) => id);
        return { entries: rows.map((row) => toEntry(row, caller)), nextPageToken };
      });
    }),
  };
}
