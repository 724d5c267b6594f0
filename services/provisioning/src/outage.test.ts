import { systemClock } from '@postern/clock';
import { isPosternError } from '@postern/errors';
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { openBucket } from '@postern/stream';
import { withNats, withPostgres } from '@postern/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, openTestDatabase, openTestStreams, type TestDatabase } from './testing/ground.js';
import { startService, type TestService } from './testing/service.js';

const nats = withNats();
const postgres = withPostgres();
let database: TestDatabase;
let service: TestService;

beforeAll(async () => {
  database = await openTestDatabase(postgres);
  service = await startService(
    database,
    nats,
    `
defaultNextHop: mailbox
nextHops: { mailbox: { hosts: [{ host: 127.0.0.1, port: 2600 }] } }
tenants: [{ name: acme, domains: [{ name: acme.test }], users: [{ address: a@acme.test, password: wonderland-1 }] }]`,
  );
});

afterAll(async () => {
  await service?.stop();
  await database?.close();
});

const login = () =>
  service.credentials.call(service.credentials.rpc.verify, {
    username: 'a@acme.test',
    mechanism: 'PLAIN',
    parameters: { password: Buffer.from('wonderland-1') },
    channelBinding: Buffer.alloc(0),
    sessionId: '',
    clientAddress: '',
  });

/** A change of the tenant's weight, and the weight the pods see. */
const weigh = async (weight: number) => {
  const { api } = service;
  const limits = { messageLimit: undefined, userMessageLimit: undefined };
  const tenant = { name: 'acme', displayName: '', state: '', etag: '', createdAtMs: 0, weight, ...limits };
  await api.call(api.rpc.updateTenant, { tenant, updateMask: ['weight'] }, service.as());
};

async function publishedWeight(): Promise<number | undefined> {
  const connection = await openTestStreams(nats);
  try {
    const value = (await (await openBucket(connection, systemClock, 'CONFIG')).get('snapshot'))?.value;
    return Snapshot.decode(value ?? new Uint8Array()).tenants[0]?.weight;
  } finally {
    await connection.close();
  }
}

test('PostgreSQL silent: a call of the API says so within seconds, and works again when it is back', async () => {
  const { api } = service;
  const { rows } = await database.admin.query(
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'postern-provisioning'",
  );
  const backends = rows.map(({ pid }) => Number(pid));
  const list = () => api.call(api.rpc.listTenants, { pageSize: 0, pageToken: '' }, service.as());
  expect(backends.length).toBeGreaterThan(0);
  for (const pid of backends) process.kill(pid, 'SIGSTOP');
  try {
    const began = performance.now();
    // More than there are connections that are silent, so that one of them is met.
    const errors = await Promise.all(backends.map(() => list().then(() => undefined, String)));
    expect(errors.filter(Boolean).join()).toContain('the database does not answer');
    expect(performance.now() - began).toBeLessThan(8_000);
  } finally {
    for (const pid of backends) process.kill(pid, 'SIGCONT');
  }
  await eventually(30_000, async () => (await list().catch(() => undefined)) !== undefined);
}, 90_000);

test('PostgreSQL away: a temporary error, never a wrong password; back: logins and publication go on by themselves', async () => {
  expect((await login()).verified).toBe(true);
  await postgres.stop('SIGKILL');
  const error: unknown = await login().catch((caught: unknown) => caught);
  expect(isPosternError(error, 'store-unavailable')).toBe(true);
  await postgres.restart();
  await eventually(10_000, async () => (await login().catch(() => undefined))?.verified === true);
  await weigh(7);
  await eventually(10_000, async () => (await publishedWeight()) === 7);
}, 60_000);

test('NATS away: changes are taken and wait; back: they are published', async () => {
  await nats.stop('SIGKILL');
  await weigh(9);
  expect((await login()).verified).toBe(true);
  await nats.restart();
  await eventually(15_000, async () => (await publishedWeight().catch(() => undefined)) === 9);
}, 60_000);
