/**
 * Brings schema `mail` to this release: ordered .sql files, each once, all in one transaction under an advisory lock so that pods
 * may start together. Migrations only add, so the previous release works beside this one (design.md, invariant 9).
 */
import { readdir, readFile } from 'node:fs/promises';
import type { Database, Statement } from './database.js';

const folder = new URL('../../migrations/', import.meta.url);
/** One number for all pods: "mail" in ASCII. */
const lock: Statement = { name: 'migrate-lock', text: 'SELECT pg_advisory_xact_lock(1835100524)' };
const applied: Statement = { name: 'migrate-applied', text: 'SELECT name FROM mail.migrations' };
const record: Statement = { name: 'migrate-record', text: 'INSERT INTO mail.migrations (name) VALUES ($1)' };

/** Names of the migrations that were applied now. */
export async function migrate(database: Database): Promise<string[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  return database.service(async (transaction) => {
    await transaction.query(lock);
    await transaction.script(
      `DO $$ BEGIN
         IF to_regnamespace('mail') IS NULL THEN CREATE SCHEMA mail; END IF;
       END $$;
       CREATE TABLE IF NOT EXISTS mail.migrations (name text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())`,
    );
    const done = new Set((await transaction.query<{ name: string }>(applied)).map(({ name }) => name));
    const missing = files.filter((name) => !done.has(name));
    for (const name of missing) {
      await transaction.script(await readFile(new URL(name, folder), 'utf8'));
      await transaction.run(record, [name]);
    }
    return missing;
  });
}
