/**
 * Connections to PostgreSQL. A query has a deadline on both sides; a lost connection is `store-unavailable`, never a crash.
 * Does not know tenants: see `tenant-scope.ts`, the only way services code reaches tables.
 */
import { readFile } from 'node:fs/promises';
import { readSecret } from '@postern/config';
import { PosternError } from '@postern/errors';
import { type ClientConfig, Pool, type PoolConfig } from 'pg';

export interface DatabaseSettings {
  readonly url: string;
  readonly passwordFile?: string;
  readonly tlsCaFile?: string;
  readonly connections: number;
}

/** Settings with the secrets read. */
export interface DatabaseTarget {
  readonly url: string;
  readonly role: string;
  readonly password: string | undefined;
  readonly tlsCa: string | undefined;
  readonly connections: number;
}

const queryDeadlineMs = 15_000;
const connectDeadlineMs = 5_000;

export async function readDatabaseTarget(settings: DatabaseSettings): Promise<DatabaseTarget> {
  const url = new URL(settings.url);
  return {
    url: settings.url,
    role: decodeURIComponent(url.username),
    password: settings.passwordFile === undefined ? undefined : await readSecret(settings.passwordFile),
    tlsCa: settings.tlsCaFile === undefined ? undefined : await readFile(settings.tlsCaFile, 'utf8'),
    connections: settings.connections,
  };
}

export function clientOptions(target: DatabaseTarget): ClientConfig {
  const url = new URL(target.url);
  const password = target.password ?? decodeURIComponent(url.password);
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 5432 : Number(url.port),
    database: decodeURIComponent(url.pathname.slice(1)) || 'postern',
    user: target.role,
    ...(password === '' ? {} : { password }),
    ...(target.tlsCa === undefined ? {} : { ssl: { ca: target.tlsCa } }),
    application_name: 'postern-provisioning',
    connectionTimeoutMillis: connectDeadlineMs,
    keepAlive: true,
  };
}

export function openPool(target: DatabaseTarget, onError: (error: Error) => void): Pool {
  const options: PoolConfig = {
    ...clientOptions(target),
    max: target.connections,
    statement_timeout: queryDeadlineMs,
    query_timeout: queryDeadlineMs + 1_000,
    idle_in_transaction_session_timeout: 30_000,
    idleTimeoutMillis: 60_000,
  };
  const pool = new Pool(options);
  // An idle connection that breaks must not end the process; the pool opens another one.
  pool.on('error', onError);
  // One that is taken but idle, between two statements, has no listener of the pool: the next statement tells.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** Isolation must hold in the database even if the code is wrong (design.md, invariant 6): refuse a role that bypasses it. */
export async function assertConfinedRole(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ name: string; unbound: boolean }>(
    'SELECT rolname AS name, rolsuper OR rolbypassrls AS unbound FROM pg_roles WHERE rolname = current_user',
  );
  const role = rows[0];
  if (role === undefined || !role.unbound) return;
  throw new PosternError(
    'config-invalid',
    `database.url: role ${JSON.stringify(role.name)} is a superuser or has BYPASSRLS; expected a role that row-level security binds`,
  );
}
