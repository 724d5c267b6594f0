/** An address is a user or an alias, never both: claimed under a lock, since two tables cannot share one unique index. */
import { PosternError } from '@postern/errors';
import type { Transaction } from '../database/tenant-scope.js';

export async function claimAddress(tx: Transaction, address: string, as: 'user' | 'alias'): Promise<void> {
  await tx.rows('SELECT pg_advisory_xact_lock(hashtext($1))', [address]);
  const other = as === 'user' ? 'aliases' : 'users';
  const taken = await tx.rows(`SELECT 1 FROM ${other} WHERE address = $1`, [address]);
  if (taken.length === 0) return;
  throw new PosternError(
    'already-exists',
    `${JSON.stringify(address)} is ${as === 'user' ? 'an alias' : 'a user'} already`,
  );
}
