/**
 * Server interceptor: a call without a valid scope is refused before its handler sees it. Health and reflection are
 * open, since probes have no key. The verified scope is found again by the call's metadata object.
 */
import type { Clock } from '@postern/clock';
import { PosternError } from '@postern/errors';
import { type Metadata, ServerInterceptingCall, type ServerInterceptor, ServerListenerBuilder } from './grpc-js.js';
import { type Scope, scopeKeyName, verifyScope } from './scope.js';
import { statusOf } from './status.js';

export interface ScopeRequirement {
  readonly key: Uint8Array;
  readonly clock: Clock;
  /** Refused unless the scope has one of these roles; default: any. */
  readonly anyRole?: readonly string[];
  /** Refused unless one of these services calls; default: any. */
  readonly services?: readonly string[];
}

const verified = new WeakMap<Metadata, Scope>();

export function requireScope(requirement: ScopeRequirement): ServerInterceptor {
  return (method, call) => {
    if (method.path.startsWith('/grpc.')) return new ServerInterceptingCall(call);
    return new ServerInterceptingCall(call, {
      start: (next) => {
        const listener = new ServerListenerBuilder().withOnReceiveMetadata((metadata, pass) => {
          const refusal = admit(metadata, requirement);
          if (refusal === undefined) pass(metadata);
          else call.sendStatus(statusOf(refusal));
        });
        next(listener.build());
      },
    });
  };
}

export function scopeOf(metadata: Metadata): Scope | undefined {
  return verified.get(metadata);
}

function admit(metadata: Metadata, { key, clock, anyRole, services }: ScopeRequirement): PosternError | undefined {
  const [token] = metadata.get(scopeKeyName);
  if (typeof token !== 'string') return new PosternError('unauthenticated', 'no scope came with the call');
  const check = verifyScope(token, key, clock);
  if (!check.ok) return new PosternError('unauthenticated', `the scope is not valid: ${check.reason}`);
  const { scope } = check;
  if (services && !services.includes(scope.service))
    return new PosternError('permission-denied', `not for ${scope.service}`);
  if (anyRole && !anyRole.some((role) => scope.roles.includes(role))) {
    return new PosternError('permission-denied', `needs one of the roles ${anyRole.join(', ')}`);
  }
  verified.set(metadata, scope);
  return undefined;
}
