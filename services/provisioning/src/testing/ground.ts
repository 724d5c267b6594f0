/**
 * Ground of the integration tests: the schema in a fresh database with a confined role, the streams, and a projector on top of them.
 */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock, systemRandom } from '@postern/clock';
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import { RecipientEntry } from '@postern/proto/directory/v1/recipient';
import {
  type Bucket,
  connectStreams,
  directoryKey,
  ensureStreams,
  openBucket,
  type StreamConnection,
} from '@postern/stream';
import { captureTelemetry } from '@postern/telemetry/testing';
import { type TestNats, type TestPostgres, withFolders } from '@postern/testkit';
import { Client, type Pool } from 'pg';
import { createHashSlots } from '../credentials/hash-slots.js';
import { migrate } from '../database/migrate.js';
import { type DatabaseTarget, openPool } from '../database/pool.js';
import { tenantScopes, type WithTenant } from '../database/tenant-scope.js';
import { provisioningMetrics } from '../metrics.js';
import { KeptDocument } from '../operator/kept-document.js';
import { RefusalNote } from '../operator/refusal.js';
import { openOperatorSource } from '../operator/source.js';
import { createSealer, type Sealer } from '../secrets/seal.js';
import { campaign } from '../snapshot/leadership.js';
import { Projector } from '../snapshot/projector.js';
import { snapshotKey } from '../snapshot/snapshot-publisher.js';

export interface TestDatabase {
  readonly target: DatabaseTarget;
  readonly pool: Pool;
  readonly withTenant: WithTenant;
  /** Superuser, to look behind the policies. */
  readonly admin: Client;
  close(): Promise<void>;
}

let databases = 0;

/** A database of its own, owned by a role that row-level security binds. */
export async function openTestDatabase(postgres: TestPostgres): Promise<TestDatabase> {
  const name = `postern_${++databases}_${randomBytes(3).toString('hex')}`;
  const role = `provisioning_${name}`;
  const root = new Client({ connectionString: postgres.adminUrl });
  await root.connect();
  await root.query(`CREATE ROLE ${role} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD 'test-only'`);
  await root.query(`CREATE DATABASE ${name} OWNER ${role}`);
  await root.end();
  const url = `postgres://127.0.0.1:${postgres.port}/${name}`;
  const target = { url, role, password: 'test-only', tlsCa: undefined, connections: 6 };
  await migrate(target, role);
  const pool = openPool(target, () => undefined);
  const admin = new Client({ connectionString: postgres.adminUrl.replace(/\/postgres$/, `/${name}`) });
  admin.on('error', () => undefined);
  await admin.connect();
  return {
    target,
    pool,
    withTenant: tenantScopes(pool),
    admin,
    close: async () => {
      await admin.end().catch(() => undefined);
      await pool.end().catch(() => undefined);
    },
  };
}

export async function openTestStreams(nats: TestNats): Promise<StreamConnection> {
  const connection = await connectStreams({
    servers: [nats.url.replace('nats://', '')],
    user: 'provisioning',
    password: '',
  });
  await ensureStreams(connection, {
    replicas: 1,
    egressPools: ['default'],
    maxBytes: Object.fromEntries(
      ['SPOOL', 'WORK', 'BODIES', 'OUTCOMES', 'TRACE', 'PARKED'].map((name) => [name, 16 * 1024 * 1024]),
    ),
  });
  return connection;
}

export interface TestProjector {
  readonly operatorFile: string;
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  readonly refusal: RefusalNote;
  /** Resolves when the first publication is done; rejects when the first file cannot be applied. */
  readonly settled: Promise<void>;
  readonly sealer: Sealer;
  snapshot(): Promise<Snapshot>;
  recipient(address: string): Promise<RecipientEntry | undefined>;
  readonly secrets: Bucket;
  readonly directory: Bucket;
  stop(): Promise<void>;
}

const folders = withFolders();

export async function startProjector(
  database: TestDatabase,
  connection: StreamConnection,
  operatorYaml: string,
): Promise<TestProjector> {
  const dir = await folders.make('operator');
  const operatorFile = join(dir, 'operator.yaml');
  await writeFile(operatorFile, operatorYaml);
  const [config, directory, secrets] = await Promise.all([
    openBucket(connection, systemClock, 'CONFIG'),
    openBucket(connection, systemClock, 'DIRECTORY'),
    openBucket(connection, systemClock, 'SECRETS'),
  ]);
  const telemetry = captureTelemetry('provisioning');
  const sealer = createSealer(Buffer.alloc(32, 7), systemRandom);
  const refusal = new RefusalNote(database.withTenant, systemClock);
  const kept = new KeptDocument(database.withTenant, sealer);
  const operator = await openOperatorSource({ files: [operatorFile] }, systemClock, (error) => Promise.reject(error));
  const first = Promise.withResolvers<void>();
  const projector = new Projector({
    withTenant: database.withTenant,
    refusal,
    kept,
    config,
    egressPools: ['default'],
    directory,
    secrets,
    operator,
    apply: {
      withTenant: database.withTenant,
      sealer,
      hashSlots: createHashSlots(2, 100_000),
      random: systemRandom,
      file: operatorFile,
    },
    sealer,
    clock: systemClock,
    log: telemetry.log,
    metrics: provisioningMetrics(telemetry.metrics),
    onFirstRefusal: first.reject,
    onSettled: first.resolve,
  });
  operator.watch(
    () => {
      refusal.read(undefined);
      projector.operatorChanged();
    },
    (error) => {
      refusal.read(error);
      projector.operatorUnreadable();
      telemetry.log.error('provisioning.operator_file.refused', { error: error.message });
    },
  );
  const running = campaign(
    database.target,
    systemClock,
    (lease) => projector.lead(lease),
    (error) => telemetry.log.warn('provisioning.outbox.failed', { error }),
  );
  first.promise.catch(() => undefined);
  return {
    operatorFile,
    lines: telemetry.lines,
    refusal,
    settled: first.promise,
    sealer,
    secrets,
    directory,
    snapshot: async () => {
      const value = (await config.get(snapshotKey))?.value;
      return value === undefined ? Snapshot.fromPartial({}) : Snapshot.decode(value);
    },
    recipient: async (address) => {
      const value = (await directory.get(directoryKey(address)))?.value;
      return value === undefined ? undefined : RecipientEntry.decode(value);
    },
    stop: async () => {
      operator.close();
      await running.stop();
    },
  };
}

/** Asks again until it holds; the deadline is the test's claim. */
export async function eventually(within: number, holds: () => Promise<boolean>): Promise<number> {
  const start = performance.now();
  for (;;) {
    if (await holds()) return performance.now() - start;
    if (performance.now() - start > within) throw new Error(`did not hold within ${within} ms`);
    await systemClock.sleep(10);
  }
}
