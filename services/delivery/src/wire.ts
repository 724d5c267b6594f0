/** The whole dependency graph of the delivery service in reading order. Nothing listens here; `start` connects and takes mail. */
import { type BodyStore, createBodyStore } from '@postern/body-store';
import { createUlidSource, systemClock, systemRandom } from '@postern/clock';
import { formatHostPort, readSecret, readSecretBytes } from '@postern/config';
import { createDnsClient, readResolvConf, SwitchingResolver } from '@postern/dns';
import { connectRedis, type RedisClient } from '@postern/flow-control';
import type { Service } from '@postern/lifecycle';
import {
  answerStatus,
  type Consumption,
  connectStreams,
  consume,
  createPublisher,
  MetServer,
  openBucket,
  type SnapshotWatch,
  type StreamConnection,
  saidParts,
  watchSnapshot,
  workConsumer,
} from '@postern/stream';
import type { Telemetry } from '@postern/telemetry';
import type { DeliveryConfig } from './config.js';
import { createConnectionPool } from './connection-pool.js';
import { deliveryDependencies } from './dependencies.js';
import { createDoneMarks } from './done-marks.js';
import type { deliveryEvents } from './events.js';
import { createHopFinder } from './hops.js';
import { deliveryMetrics } from './metrics.js';
import { createOutcomeBatcher } from './outcome-batcher.js';
import { createPark } from './park.js';
import { createPoolStandings, undeclared } from './pool-standings.js';
import { createRenderer } from './render.js';
import { createRenewals } from './renewals.js';
import { createSecrets, type Secrets } from './secrets.js';
import { createSigning, type SigningDomain, signingDomains } from './signing.js';
import { createSlots } from './slots.js';
import { createSmtpTransport } from './smtp-transport.js';
import { createTakeApart } from './take-apart.js';
import { observeWorker } from './telemetry.js';
import { createWorker } from './worker.js';

const redisTimeoutMs = 50;
const outcomeDeadlineMs = 20_000;

type DeliveryTelemetry = Telemetry<keyof typeof deliveryEvents & string>;

/** Away at start is allowed: marks are then missing until it is back. */
async function openMarks(config: DeliveryConfig['redis'], onError: (error: Error) => void): Promise<RedisClient> {
  const target = {
    url: config.url,
    cluster: config.cluster,
    commandTimeoutMs: redisTimeoutMs,
    ...(config.username === undefined ? {} : { username: config.username }),
    ...(config.passwordFile === undefined ? {} : { password: await readSecret(config.passwordFile) }),
    ...(config.tlsCaFile === undefined ? {} : { tlsCa: await readSecret(config.tlsCaFile) }),
  };
  return connectRedis(target, onError);
}

async function secretsOf(config: DeliveryConfig, connection: StreamConnection): Promise<Secrets> {
  if (config.delivery.sealKeyFile === undefined) return { get: () => Promise.resolve({ kind: 'missing' }) };
  const sealKey = await readSecretBytes(config.delivery.sealKeyFile);
  return createSecrets(await openBucket(connection, systemClock, 'SECRETS'), sealKey, systemClock);
}

async function dnsServersOf(config: DeliveryConfig): Promise<string[]> {
  if (config.delivery.dnsServers.length > 0) return config.delivery.dnsServers.map(formatHostPort);
  const servers = await readResolvConf().catch(() => []);
  return servers.length > 0 ? servers : ['127.0.0.1:53'];
}

/** Source address per egress pool: the pool's addresses in turn, so that all are used. */
function localAddresses(config: DeliveryConfig): (egressPool: string) => string | undefined {
  const turns = new Map(
    config.delivery.egressPools.map(({ name, localAddresses: addresses }) => [name, { addresses, next: 0 }]),
  );
  return (egressPool) => {
    const turn = turns.get(egressPool);
    if (turn === undefined || turn.addresses.length === 0) return undefined;
    return turn.addresses[turn.next++ % turn.addresses.length];
  };
}

