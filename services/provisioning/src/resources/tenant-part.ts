/** Part of a tenant that settings or rules are for: the whole, one of its domains, or one of its users. */
import { PosternError } from '@postern/errors';
import type { Transaction } from '../database/tenant-scope.js';
import { addressField, domainField } from '../request-fields.js';

/** Empty, a domain, or the address of a user; canonical. */
export function scopeField(field: string, scope: string): string {
  if (scope === '') return '';
  return scope.includes('@') ? addressField(field, scope) : domainField(field, scope);
}

export async function assertScopeOwned(tx: Transaction, tenant: string, scope: string): Promise<void> {
  if (scope === '') return;
  const statement = scope.includes('@')
    ? 'SELECT 1 FROM users WHERE address = $1 AND tenant = $2'
    : 'SELECT 1 FROM domains WHERE name = $1 AND tenant = $2';
  const found = await tx.rows(statement, [scope, tenant]);
  if (found.length === 0) {
    const kind = scope.includes('@') ? 'user' : 'domain';
    throw new PosternError('not-found', `tenant ${tenant} has no ${kind} ${scope.slice(0, 320)}`);
  }
}
