/**
 * Design invariant 6 on the tables of a running cluster: with the scope of one tenant a service's role sees, changes and removes no row of another, in every
 * table that has a tenant. The tables are read from the database, so that a new one is covered by itself.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildMessage } from '@postern/testkit/smtp';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, startCluster } from '../cluster/index.js';
import { speak } from './mail-world.js';

const tenants = ['alpha', 'beta'] as const;
const schemas = { queue: 'mail', provisioning: 'config' } as const;
type Role = keyof typeof schemas;

let cluster: Cluster;
const clients = new Map<string, pg.Client>();

beforeAll(async () => {
  cluster = await startCluster({
    config: {
      tenants: tenants.map((name) => ({
        name,
        domains: [{ name: `${name}.test` }],
        users: [{ address: `user@${name}.test`, password: `password-of-${name}` }],
      })),
    },
  });
  const postgres = (await cluster.run()).infrastructure.find(({ name }) => name === 'postgres');
  const { hostname, port } = new URL(postgres?.address ?? '');
  for (const user of [...Object.keys(schemas), 'postgres']) {
    const file = join(cluster.dataDir, 'secrets', user === 'postgres' ? 'postgres-admin' : `postgres-${user}`);
    const password = (await readFile(file, 'utf8')).trim();
    const client = new pg.Client({ host: hostname, port: Number(port), user, password, database: 'postern' });
    await client.connect();
    clients.set(user, client);
  }
  const sender = await speak(cluster, 'mx');
  const to = tenants.map((name) => `user@${name}.test`);
  const reply = await sender.send({
    from: 'x@good.test',
    to,
    data: buildMessage({ from: 'x@good.test', to: to.join() }),
  });
  expect(reply.code).toBe(250);
  await sender.quit();
}, 300_000);
afterAll(async () => {
  await Promise.allSettled([...clients.values()].map((client) => client.end()));
  await cluster?.stop();
}, 60_000);

async function rows(user: string, sql: string): Promise<pg.QueryResult> {
  const client = clients.get(user);
  if (client === undefined) throw new Error(`no client of ${user}`);
  return client.query(sql);
}

interface TenantTable {
  readonly table: string;
  /** True for a row that is the other's alone. */
  readonly othersOnly: (own: string, other: string) => string;
}

async function tablesOf(role: Role): Promise<TenantTable[]> {
  const { rows: found } = await rows(
    'postgres',
    `select c.relname, a.attname from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
     where n.nspname = '${schemas[role]}' and c.relkind in ('r', 'p') and a.attname in ('tenant', 'tenants') and not a.attisdropped order by 1`,
  );
  return found.map(({ relname, attname }) => ({
    table: `${schemas[role]}.${pg.escapeIdentifier(String(relname))}`,
    othersOnly: (own, other) =>
      attname === 'tenant' ? `tenant = '${other}'` : `'${other}' = any (tenants) and not ('${own}' = any (tenants))`,
  }));
}

const roles: readonly Role[] = ['queue', 'provisioning'];

test.each(roles.flatMap((role) => tenants.map((own) => [role, own] as const)))(
  '%s with the scope of %s neither sees nor changes rows of the other tenant',
  async (role, own) => {
    const other = own === 'alpha' ? 'beta' : 'alpha';
    const tables = await tablesOf(role);
    const count = async (user: string, { table, othersOnly }: TenantTable): Promise<number> =>
      Number((await rows(user, `select count(*) from ${table} where ${othersOnly(own, other)}`)).rows[0]?.count);
    // There must be something to hide.
    await vi.waitFor(
      async () => {
        let filled = 0;
        for (const table of tables) if ((await count('postgres', table)) > 0) filled++;
        expect(filled).toBeGreaterThanOrEqual(2);
      },
      { timeout: 60_000, interval: 500 },
    );
    await rows(role, `set app.tenant = '${own}'`);
    for (const table of tables) {
      const seen = await count(role, table);
      expect({ table: table.table, seen }).toEqual({ table: table.table, seen: 0 });
      const where = table.othersOnly(own, other);
      const removed = await rows(role, `delete from ${table.table} where ${where}`).then(
        ({ rowCount }) => rowCount,
        (error: unknown) => (error instanceof pg.DatabaseError && error.code === '42501' ? 0 : Promise.reject(error)),
      );
      expect({ table: table.table, removed }).toEqual({ table: table.table, removed: 0 });
    }
    await rows(role, 'reset app.tenant');
  },
);
