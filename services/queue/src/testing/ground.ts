/** Real NATS and PostgreSQL with the engine over them, for integration tests of this service. The database role is bound by row-level security. */
import { type BodyStore, createBodyStore } from '@postern/body-store';
import { seededRandom, systemClock } from '@postern/clock';
import { loadConfig } from '@postern/config';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { Item } from '@postern/proto/mail/v1/item';
import { type Outcome, OutcomeBatch } from '@postern/proto/mail/v1/outcome';
import {
  connectStreams,
  consume,
  createLeftoverReader,
  createPublisher,
  ensureStreams,
  outcomesSubject,
  type Publisher,
  type StreamConnection,
  spoolSubject,
  workConsumer,
  workItems,
} from '@postern/stream';
import { captureTelemetry } from '@postern/telemetry/testing';
import { withNats, withPostgres } from '@postern/testkit';
import pg from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { queueConfig } from '../config.js';
import { createEngine, type Engine } from '../engine.js';
import { compilePolicy } from '../policy-in-use.js';
import { createPoolWatch } from '../pool-watch.js';
import { type Database, openDatabase } from '../store/database.js';
import { migrate } from '../store/migrate.js';
import { createLevelReader, type LevelReader } from '../stream-levels.js';
import { createWorkScanner, type WorkScanner } from '../work-scan.js';
import { newQueueId, testSnapshot } from './messages.js';

export interface Ground {
  readonly connection: StreamConnection;
  readonly publisher: Publisher;
  readonly bodies: BodyStore;
  readonly database: Database;
  readonly levels: LevelReader;
  readonly scan: WorkScanner;
  readonly engine: Engine;
  /** Another pod over the same stores; the caller starts and drains it. */
  newEngine(podName: string): Engine;
  /** Superuser, past row-level security. */
  readonly admin: pg.Client;
  readonly telemetry: ReturnType<typeof captureTelemetry>;
  /** Items taken from WORK and not yet answered, in order of arrival. */
  readonly work: Item[];
  /** Which of them said that they may have been there before. */
  readonly again: Set<string>;
  /** The server is started again; resolves when the ground is connected to it. */
  restartNats(): Promise<void>;
  spool(message: Envelope): Promise<void>;
  outcomes(...outcomes: Outcome[]): Promise<void>;
  /** Waits until the query gives this. */
  until<T>(look: () => Promise<T> | T, good: (value: T) => boolean): Promise<T>;
  policy: ReturnType<typeof compilePolicy>;
  counts(): Promise<Record<string, number>>;
}

export interface GroundOptions {
  readonly settings?: Record<string, unknown>;
}

const deadlineMs = 15_000;

export function withQueue(options: GroundOptions = {}): {
  readonly ground: Ground;
  readonly postgres: ReturnType<typeof withPostgres>;
} {
  const nats = withNats();
  const postgres = withPostgres();
  let ground: Ground | undefined;
  let close: (() => Promise<void>) | undefined;
  beforeAll(async () => {
    const admin = new pg.Client({ connectionString: postgres.adminUrl });
    admin.on('error', () => undefined);
    await admin.connect();
    await admin.query("CREATE ROLE queue LOGIN PASSWORD 'queue'");
    await admin.query('GRANT CREATE ON DATABASE postgres TO queue');
    const connection = await connectStreams({ servers: [nats.url], user: 'queue', password: '' });
    await ensureStreams(connection, { replicas: 1, egressPools: ['default'] });
    const database = openDatabase({
      url: `postgres://queue:queue@127.0.0.1:${postgres.port}/postgres`,
      connections: 6,
      onError: () => undefined,
    });
    await migrate(database);
    const bodies = await createBodyStore(connection, systemClock);
    const publisher = createPublisher(connection, systemClock);
    const levels = await createLevelReader(connection);
    const scan = await createWorkScanner(connection);
    const leftovers = await createLeftoverReader(connection);
    const pools = await createPoolWatch(connection, systemClock, () => ['default']);
    const telemetry = captureTelemetry('queue');
    const { queue: settings } = loadConfig(queueConfig, {
      env: {},
      argv: Object.entries(options.settings ?? {}).flatMap(([name, value]) => ['--set', `queue.${name}=${value}`]),
    });
    const work: Item[] = [];
    const again = new Set<string>();
    const taker = consume(
      connection,
      systemClock,
      workConsumer('default'),
      { maxInFlight: 1000, maxBatch: 1, onError: () => undefined },
      async (batch) => {
        for (const message of batch) {
          for (const data of workItems(message)) {
            const item = Item.decode(data);
            if (message.header('Postern-Again') !== '') again.add(item.itemId);
            work.push(item);
          }
          message.ack();
        }
      },
    );
    const newEngine = (podName: string): Engine =>
      createEngine({
        clock: systemClock,
        random: seededRandom(1),
        connection,
        bodies,
        database,
        levels,
        scan,
        leftovers,
        pools,
        policy: () => made.policy,
        telemetry: engines++ === 0 ? telemetry : captureTelemetry('queue'),
        settings: { ...settings, podName },
        migrated: Promise.resolve(),
      });
    let engines = 0;
    const made: Ground = {
      connection,
      publisher,
      bodies,
      database,
      levels,
      scan,
      admin,
      telemetry,
      work,
      again,
      async restartNats() {
        const met = new Promise<void>((resolve) => connection.onMetAgain(resolve));
        await nats.restart();
        await met;
      },
      policy: compilePolicy(testSnapshot()),
      engine: newEngine('queue-0'),
      newEngine,
      async spool(message) {
        const stored = await publisher.publish(spoolSubject(message.queueId), Envelope.encode(message).finish(), {
          msgId: message.queueId,
        });
        if (stored.kind !== 'stored') throw new Error(stored.reason);
      },
      async outcomes(...outcomes) {
        await publisher.publish(outcomesSubject('delivery'), OutcomeBatch.encode({ outcomes }).finish(), {
          msgId: newQueueId(),
        });
      },
      async until(look, good) {
        const end = systemClock.now() + deadlineMs;
        for (;;) {
          const value = await look();
          if (good(value)) return value;
          if (systemClock.now() > end)
            throw new Error(
              `still ${JSON.stringify(value)} after ${deadlineMs} ms; log: ${JSON.stringify(telemetry.lines.filter(({ level }) => level !== 'debug').slice(-5))}`,
            );
          await systemClock.sleep(20);
        }
      },
      async counts() {
        const { rows } = await admin.query('SELECT term, sum(count)::int AS count FROM mail.ledger GROUP BY term');
        return Object.fromEntries(rows.map(({ term, count }) => [term, count]));
      },
    };
    made.engine.start();
    ground = made;
    close = async () => {
      await made.engine.drain();
      await taker.stop();
      await database.close();
      await admin.end().catch(() => undefined);
      await connection.close();
    };
  }, 180_000);
  afterAll(async () => {
    await close?.();
  }, 60_000);
  return {
    postgres,
    get ground() {
      if (ground === undefined) throw new Error('the ground is laid in beforeAll; use it inside a test');
      return ground;
    },
  };
}
