/**
 * The tenant wrapper: every statement runs in a transaction that says for whom it works, and row-level security does the rest.
 * Scope '*' is the operator. SET LOCAL ends with the transaction, so a pooled connection never carries a scope to the next caller.
 */
import { PosternError } from '@postern/errors';
import { DatabaseError, type Pool, type PoolClient, type QueryResultRow } from 'pg';

/** A tenant's name, or '*' for the operator. */
export type Scope = string;

export const operatorScope: Scope = '*';

export interface Transaction {
  readonly scope: Scope;
  rows<R extends QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<R[]>;
  /** Number of rows changed. */
  run(sql: string, values?: readonly unknown[]): Promise<number>;
}

export type WithTenant = <T>(scope: Scope, work: (tx: Transaction) => Promise<T>) => Promise<T>;

export function tenantScopes(pool: Pool): WithTenant {
  return async (scope, work) => {
    const client = await connect(pool);
    let broken: Error | undefined;
    try {
      await client.query('BEGIN');
      await client.query(
        "SELECT set_config('app.tenant', $1, true), set_config('search_path', 'config, pg_temp', true)",
        [scope],
      );
      const result = await work(transactionOn(client, scope));
      await client.query('COMMIT');
      return result;
    } catch (error) {
      // A server that did not answer will not answer this either: the connection is given up.
      if (isSilent(error)) broken = error;
      else
        await client.query('ROLLBACK').catch((failure: unknown) => {
          broken = failure instanceof Error ? failure : new Error(String(failure));
        });
      throw explain(error);
    } finally {
      client.release(broken);
    }
  };
}

const isSilent = (error: unknown): error is Error =>
  error instanceof Error &&
  !(error instanceof DatabaseError || error instanceof PosternError) &&
  /timeout|terminat|ECONN/i.test(error.message);

async function connect(pool: Pool): Promise<PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    throw new PosternError('store-unavailable', 'the database cannot be reached', { cause: error });
  }
}

function transactionOn(client: PoolClient, scope: Scope): Transaction {
  return {
    scope,
    rows: async <R extends QueryResultRow>(sql: string, values: readonly unknown[] = []) =>
      (await client.query<R>(sql, [...values])).rows,
    run: async (sql, values = []) => (await client.query(sql, [...values])).rowCount ?? 0,
  };
}

/** Tables say what it was about. Under row-level security the server withholds keys and values, as it should: callers name what they were given. */
function explain(error: unknown): unknown {
  if (error instanceof PosternError) return error;
  if (!(error instanceof DatabaseError)) {
    return error instanceof Error && /connection|timeout|terminat|ECONN/i.test(error.message)
      ? new PosternError('store-unavailable', 'the database does not answer', { cause: error })
      : error;
  }
  const options = { cause: error };
  switch (error.code) {
    case '23505':
      return new PosternError('already-exists', `${kindOf(error.table)} is taken already`, options);
    case '23503':
      return new PosternError('failed-precondition', reference(error), options);
    case '23514':
      return new PosternError(
        'invalid-argument',
        `${error.constraint ?? 'a field'}: the value is not allowed`,
        options,
      );
    case '22021':
    case '22P02':
      return new PosternError('invalid-argument', 'a text holds bytes that cannot be stored', options);
    case '42501':
      return new PosternError('permission-denied', 'outside of the tenant', options);
    case '40001':
    case '40P01':
      return new PosternError('aborted', '', options);
    default:
      return error.code?.startsWith('57') || error.code?.startsWith('53') || error.code?.startsWith('08')
        ? new PosternError('store-unavailable', 'the database refuses work', options)
        : new PosternError('internal', '', options);
  }
}

const kinds: Readonly<Record<string, string>> = {
  tenants: 'the tenant',
  domains: 'the domain',
  users: 'the user',
  aliases: 'the alias',
  routes: 'the route',
  rules: 'the rule',
  api_keys: 'the API key',
};

const kindOf = (table: string | undefined): string => kinds[table ?? ''] ?? 'what was given';

function reference(error: DatabaseError): string {
  const used = error.message.includes('still referenced') || error.message.startsWith('update or delete');
  return used ? `${kindOf(error.table)} is still in use` : `what ${kindOf(error.table)} refers to does not exist`;
}
