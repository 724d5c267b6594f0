import { withPostgres } from '@postern/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestDatabase, type TestDatabase } from '../testing/ground.js';
import { assertConfinedRole, openPool } from './pool.js';

const postgres = withPostgres();
let database: TestDatabase;
const operatorOnly = ['snapshot_version', 'operator_settings'];

async function tables(): Promise<string[]> {
  const { rows } = await database.admin.query(
    "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'config' AND tablename <> 'migrations' ORDER BY 1",
  );
  return rows.map((row) => String(row.name));
}

beforeAll(async () => {
  database = await openTestDatabase(postgres);
  for (const tenant of ['one', 'two']) {
    const values = { tenant, domain: `${tenant}.test` };
    await database.withTenant('*', async (tx) => {
      await tx.run('INSERT INTO tenants (name) VALUES ($1)', [values.tenant]);
      await tx.run("INSERT INTO domains (name, tenant, verification) VALUES ($1, $2, '')", [
        values.domain,
        values.tenant,
      ]);
      await tx.run('INSERT INTO users (address, domain, tenant) VALUES ($1, $2, $3)', [
        `u@${values.domain}`,
        values.domain,
        tenant,
      ]);
      await tx.run("INSERT INTO aliases (address, domain, tenant, targets) VALUES ($1, $2, $3, '{a@b.test}')", [
        `a@${values.domain}`,
        values.domain,
        tenant,
      ]);
      await tx.run("INSERT INTO app_passwords (id, address, tenant, name, digest) VALUES ($1, $2, $1, 'phone', '')", [
        tenant,
        `u@${values.domain}`,
      ]);
      await tx.run("INSERT INTO routes (tenant, name, hosts) VALUES ($1, 'r', '[]')", [tenant]);
      await tx.run("INSERT INTO rules (tenant, id, document, source) VALUES ($1, 'r', '{}', '')", [tenant]);
      await tx.run("INSERT INTO check_settings (tenant, document, source) VALUES ($1, '{}', '')", [tenant]);
      await tx.run("INSERT INTO api_keys (id, tenant, role, secret_hash) VALUES ($1, $1, 'tenant-admin', '')", [
        tenant,
      ]);
      await tx.run("INSERT INTO outbox (tenant, kind) VALUES ($1, 'snapshot')", [tenant]);
      await tx.run("INSERT INTO audit (tenant, actor, role, method, resource) VALUES ($1, '', '', '', '')", [tenant]);
      await tx.run(
        "INSERT INTO idempotency (tenant, actor, request_id, method, request_hash, response) VALUES ($1, 'k', 'r', '', '', '')",
        [tenant],
      );
    });
  }
  await database.admin.query("INSERT INTO config.operator_settings VALUES ('postmaster', '')");
});

afterAll(() => database?.close());

test('a tenant can neither read, change nor delete a row of another tenant, in any table', async () => {
  for (const table of await tables()) {
    const column = table === 'tenants' ? 'name' : 'tenant';
    const all = await database.admin.query(`SELECT count(*)::int AS n FROM config.${table}`);
    expect(all.rows[0].n, table).toBeGreaterThan(operatorOnly.includes(table) ? 0 : 1);
    await database.withTenant('one', async (tx) => {
      const seen = await tx.rows<Record<string, unknown>>(`SELECT * FROM ${table}`);
      if (operatorOnly.includes(table)) expect(seen, table).toEqual([]);
      else expect([...new Set(seen.map((row) => row[column]))], table).toEqual(['one']);
    });
    if (operatorOnly.includes(table)) continue;
    await database.withTenant('one', async (tx) => {
      expect(await tx.run(`UPDATE ${table} SET ${column} = ${column} WHERE ${column} = 'two'`), table).toBe(0);
      expect(await tx.run(`DELETE FROM ${table} WHERE ${column} = 'two'`), table).toBe(0);
    });
    await expect(
      database.withTenant('one', (tx) => tx.run(`UPDATE ${table} SET ${column} = 'two' WHERE ${column} = 'one'`)),
      table,
    ).rejects.toMatchObject({ id: expect.stringMatching(/permission-denied|failed-precondition/) });
  }
});

test('without a scope nothing is seen, and every table forces its policy on its owner', async () => {
  for (const table of await tables()) {
    const client = await database.pool.connect();
    try {
      expect((await client.query(`SELECT * FROM config.${table}`)).rows, table).toEqual([]);
    } finally {
      client.release();
    }
  }
  const { rows } = await database.admin.query(
    "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = 'config' AND relkind = 'r' AND relname <> 'migrations' AND NOT (relrowsecurity AND relforcerowsecurity)",
  );
  expect(rows).toEqual([]);
});

test('a scope does not outlive its transaction', async () => {
  const one = openPool({ ...database.target, connections: 1 }, () => undefined);
  try {
    const client = await one.connect();
    await client.query('BEGIN');
    await client.query("SELECT set_config('app.tenant', '*', true)");
    await client.query('COMMIT');
    expect((await client.query('SELECT * FROM config.tenants')).rows).toEqual([]);
    client.release();
  } finally {
    await one.end();
  }
});

test('a role that bypasses row-level security is refused by name', async () => {
  await expect(assertConfinedRole(database.pool)).resolves.toBeUndefined();
  const superuser = openPool({ ...database.target, role: 'postgres', password: postgres.password }, () => undefined);
  try {
    await expect(assertConfinedRole(superuser)).rejects.toThrow(/role "postgres" is a superuser or has BYPASSRLS/);
  } finally {
    await superuser.end();
  }
});
