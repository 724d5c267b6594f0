/**
 * The database `postern` with one role and one schema per service that owns tables (design.md, State): `queue` owns `mail`,
 * `provisioning` owns `config`. Roles cannot bypass row-level security, create roles or databases, or see each other's
 * schema. Repeated at every start; passwords follow the secret files.
 */
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { SetupError } from '../setup-error.js';

export type DatabaseService = 'queue' | 'provisioning';

export const schemas: Readonly<Record<DatabaseService, string>> = { queue: 'mail', provisioning: 'config' };

const databaseName = 'postern';

async function connect(url: URL, database: string): Promise<pg.Client> {
  const to = new URL(url);
  to.pathname = `/${database}`;
  const client = new pg.Client({ connectionString: to.href, connectionTimeoutMillis: 10_000, query_timeout: 30_000 });
  client.on('error', () => {});
  await client.connect();
  return client;
}

async function ensureRole(client: pg.Client, role: string, password: string): Promise<void> {
  const present = await client.query('select 1 from pg_roles where rolname = $1', [role]);
  const verb = present.rowCount === 0 ? 'create' : 'alter';
  const rights = 'login nosuperuser nocreatedb nocreaterole nobypassrls';
  await client.query(
    `${verb} role ${client.escapeIdentifier(role)} ${rights} password ${client.escapeLiteral(password)}`,
  );
}

/** Make database, roles and schemas with the rights of `adminUrl`; safe to repeat. */
export async function ensureDatabase(
  adminUrl: string,
  passwordFiles: Readonly<Record<DatabaseService, string>>,
): Promise<void> {
  const url = new URL(adminUrl);
  try {
    const server = await connect(url, url.pathname.slice(1) || 'postgres');
    try {
      const present = await server.query('select 1 from pg_database where datname = $1', [databaseName]);
      if (present.rowCount === 0) await server.query(`create database ${databaseName}`);
    } finally {
      await server.end();
    }
    const client = await connect(url, databaseName);
    try {
      await client.query(`revoke all on database ${databaseName} from public`);
      await client.query('revoke all on schema public from public');
      for (const service of ['queue', 'provisioning'] as const) {
        await ensureRole(client, service, (await readFile(passwordFiles[service], 'utf8')).trim());
        await client.query(`grant connect, temporary on database ${databaseName} to ${service}`);
        await client.query(`create schema if not exists ${schemas[service]} authorization ${service}`);
        await client.query(`alter role ${service} in database ${databaseName} set search_path = ${schemas[service]}`);
      }
    } finally {
      await client.end();
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SetupError(
      `PostgreSQL at ${url.host} could not be prepared: ${reason}.`,
      'check that the user of POSTERN_DATABASE_URL may create databases and roles, or leave it unset.',
    );
  }
}
