/**
 * PostgreSQL, schema `mail`. Two ways in: `service` transactions see every tenant, `scoped` ones only what row-level security gives their
 * tenant, even if the code above is wrong. Every statement has a deadline in the server. Does not retry: the loops above do.
 * Invariant: a connection without a tenant sees no rows.
 */
import { PosternError } from '@postern/errors';
import pg from 'pg';

export type Row = Record<string, unknown>;

export interface Statement {
  /** Prepared under this name. */
  readonly name: string;
  readonly text: string;
}

export interface Transaction {
  query<R extends Row>(statement: Statement, values?: readonly unknown[]): Promise<R[]>;
  /** Number of rows changed. */
  run(statement: Statement, values?: readonly unknown[]): Promise<number>;
  /** Plain SQL without values: migrations and partitions. */
  script(text: string): Promise<void>;
}

export interface Database {
  /** Sees everything: intake, outcomes, dispatch, sweep. */
  service<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;
  /** Read or change on behalf of a tenant; `*` = operator. */
  scoped<T>(tenant: string, work: (transaction: Transaction) => Promise<T>): Promise<T>;
  /** Roles that row-level security does not bind; empty = as it should be. */
  unboundRole(): Promise<string>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  readonly password?: string;
  readonly tlsCa?: string;
  readonly connections: number;
  /** Called when an idle connection breaks. */
  readonly onError: (error: Error) => void;
}

const connectTimeoutMs = 5_000;
const statementTimeoutMs = 30_000;
const scopedTimeoutMs = 10_000;
const int8 = 20;

// The service's own statements all go by key. A plan made while a table was still empty must not stay a scan when it has grown.
const byKeyOnly = '-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off';

/** pg lets what the URL says win, also where it says nothing: the password must be part of it. */
function withPassword(url: string, password: string | undefined): string {
  if (password === undefined) return url;
  const parsed = new URL(url);
  parsed.password = encodeURIComponent(password);
  return parsed.href;
}

function openPool(options: DatabaseOptions, size: number, timeoutMs: number, settings: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString: withPassword(options.url, options.password),
    ...(options.tlsCa === undefined ? {} : { ssl: { ca: options.tlsCa } }),
    max: size,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: 60_000,
    application_name: 'postern-queue',
    options: `${settings} -c statement_timeout=${timeoutMs} -c idle_in_transaction_session_timeout=${timeoutMs * 2}`,
    keepAlive: true,
    types: { getTypeParser: (oid, format) => (oid === int8 ? Number : pg.types.getTypeParser(oid, format)) },
  });
  // A connection may break while it is taken but idle, between two statements: without a listener of its own that would end the process.
  pool.on('connect', (client) => client.on('error', options.onError));
  pool.on('error', options.onError);
  return pool;
}

function transactionOn(client: pg.PoolClient): Transaction {
  const send = (statement: Statement, values: readonly unknown[]) =>
    client.query({ name: statement.name, text: statement.text, values: [...values] });
  return {
    query: async (statement, values = []) => (await send(statement, values)).rows,
    run: async (statement, values = []) => (await send(statement, values)).rowCount ?? 0,
    script: async (text) => {
      await client.query(text);
    },
  };
}

async function within<T>(
  pool: pg.Pool,
  prepare: ((client: pg.PoolClient) => Promise<unknown>) | undefined,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('BEGIN');
    await prepare?.(client);
    const result = await work(transactionOn(client));
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: Error) => {
      broken = failure;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

export function openDatabase(options: DatabaseOptions): Database {
  const service = openPool(
    options,
    Math.max(2, options.connections - 2),
    statementTimeoutMs,
    `-c app.tenant=* ${byKeyOnly}`,
  );
  const scoped = openPool(options, 2, scopedTimeoutMs, '-c app.tenant=');
  return {
    service: (work) => within(service, undefined, work),
    scoped: (tenant, work) => {
      if (tenant === '') throw new PosternError('permission-denied', 'no tenant in scope');
      return within(scoped, (client) => client.query("SELECT set_config('app.tenant', $1, true)", [tenant]), work);
    },
    unboundRole: async () => {
      const { rows } = await service.query<{ rolname: string }>(
        'SELECT rolname FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)',
      );
      return rows[0]?.rolname ?? '';
    },
    close: async () => {
      await Promise.all([service.end(), scoped.end()]);
    },
  };
}
