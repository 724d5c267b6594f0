/** The whole dependency graph of the queue service in reading order. Nothing listens here; `start` connects and takes mail. */
import { createBodyStore } from '@postern/body-store';
import { type Clock, systemClock, systemRandom } from '@postern/clock';
import { readSecretBytes } from '@postern/config';
import { PosternError } from '@postern/errors';
import { createServer, type GrpcServer, requireScope } from '@postern/grpc';
import type { Service } from '@postern/lifecycle';
import {
  answerStatus,
  createLeftoverReader,
  openBucket,
  type SnapshotWatch,
  type StreamConnection,
  watchSnapshot,
} from '@postern/stream';
import type { QueueConfig } from './config.js';
import { connectDatabase, connectNats, type QueueTelemetry } from './connect.js';
import { queueDependencies } from './dependencies.js';
import { createEngine, type Engine } from './engine.js';
import { addQueueService } from './operations/service.js';
import { compilePolicy, type PolicyInUse, queueRuleCompiler } from './policy-in-use.js';
import { createPoolWatch } from './pool-watch.js';
import type { Database } from './store/database.js';
import { migrate } from './store/migrate.js';
import { createLevelReader } from './stream-levels.js';
import { createWorkScanner } from './work-scan.js';

/** Without a key nobody may call: every call is then refused, mail goes on. */
async function scopeKey({ scopeKeyFile }: QueueConfig): Promise<Uint8Array> {
  return scopeKeyFile === undefined ? systemRandom.bytes(32) : readSecretBytes(scopeKeyFile);
}

const serverDrainMs = 5_000;
const migratePauseMs = 2_000;

/** PostgreSQL may be away at start: mail goes on, rows wait. The schema is brought up to date as soon as it is there. */
async function migrateWhenThere(
  database: Database,
  clock: Clock,
  log: QueueTelemetry['log'],
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const applied = await migrate(database);
      const unbound = await database.unboundRole();
      if (unbound !== '') log.warn('queue.store.unbound', { role: unbound });
      if (applied.length > 0) log.info('queue.store.migrated', { applied });
      return;
    } catch (error) {
      log.error('queue.store.lost', { error });
      await clock.sleep(migratePauseMs, signal).catch(() => undefined);
    }
  }
}

export function wire(config: QueueConfig, telemetry: QueueTelemetry): Service {
  const { log } = telemetry;
  const clock = systemClock;
  const stopping = new AbortController();
  let connection: StreamConnection | undefined;
  let database: Database | undefined;
  let watch: SnapshotWatch | undefined;
  let engine: Engine | undefined;
  let policy: PolicyInUse | undefined;
  const ruleCompiler = queueRuleCompiler();
  let server: GrpcServer | undefined;

  return {
    name: 'queue',
    async start() {
      connection = await connectNats(config.nats, log);
      database = await connectDatabase(config.database, log);
      const bodies = await createBodyStore(connection, clock);
      const first = Promise.withResolvers<PolicyInUse>();
      watch = watchSnapshot(await openBucket(connection, clock, 'CONFIG'), {
        onSnapshot: (snapshot) => {
          policy = compilePolicy(snapshot, ruleCompiler);
          first.resolve(policy);
          log.info('queue.snapshot.applied', { version: snapshot.version });
          const { stale } = policy.rules;
          if (stale !== undefined) log.error('queue.rules.stale', { version: snapshot.version, reason: stale });
        },
        onRefused: (reason) => log.error('queue.snapshot.refused', { reason }),
      });
      const levels = await createLevelReader(connection);
      const scan = await createWorkScanner(connection);
      const leftovers = await createLeftoverReader(connection);
      const pools = await createPoolWatch(connection, clock, () => policy?.egressPools ?? []);
      const parts = {
        pools,
        clock,
        random: systemRandom,
        connection,
        bodies,
        database,
        levels,
        scan,
        leftovers,
        telemetry,
        settings: config.queue,
      };
      const migrated = migrateWhenThere(database, clock, log, stopping.signal);
      void first.promise.then((initial) => {
        if (stopping.signal.aborted) return;
        engine = createEngine({ ...parts, policy: () => policy ?? initial, migrated });
        engine.start();
      });
      server = createServer({
        telemetry,
        clock,
        interceptors: [requireScope({ key: await scopeKey(config), clock, services: ['provisioning'] })],
      });
      addQueueService(server, {
        clock,
        database,
        levels,
        scan,
        pools,
        log,
        operate: () => {
          if (engine === undefined) throw new PosternError('store-unavailable', 'the queue has no snapshot yet');
          return engine.operateParts();
        },
        policy: () => {
          if (policy === undefined) throw new PosternError('store-unavailable', 'the queue has no snapshot yet');
          return policy;
        },
        parked: () => {
          if (engine === undefined) throw new PosternError('store-unavailable', 'the queue has no snapshot yet');
          return engine.parkedParts();
        },
        onOperated: () => engine?.wakeDispatch(),
      });
      await server.listen(config.queue.listen);
      answerStatus(
        connection,
        'queue',
        queueDependencies(database, () => pools.standing()),
        clock,
      );
    },
    async drain() {
      stopping.abort();
      await Promise.all([engine?.drain(), server?.drain(serverDrainMs)]);
    },
    async stop() {
      stopping.abort();
      server?.stop();
      watch?.stop();
      await database?.close();
      await connection?.close();
    },
    ready() {
      const reasons: string[] = [];
      if (connection?.state() !== 'connected') reasons.push('not connected to NATS');
      if (policy === undefined) reasons.push('no snapshot yet');
      return { ok: reasons.length === 0, reasons };
    },
  };
}
