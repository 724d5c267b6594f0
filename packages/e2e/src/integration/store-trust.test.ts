/**
 * Trust (design.md): one Redis user and one PostgreSQL role per service, walked against everything that is another's, on the stores of a running cluster.
 * What a user may touch is read from the ACL file and from the schemas, so that a new key space or table is covered by itself.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../cluster/index.js';

let cluster: Cluster;
const open: { close(): Promise<unknown> }[] = [];

beforeAll(async () => {
  cluster = await startCluster();
}, 300_000);
afterAll(async () => {
  await Promise.allSettled(open.map((client) => client.close()));
  await cluster?.stop();
}, 60_000);

const secret = async (name: string): Promise<string> =>
  (await readFile(join(cluster.dataDir, 'secrets', name), 'utf8')).trim();

async function addressOf(name: string): Promise<URL> {
  const found = (await cluster.run()).infrastructure.find((part) => part.name === name);
  if (found === undefined) throw new Error(`no ${name} in run.json`);
  return new URL(found.address);
}

describe('Redis', () => {
  const users = ['edge', 'policy', 'delivery'];
  const clients = new Map<string, Redis>();
  const patterns = new Map<string, string[]>();

  beforeAll(async () => {
    const { hostname, port } = await addressOf('redis');
    for (const line of (await secret('redis.acl')).split('\n')) {
      const [, name = '', ...rules] = line.split(' ');
      patterns.set(
        name,
        rules.filter((rule) => rule.startsWith('~')).map((rule) => rule.slice(1)),
      );
    }
    for (const username of users) {
      const client = new Redis({
        host: hostname,
        port: Number(port),
        username,
        password: await secret(`redis-${username}`),
      });
      open.push({ close: () => client.quit() });
      clients.set(username, client);
    }
  });

  async function denied(user: string, command: string, ...args: string[]): Promise<boolean> {
    try {
      await clients.get(user)?.call(command, ...args);
      return false;
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('NOPERM')) return true;
      throw error;
    }
  }

  test('knows the users of the services and nobody else', async () => {
    expect([...patterns.keys()].sort()).toEqual(['default', ...users].sort());
    const { hostname, port } = await addressOf('redis');
    const stranger = new Redis({
      host: hostname,
      port: Number(port),
      maxRetriesPerRequest: 0,
      lazyConnect: true,
      enableReadyCheck: false,
    });
    stranger.on('error', () => {});
    await expect(stranger.connect().then(() => stranger.get('x'))).rejects.toThrow(/NOAUTH|closed/);
    stranger.disconnect();
  });

  test.each(users)('%s reads and writes its own keys and no others', async (user) => {
    // Delivery asks for its marks and sets them: it has no other command.
    const more = user === 'delivery' ? [] : ['UNLINK'];
    for (const owner of users) {
      for (const pattern of patterns.get(owner) ?? []) {
        const key = `${pattern.slice(0, -1)}walk`;
        const own = (patterns.get(user) ?? []).includes(pattern);
        expect({ user, key, denied: await denied(user, 'GET', key) }).toEqual({ user, key, denied: !own });
        expect({ user, key, denied: await denied(user, 'SET', key, '1', 'EX', '1') }).toEqual({
          user,
          key,
          denied: !own,
        });
        for (const command of more)
          expect({ user, key, denied: await denied(user, command, key) }).toEqual({ user, key, denied: !own });
        const script = await denied(user, 'EVAL', "return redis.call('EXISTS', KEYS[1])", '1', key);
        expect({ user, key, denied: script }).toEqual({ user, key, denied: !own || user === 'delivery' });
      }
    }
    expect(await denied(user, 'GET', 'somebody-elses')).toBe(true);
  });

  test.each(users)('%s cannot administer the server', async (user) => {
    const forbidden = [
      ['CONFIG', 'GET', 'maxmemory'],
      ['ACL', 'LIST'],
      ['KEYS', '*'],
      ['FLUSHALL'],
      ['FLUSHDB'],
      ['SHUTDOWN', 'NOSAVE'],
      ['MONITOR'],
      ['REPLICAOF', 'NO', 'ONE'],
      ['CLIENT', 'LIST'],
      ['SAVE'],
      ['PUBLISH', 'x', 'y'],
      ['SUBSCRIBE', 'x'],
      ['RANDOMKEY'],
      ['DBSIZE'],
      ['SWAPDB', '0', '1'],
      ['SCRIPT', 'FLUSH'],
      ['FUNCTION', 'FLUSH'],
      ['WAIT', '1', '1'],
      ...(user === 'policy' ? [] : [['SCAN', '0']]),
    ];
    for (const [command = '', ...args] of forbidden) {
      expect({ user, command, denied: await denied(user, command, ...args) }).toEqual({ user, command, denied: true });
    }
  });
});

describe('PostgreSQL', () => {
  const schemas: Readonly<Record<string, string>> = { queue: 'mail', provisioning: 'config' };
  const clients = new Map<string, pg.Client>();

  beforeAll(async () => {
    const { hostname, port } = await addressOf('postgres');
    for (const user of [...Object.keys(schemas), 'postgres']) {
      const password = await secret(user === 'postgres' ? 'postgres-admin' : `postgres-${user}`);
      const client = new pg.Client({ host: hostname, port: Number(port), user, password, database: 'postern' });
      await client.connect();
      open.push({ close: () => client.end() });
      clients.set(user, client);
    }
  });

  const run = (user: string, sql: string): Promise<pg.QueryResult> => {
    const client = clients.get(user);
    if (client === undefined) throw new Error(`no client of ${user}`);
    return client.query(sql);
  };

  async function code(user: string, sql: string): Promise<string> {
    try {
      await run(user, sql);
      return 'done';
    } catch (error) {
      if (error instanceof pg.DatabaseError) return error.code ?? 'no code';
      throw error;
    }
  }

  const insufficientPrivilege = '42501';

  test.each(Object.keys(schemas))('%s touches no table of another service', async (user) => {
    for (const [owner, schema] of Object.entries(schemas)) {
      const { rows } = await run(
        'postgres',
        `select tablename from pg_tables where schemaname = '${schema}' order by 1`,
      );
      expect(rows.length).toBeGreaterThan(3);
      for (const { tablename } of rows) {
        const table = `${schema}.${pg.escapeIdentifier(String(tablename))}`;
        const answer = await code(user, `select 1 from ${table} limit 1`);
        expect({ user, table, answer }).toEqual({
          user,
          table,
          answer: owner === user ? 'done' : insufficientPrivilege,
        });
        if (owner === user) continue;
        for (const sql of [
          `insert into ${table} default values`,
          `delete from ${table}`,
          `truncate ${table}`,
          `drop table ${table}`,
        ]) {
          expect({ user, sql, answer: await code(user, sql) }).toEqual({ user, sql, answer: insufficientPrivilege });
        }
      }
      if (owner !== user) expect(await code(user, `create table ${schema}.walk (x int)`)).toBe(insufficientPrivilege);
    }
  });

  test.each(Object.keys(schemas))('%s cannot raise its rights', async (user) => {
    const other = user === 'queue' ? 'provisioning' : 'queue';
    for (const sql of [
      'create role walk',
      'create database walk',
      `alter role ${user} superuser`,
      `alter role ${user} bypassrls`,
      `set role ${other}`,
      'set role postgres',
      'select * from pg_authid',
      "select pg_read_file('/etc/hostname')",
      "copy (select 1) to program 'true'",
      'create table public.walk (x int)',
    ]) {
      expect({ user, sql, answer: await code(user, sql) }).toEqual({ user, sql, answer: insufficientPrivilege });
    }
  });

  test.each(Object.entries(schemas))(
    'without a tenant %s sees no row that belongs to one (schema %s)',
    async (user, schema) => {
      const { rows } = await run(
        'postgres',
        `select c.relname, c.relrowsecurity and c.relforcerowsecurity as forced from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = '${schema}' and c.relkind = 'r' and exists
         (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname in ('tenant', 'tenants') and not a.attisdropped)`,
      );
      expect(rows.length).toBeGreaterThan(3);
      for (const { relname, forced } of rows) {
        expect({ table: relname, forced }).toEqual({ table: relname, forced: true });
        const seen = await run(
          user,
          `select count(*)::int as n from ${schema}.${pg.escapeIdentifier(String(relname))}`,
        );
        expect({ table: relname, seen: seen.rows[0]?.n }).toEqual({ table: relname, seen: 0 });
      }
    },
  );
});
