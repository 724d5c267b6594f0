/**
 * Who calls, and for which tenant: a small signed statement sent as metadata `postern-scope` with every call between
 * services. HMAC-SHA256 over base64url JSON; one key shared by all services. Short lived, so it is not stored anywhere.
 * It proves the calling service and the tenant it acts for, not the end user: provisioning has checked that before.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '@postern/clock';
import { PosternError } from '@postern/errors';

export interface Scope {
  /** The service that calls. */
  readonly service: string;
  /** The tenant it acts for; '*' = all. */
  readonly tenant: string;
  readonly roles: readonly string[];
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

export type ScopeCheck =
  | { readonly ok: true; readonly scope: Scope }
  | { readonly ok: false; readonly reason: 'malformed' | 'signature' | 'expired' };

export const scopeKeyName = 'postern-scope';
export const everyTenant = '*';

const shortestKey = 32;
const longestToken = 4096;

export function signScope(scope: Scope, key: Uint8Array): string {
  const { service, tenant, roles, expiresAt } = scope;
  const body = Buffer.from(JSON.stringify([1, service, tenant, roles, expiresAt])).toString('base64url');
  return `${body}.${sign(body, key).toString('base64url')}`;
}

export function verifyScope(token: string, key: Uint8Array, clock: Clock): ScopeCheck {
  const dot = token.indexOf('.');
  if (dot < 0 || token.length > longestToken) return { ok: false, reason: 'malformed' };
  const body = token.slice(0, dot);
  const given = Buffer.from(token.slice(dot + 1), 'base64url');
  const wanted = sign(body, key);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return { ok: false, reason: 'signature' };
  const scope = readBody(body);
  if (scope === undefined) return { ok: false, reason: 'malformed' };
  return scope.expiresAt > clock.now() ? { ok: true, scope } : { ok: false, reason: 'expired' };
}

/** May the bearer act for this tenant? */
export function coversTenant(scope: Scope, tenant: string): boolean {
  return scope.tenant === everyTenant || scope.tenant === tenant;
}

export interface ScopeSourceOptions {
  readonly service: string;
  readonly key: Uint8Array;
  readonly clock: Clock;
  readonly tenant?: string;
  readonly roles?: readonly string[];
  readonly lifetimeMs?: number;
}

const defaultLifetimeMs = 60_000;

/** Signs anew at half the lifetime and gives out the same token in between. */
export function createScopeSource(options: ScopeSourceOptions): () => string {
  const { service, key, clock, tenant = everyTenant, roles = [], lifetimeMs = defaultLifetimeMs } = options;
  let token = '';
  let renewAt = Number.NEGATIVE_INFINITY;
  return () => {
    const now = clock.now();
    if (now >= renewAt || now < renewAt - lifetimeMs) {
      token = signScope({ service, tenant, roles, expiresAt: now + lifetimeMs }, key);
      renewAt = now + lifetimeMs / 2;
    }
    return token;
  };
}

function sign(body: string, key: Uint8Array): Buffer {
  if (key.length < shortestKey)
    throw new PosternError('config-invalid', `the scope key is shorter than ${shortestKey} bytes`);
  return createHmac('sha256', key).update(body).digest();
}

function readBody(body: string): Scope | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(body, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
  if (!Array.isArray(parsed)) return undefined;
  const [version, service, tenant, roles, expiresAt]: unknown[] = parsed;
  if (version !== 1 || typeof service !== 'string' || typeof tenant !== 'string' || typeof expiresAt !== 'number')
    return undefined;
  if (!Array.isArray(roles)) return undefined;
  return { service, tenant, roles: roles.map(String), expiresAt };
}
