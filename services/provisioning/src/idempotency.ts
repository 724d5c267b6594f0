/**
 * A create with a request_id happens once: the answer is stored in the transaction of the change and given again to whoever asks again
 * with the same id. The same id with another request is refused. Kept for a day.
 */
import { PosternError } from '@postern/errors';
import type { Caller } from './access.js';
import type { Transaction } from './database/tenant-scope.js';
import type { Sealer } from './secrets/seal.js';

export interface Repeatable<R> {
  readonly requestId: string;
  readonly method: string;
  /** Tenant the row belongs to; '*' for what only operators create. */
  readonly tenant: string;
  /** The encoded request; only a keyed digest is stored, since it may hold a password. */
  readonly request: Uint8Array;
  readonly codec: { encode(value: R): { finish(): Uint8Array }; decode(bytes: Uint8Array): R };
}

export async function once<R>(
  tx: Transaction,
  caller: Caller,
  sealer: Sealer,
  what: Repeatable<R>,
  work: () => Promise<R>,
): Promise<R> {
  const { requestId, method, tenant } = what;
  if (requestId === '') return work();
  if (requestId.length > 128) throw new PosternError('invalid-argument', 'request_id: longer than 128 characters');
  await tx.rows('SELECT pg_advisory_xact_lock(hashtext($1))', [`request ${caller.keyId} ${requestId}`]);
  const digest = sealer.digest('idempotency', Buffer.from(what.request).toString('base64'));
  const [stored] = await tx.rows<{ method: string; request_hash: Buffer; response: Buffer }>(
    'SELECT method, request_hash, response FROM idempotency WHERE tenant = $1 AND actor = $2 AND request_id = $3',
    [tenant, caller.keyId, requestId],
  );
  if (stored !== undefined) {
    if (stored.method === method && stored.request_hash.equals(digest)) return what.codec.decode(stored.response);
    throw new PosternError('failed-precondition', 'request_id: was used for another request');
  }
  const response = await work();
  await tx.run(
    'INSERT INTO idempotency (tenant, actor, request_id, method, request_hash, response) VALUES ($1, $2, $3, $4, $5, $6)',
    [tenant, caller.keyId, requestId, method, digest, Buffer.from(what.codec.encode(response).finish())],
  );
  return response;
}