export function wire(config: DeliveryConfig, telemetry: DeliveryTelemetry): Service {
  const { log } = telemetry;
  const metrics = deliveryMetrics(telemetry.metrics);
  const clock = systemClock;
  const stopping = new AbortController();
  const pools = createPoolStandings();
  let connection: StreamConnection | undefined;
  let redis: RedisClient | undefined;
  let watch: SnapshotWatch | undefined;
  let consumptions: Consumption[] = [];
  let closeTransport: () => Promise<void> = () => Promise.resolve();
  let stopRenewals: () => void = () => undefined;
  metrics.streamDamaged(() => Number(connection?.guard.damage() !== undefined));
  metrics.inFlight(() => consumptions.reduce((sum, consumption) => sum + consumption.inFlight(), 0));

  const redisFailed = (reason: string): void => {
    metrics.failures.with({ kind: 'redis' }).inc();
    log.warn('delivery.redis.failed', { reason });
  };

  return {
    name: 'delivery',
    async start() {
      const password = config.nats.passwordFile === undefined ? '' : await readSecret(config.nats.passwordFile);
      const tlsCa = config.nats.tlsCaFile === undefined ? undefined : await readSecret(config.nats.tlsCaFile);
      connection = await connectStreams({
        servers: config.nats.servers.map(formatHostPort),
        user: 'delivery',
        login: config.nats.user,
        password,
        ...(tlsCa === undefined ? {} : { tlsCa }),
        onState: (state, detail) => log.warn('delivery.stream.changed', { state, detail }),
      });
      redis = await openMarks(config.redis, (error) => log.debug('delivery.redis.failed', { reason: error.message }));
      const resolver = new SwitchingResolver(clock, { servers: await dnsServersOf(config) }, (settings) =>
        createDnsClient({ clock, ...settings }),
      );
      let domains: ReadonlyMap<string, SigningDomain> = new Map();
      let hostname = 'localhost.localdomain';
      const known = Promise.withResolvers<void>();
      watch = watchSnapshot(await openBucket(connection, clock, 'CONFIG'), {
        onSnapshot: (snapshot) => {
          const { dns } = snapshot;
          if (dns !== undefined) resolver.use(config.delivery.dnsServers.length === 0 ? dns : { ...dns, servers: [] });
          domains = signingDomains(snapshot);
          hostname = snapshot.hostname || hostname;
          known.resolve();
          log.info('delivery.snapshot.applied', { version: snapshot.version });
        },
        onRefused: (reason) => log.error('delivery.snapshot.refused', { reason }),
      });
      answerStatus(connection, 'delivery', deliveryDependencies(redis, resolver, pools, clock), clock);
      const secrets = await secretsOf(config, connection);
      const bodies: BodyStore = await createBodyStore(connection, clock);
      const publisher = createPublisher(connection, clock);
      const observer = observeWorker(log, metrics);
      const { nats } = connection;
      const renewals = createRenewals(clock, () => nats.flush());
      stopRenewals = () => renewals.stop();
      const pool = createConnectionPool({
        clock,
        idleMs: config.delivery.idleConnection,
        messagesPerConnection: config.delivery.messagesPerConnection,
      });
      const transport = createSmtpTransport({
        clock,
        pool,
        slots: createSlots(config.delivery.connectionsPerSite),
        helo: () => config.delivery.helo ?? hostname,
        connectTimeoutMs: config.delivery.connectTimeout,
        localAddress: localAddresses(config),
      });
      closeTransport = () => transport.close();
      const met = new MetServer(connection, clock);
      const worker = createWorker({
        clock,
        bodies,
        done: createDoneMarks(redis, clock, (operation) => redisFailed(`done mark not ${operation}`)),
        hops: createHopFinder({
          resolver,
          random: systemRandom,
          secrets,
          mxPort: config.delivery.mxPort,
        }),
        outcomes: createOutcomeBatcher({
          publisher,
          clock,
          newId: createUlidSource(clock, systemRandom),
          lingerMs: config.delivery.outcomeLinger,
          deadlineMs: outcomeDeadlineMs,
        }),
        park: createPark(publisher, clock, observer),
        renderer: createRenderer({ bodies, clock, signing: createSigning(() => domains, secrets) }),
        renewals,
        takeApart: createTakeApart(publisher, observer),
        isInDoubt: (storedAtMs) => met.isInDoubt(storedAtMs),
        transport,
        observer,
      });
      const open = connection;
      const takeWork = (): void => {
        consumptions = config.delivery.egressPools.map(({ name }) =>
          consume(
            open,
            clock,
            workConsumer(name),
            {
              maxInFlight: config.delivery.concurrency,
              maxBatch: 1,
              weigh: saidParts,
              onOpen: () => pools.found(name),
              onError: (error) => {
                pools.failed(name, error);
                metrics.failures.with({ kind: 'consumer' }).inc();
                log.warn('delivery.consumer.failed', { egress_pool: name, reason: error.message });
              },
            },
            async (batch, settled) => {
              for (const message of batch) await worker.handle(message, () => settled(1));
            },
          ),
        );
      };
      // Before there is a snapshot the host name, what signs and the DNS servers are not known.
      void known.promise.then(() => !stopping.signal.aborted && takeWork());
    },
    async drain() {
      stopping.abort();
      await Promise.all(consumptions.map((consumption) => consumption.stop()));
    },
    async stop() {
      stopping.abort();
      watch?.stop();
      stopRenewals();
      await closeTransport();
      redis?.disconnect();
      await connection?.close();
    },
    ready() {
      const reasons: string[] = [];
      if (connection?.state() !== 'connected') reasons.push('not connected to NATS');
      if ((watch?.version() ?? 0) === 0) reasons.push('no snapshot yet');
      reasons.push(...pools.missing().map(undeclared));
      return { ok: reasons.length === 0, reasons };
    },
  };
}
