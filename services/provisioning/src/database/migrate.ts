/**
 * Runs the ordered SQL files of `migrations/` once each, under an advisory lock, so that pods may start together. Each file is one
 * transaction; a file that was changed after it ran is an error. Run by the owner of the schema; afterwards the role the service works
 * with gets its rights. Never drops anything.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { PosternError } from '@postern/errors';
import { Client, escapeIdentifier } from 'pg';
import type { DatabaseTarget } from './pool.js';
import { clientOptions } from './pool.js';

const folder = new URL('../../migrations/', import.meta.url);
const lockKey = 'postern.config.migrations';

interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly digest: string;
}

async function readMigrations(): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}-[a-z0-9-]+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(new URL(name, folder), 'utf8');
      return { name, sql, digest: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

async function apply(client: Client, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query("SET LOCAL search_path TO config, pg_temp; SET LOCAL app.tenant TO '*'");
    await client.query(migration.sql);
    await client.query('INSERT INTO config.migrations (name, digest) VALUES ($1, $2)', [
      migration.name,
      migration.digest,
    ]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw new PosternError('internal', `migration ${migration.name} failed`, { cause: error });
  }
}

async function grantTo(client: Client, role: string): Promise<void> {
  const name = escapeIdentifier(role);
  await client.query(`GRANT USAGE ON SCHEMA config TO ${name}`);
  await client.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA config TO ${name}`);
  await client.query(`REVOKE INSERT, UPDATE, DELETE ON config.migrations FROM ${name}`);
  await client.query(`GRANT USAGE ON ALL SEQUENCES IN SCHEMA config TO ${name}`);
}

/** `owner` creates, `runtimeRole` works; returns the names of the files that ran now. */
export async function migrate(owner: DatabaseTarget, runtimeRole: string): Promise<string[]> {
  const migrations = await readMigrations();
  const client = new Client(clientOptions(owner));
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock(hashtext($1))', [lockKey]);
    // A role that may not create schemas may still own one that was made for it.
    const schema = await client.query("SELECT 1 FROM pg_namespace WHERE nspname = 'config'");
    if (schema.rows.length === 0) await client.query('CREATE SCHEMA config');
    await client.query(
      'CREATE TABLE IF NOT EXISTS config.migrations (name text PRIMARY KEY, digest text NOT NULL, at timestamptz NOT NULL DEFAULT now())',
    );
    const done = await client.query<{ name: string; digest: string }>('SELECT name, digest FROM config.migrations');
    const digests = new Map(done.rows.map((row) => [row.name, row.digest]));
    const ran: string[] = [];
    for (const migration of migrations) {
      const before = digests.get(migration.name);
      if (before === migration.digest) continue;
      if (before !== undefined)
        throw new PosternError('internal', `migration ${migration.name} was changed after it ran`);
      await apply(client, migration);
      ran.push(migration.name);
    }
    const { rows } = await client.query<{ role: string }>('SELECT current_user AS role');
    if (rows[0]?.role !== runtimeRole) await grantTo(client, runtimeRole);
    return ran;
  } finally {
    await client.end().catch(() => undefined);
  }
}
