import { withPostgres } from '@postern/testkit';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { openPool } from './pool.js';

const postgres = withPostgres();

test('a connection that breaks between two statements of a transaction fails the next one and ends nothing', async () => {
  const url = new URL(postgres.adminUrl);
  const role = decodeURIComponent(url.username);
  const target = { url: url.href, role, password: undefined, tlsCa: undefined, connections: 1 };
  const pool = openPool(target, () => undefined);
  const admin = new Client({ connectionString: postgres.adminUrl });
  await admin.connect();
  const taken = await pool.connect();
  const { rows } = await taken.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const ended = new Promise<void>((resolve) => taken.once('end', () => resolve()));
  // Nobody waits for an answer on it now: without a listener the broken socket would be an uncaught exception.
  await admin.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
  await ended;
  await expect(taken.query('SELECT 1')).rejects.toThrow();
  taken.release(true);
  expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await pool.end();
  await admin.end();
});
