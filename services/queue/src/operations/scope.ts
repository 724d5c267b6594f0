/** Which tenant a call of QueueService works as, and how a database that does not answer is told. */
import { PosternError } from '@postern/errors';
import type { CallContext } from '@postern/grpc';
import { failureKind } from '../store/health.js';

/** The tenant a call works as; throws when the request names another. */
export function scopeFor(context: CallContext, tenant: string): string {
  if (tenant !== '') context.assertTenant(tenant);
  return tenant === '' ? context.scope.tenant : tenant;
}

/** PostgreSQL away is an answer of its own, not `internal`. */
export async function stored<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PosternError) throw error;
    // Values the database cannot hold, such as NUL, came with the request.
    if (failureKind(error) === 'data')
      throw new PosternError('invalid-argument', 'a value of the request cannot be stored', { cause: error });
    throw new PosternError('store-unavailable', 'the queue database does not answer', { cause: error });
  }
}
