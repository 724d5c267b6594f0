/** Who changed what, written in the transaction of the change. Never holds a secret: `detail` names fields, not passwords. */
import type { Caller } from './access.js';
import type { Transaction } from './database/tenant-scope.js';

export async function audit(
  tx: Transaction,
  caller: Caller,
  entry: { readonly tenant: string; readonly method: string; readonly resource: string; readonly detail?: object },
): Promise<void> {
  await tx.run('INSERT INTO audit (tenant, actor, role, method, resource, detail) VALUES ($1, $2, $3, $4, $5, $6)', [
    entry.tenant,
    caller.keyId,
    caller.role,
    entry.method,
    entry.resource,
    JSON.stringify(entry.detail ?? {}),
  ]);
}
