/** What every forwarded call has: the scope of its caller, the tenant it may ask for, and a callee that is away said by its name. */
import type { Clock } from '@postern/clock';
import { isPosternError, PosternError } from '@postern/errors';
import { isUnanswered, signScope } from '@postern/grpc';
import type { Caller } from './access.js';
import { required } from './request-fields.js';

const scopeLifetimeMs = 30_000;

/** The scope of a caller, signed for one call. */
export function scopeSigner(scopeKey: Buffer | undefined, clock: Clock): (caller: Caller) => string {
  return (caller) => {
    if (scopeKey === undefined) throw new PosternError('unimplemented', 'scopeKeyFile is not configured');
    const expiresAt = clock.now() + scopeLifetimeMs;
    return signScope({ service: 'provisioning', tenant: caller.scope, roles: [caller.role], expiresAt }, scopeKey);
  };
}

/** A tenant's key asks for its own tenant, an operator's for the one named or all. */
export function confined<Q extends { tenant: string }>(caller: Caller, query: Q | undefined): Q {
  const given = required('query', query);
  return caller.role === 'operator' ? given : { ...given, tenant: caller.tenant };
}

/** A callee that is away is said by its name; how gRPC put it stays in the cause, for the log. */
export async function told<T>(callee: 'queue' | 'policy', answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!isPosternError(error) || !isUnanswered(error)) throw error;
    throw new PosternError(error.id, `the ${callee} service does not answer; see \`posternctl status\``, {
      cause: error,
    });
  }
}
