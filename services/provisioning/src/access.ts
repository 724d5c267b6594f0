/**
 * Who calls the public API: `authorization: Bearer postern_<id>_<secret>`. Keys are random, so their hash needs no stretching; only the
 * hash is stored. The key's tenant becomes the scope of every statement of the call: the database, not the code, keeps tenants apart.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import type { Clock, Random } from '@postern/clock';
import { PosternError } from '@postern/errors';
import type { CallContext } from '@postern/grpc';
import { operatorScope, type Scope, type WithTenant } from './database/tenant-scope.js';

export type Role = 'operator' | 'tenant-admin' | 'tenant-reader';

export interface Caller {
  readonly keyId: string;
  readonly role: Role;
  /** Empty for operators. */
  readonly tenant: string;
  /** For the database and for forwarded calls. */
  readonly scope: Scope;
}

/** Least role a method needs. */
export type Access = 'operator' | 'admin' | 'reader';

const allowed: Readonly<Record<Access, readonly Role[]>> = {
  operator: ['operator'],
  admin: ['operator', 'tenant-admin'],
  reader: ['operator', 'tenant-admin', 'tenant-reader'],
};

const keyForm = /^postern_([A-Za-z0-9-]{1,64})_([A-Za-z0-9_-]{43})$/;

export const hashSecret = (secret: string): Buffer => hash('sha256', secret, 'buffer');
export const keyText = (id: string, secret: string): string => `postern_${id}_${secret}`;
export const newSecret = (random: Random): string => random.bytes(32).toString('base64url');

export function readKey(text: string): { readonly id: string; readonly secret: string } | undefined {
  const [, id, secret] = keyForm.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

export type Authenticate = (context: CallContext) => Promise<Caller>;

interface KeyRow {
  readonly tenant: string;
  readonly role: Role;
  readonly secret_hash: Buffer;
  readonly expires_at: Date | null;
}

/** Every call begins here: that the database is silent is said long before the caller gives up. */
const longestLookMs = 5_000;

async function within<T>(clock: Clock, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = clock.setTimer(longestLookMs, () =>
    late.reject(new PosternError('store-unavailable', 'the database does not answer')),
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    timer.cancel();
  }
}

export function createAuthenticate(withTenant: WithTenant, clock: Clock): Authenticate {
  return async (context) => {
    const [header] = context.metadata.get('authorization');
    const [scheme = '', token = ''] = typeof header === 'string' ? header.split(' ') : [];
    const key = scheme.toLowerCase() === 'bearer' ? readKey(token) : undefined;
    if (key === undefined) {
      const given = token === '' ? 'an API key is needed' : 'what was given is not an API key (postern_<id>_<secret>)';
      throw new PosternError('unauthenticated', `${given}: authorization: Bearer <key>`);
    }
    const [row] = await within(
      clock,
      withTenant(operatorScope, (tx) =>
        tx.rows<KeyRow>('SELECT tenant, role, secret_hash, expires_at FROM api_keys WHERE id = $1', [key.id]),
      ),
    );
    const given = hashSecret(key.secret);
    const right = timingSafeEqual(given, row?.secret_hash ?? Buffer.alloc(given.length));
    if (row === undefined || !right) throw new PosternError('unauthenticated', 'the API key is not known');
    if (row.expires_at !== null && row.expires_at.getTime() <= clock.now()) {
      throw new PosternError('unauthenticated', 'the API key has expired');
    }
    const scope = row.role === 'operator' ? operatorScope : row.tenant;
    return { keyId: key.id, role: row.role, tenant: row.tenant, scope };
  };
}

export function assertAccess(caller: Caller, access: Access): void {
  if (allowed[access].includes(caller.role)) return;
  throw new PosternError(
    'permission-denied',
    `the role ${caller.role} may not do this; needs ${allowed[access].join(' or ')}`,
  );
}

/** The tenant a request works on: that of the key, or for operators the one named. */
export function tenantOf(caller: Caller, named: string): string {
  if (caller.role === 'operator') {
    if (named === '') throw new PosternError('invalid-argument', 'tenant: missing; expected the name of a tenant');
    return named;
  }
  if (named !== '' && named !== caller.tenant)
    throw new PosternError('permission-denied', 'tenant: not the tenant of the key');
  return caller.tenant;
}
