/** The whole dependency graph of provisioning in reading order. Nothing listens here; `start` connects, migrates and publishes. */
import { createUlidSource, systemClock, systemRandom } from '@postern/clock';
import { type ConfigError, formatHostPort, readSecret, readSecretBytes } from '@postern/config';
import { createDnsClient, isTemporary, readResolvConf, SwitchingResolver } from '@postern/dns';
import { PosternError } from '@postern/errors';
import { createServer, type GrpcServer, requireScope, unary } from '@postern/grpc';
import type { Service } from '@postern/lifecycle';
import { CredentialServiceService } from '@postern/proto/directory/v1/credential_service';
import { ProvisioningServiceService } from '@postern/proto/provisioning/v1/provisioning_service';
import { connectStreams, ensureStreams, openBucket, type StreamConnection } from '@postern/stream';
import type { Telemetry } from '@postern/telemetry';
import type { Pool } from 'pg';
import { createAuthenticate } from './access.js';
import { ensureBootstrapKey } from './bootstrap-key.js';
import type { ProvisioningConfig } from './config.js';
import { createChallenges } from './credentials/challenge.js';
import { createHashSlots } from './credentials/hash-slots.js';
import { createStanding } from './credentials/standing.js';
import { createVerifier } from './credentials/verify.js';
import { migrate } from './database/migrate.js';
import { assertConfinedRole, openPool, readDatabaseTarget } from './database/pool.js';
import { tenantScopes, type WithTenant } from './database/tenant-scope.js';
import type { ProvisioningEvent } from './events.js';
import { createForwarding, type Forwarding } from './forward.js';
import { startHousekeeping } from './housekeeping.js';
import { provisioningMetrics } from './metrics.js';
import { KeptDocument } from './operator/kept-document.js';
import { RefusalNote } from './operator/refusal.js';
import { type OperatorSource, openOperatorSource } from './operator/source.js';
import { createSealer } from './secrets/seal.js';
import { provisioningHandlers } from './server.js';
import { type Campaign, campaign } from './snapshot/leadership.js';
import { Projector } from './snapshot/projector.js';
import { snapshotKey } from './snapshot/snapshot-publisher.js';

const firstSnapshotPollMs = 250;
/** Waiting for a hash never takes longer than this many hashes ahead of it. */
const largestRequest = 1_048_576;

interface DatabaseParts {
  readonly withTenant: WithTenant;
  readonly refusal: RefusalNote;
  readonly kept: KeptDocument;
}

export function wire(config: ProvisioningConfig, telemetry: Telemetry<ProvisioningEvent>): Service {
  const { log } = telemetry;
  const metrics = provisioningMetrics(telemetry.metrics);
  const clock = systemClock;
  const random = systemRandom;
  const own = config.provisioning;
  let pool: Pool | undefined;
  let connection: StreamConnection | undefined;
  let operator: OperatorSource | undefined;
  let publishing: Campaign | undefined;
  let forwarding: Forwarding | undefined;
  let servers: GrpcServer[] = [];
  let stopHousekeeping: () => void = () => undefined;

  return {
    name: 'provisioning',

    async start({ signal }) {
      const sealer = createSealer(await readSecretBytes(own.sealKeyFile), random);
      const scopeKey = config.scopeKeyFile === undefined ? undefined : await readSecretBytes(config.scopeKeyFile);
      const files = [own.operatorFile, own.operatorOverlayFile].filter((file) => file !== undefined);
      const target = await readDatabaseTarget(config.database);
      const openDatabase = async (): Promise<DatabaseParts> => {
        const owner =
          own.migrationsDatabase === undefined
            ? target
            : await readDatabaseTarget({ connections: 1, ...own.migrationsDatabase });
        const ran = await migrate(owner, target.role);
        if (ran.length > 0) log.info('provisioning.migrations.applied', { files: ran });
        pool = openPool(target, (error) => log.warn('provisioning.database.failed', { error }));
        await assertConfinedRole(pool);
        const withTenant = tenantScopes(pool);
        return {
          withTenant,
          refusal: new RefusalNote(withTenant, clock),
          kept: new KeptDocument(withTenant, sealer),
        };
      };
      let database: Promise<DatabaseParts> | undefined;
      // A wrong file is told also when there is no database to look into.
      operator = await openOperatorSource(
        files,
        clock,
        async (error) => {
          metrics.operatorFile.set(0);
          log.error('provisioning.operator_file.refused', { error: error.message });
          database = openDatabase();
          const { refusal, kept } = await database;
          const reading = await kept.read();
          if (reading === undefined) throw error;
          refusal.read(error);
          log.warn('provisioning.operator_file.kept', { file: files.at(-1) });
          return reading;
        },
        own.operatorOverlayTakenFile,
      );
      const { withTenant, refusal, kept } = await (database ?? openDatabase());
      if (await ensureBootstrapKey(own.bootstrapKeyFile, withTenant, random)) {
        log.info('provisioning.bootstrap_key.created', { file: own.bootstrapKeyFile });
      }

      const tlsCa = config.nats.tlsCaFile === undefined ? undefined : await readSecret(config.nats.tlsCaFile);
      connection = await connectStreams({
        servers: config.nats.servers.map(formatHostPort),
        user: 'provisioning',
        login: config.nats.user,
        password: config.nats.passwordFile === undefined ? '' : await readSecret(config.nats.passwordFile),
        ...(tlsCa === undefined ? {} : { tlsCa }),
        onState: (state, detail) => log.warn('provisioning.nats.changed', { state, detail }),
      });
      await ensureStreams(connection, {
        replicas: own.streams.replicas,
        maxBytes: own.streams.maxBytes,
        egressPools: own.egressPools,
      });
      const [configBucket, directory, secrets] = await Promise.all([
        openBucket(connection, clock, 'CONFIG'),
        openBucket(connection, clock, 'DIRECTORY'),
        openBucket(connection, clock, 'SECRETS'),
      ]);

      const hashSlots = createHashSlots(own.credentials.concurrentHashes, own.credentials.waitingHashes);
      // The operator file may hold any number of passwords; they wait in a line of their own and never crowd out logins.
      const importSlots = createHashSlots(own.credentials.concurrentHashes, Number.POSITIVE_INFINITY);
      const settled = Promise.withResolvers<void>();
      const projector = new Projector({
        withTenant,
        refusal,
        kept,
        config: configBucket,
        directory,
        secrets,
        operator,
        apply: { withTenant, sealer, hashSlots: importSlots, random, file: operator.name },
        sealer,
        clock,
        log,
        metrics,
        onFirstRefusal: (error: ConfigError) => settled.reject(error),
        onSettled: settled.resolve,
      });
      const source = operator;
      let told = '';
      /** What waits for a new start: once for each state of it. */
      const tellPostponed = (): void => {
        const fields = source.postponed().join('\n');
        if (fields !== '' && fields !== told)
          log.warn('provisioning.operator_file.postponed', { file: source.name, fields });
        told = fields;
      };
      tellPostponed();
      operator.watch(
        () => {
          refusal.read(undefined);
          tellPostponed();
          projector.operatorChanged();
        },
        (error) => {
          refusal.read(error);
          projector.operatorUnreadable();
          metrics.operatorFile.set(0);
          log.error('provisioning.operator_file.refused', { error: error.message });
        },
      );
      publishing = campaign(
        target,
        clock,
        (lease) => projector.lead(lease),
        (error) => log.warn('provisioning.outbox.failed', { error }),
      );
      // Another pod may lead: then its snapshot is what this one waits for.
      const waiting = new AbortController();
      const published = (async () => {
        while ((await configBucket.get(snapshotKey).catch(() => undefined))?.value === undefined) {
          await clock.sleep(firstSnapshotPollMs, AbortSignal.any([signal, waiting.signal]));
        }
        // This pod's own first file is still judged when it leads; give it the chance to refuse.
        await clock.sleep(2_000, AbortSignal.any([signal, waiting.signal]));
      })();
      try {
        await Promise.race([settled.promise, published]);
      } finally {
        waiting.abort();
        published.catch(() => undefined);
        settled.promise.catch(() => undefined);
      }

      const readTxt = await txtReader(() => operator?.current().dns.servers.map(formatHostPort) ?? []);
      forwarding = createForwarding({
        withTenant,
        operator: () => source.current(),
        clock,
        telemetry,
        scopeKey,
        queueAddress: own.queue.address === undefined ? undefined : formatHostPort(own.queue.address),
        policyAddresses: own.policy.addresses.map(formatHostPort),
      });
      const handlers = provisioningHandlers({
        resources: { withTenant, sealer, hashSlots, random, clock, operator: () => source.current(), readTxt },
        forwarding,
        status: {
          ...{
            withTenant,
            connection,
            config: configBucket,
            natsMonitors: own.natsMonitors,
            forwarding,
            refusal,
            postponed: () => source.postponed(),
            operator: () => source.current(),
            clock,
            newId: createUlidSource(clock, random),
          },
        },
        authenticate: createAuthenticate(withTenant, clock),
        log,
        metrics,
      });
      const tls =
        own.tls === undefined
          ? undefined
          : { cert: await readSecretBytes(own.tls.certFile), key: await readSecretBytes(own.tls.keyFile) };
      const api = createServer({
        telemetry,
        clock,
        maxMessageBytes: largestRequest * 4,
        ...(tls === undefined ? {} : { tls }),
      });
      api.add(ProvisioningServiceService, handlers);
      servers = [api];
      await api.listen(own.listen);

      if (scopeKey === undefined) {
        throw new PosternError(
          'config-invalid',
          'scopeKeyFile: missing; expected the key that signs calls between services',
        );
      }
      const verify = createVerifier({
        withTenant,
        hashSlots,
        sealer,
        random,
        clock,
        log,
        metrics,
        issuers: () => source.current().oauthIssuers,
        realms: () => source.current().kerberosRealms,
        cacheForMs: own.credentials.cacheFor,
      });
      const challenge = createChallenges({ withTenant, sealer });
      const credentials = createServer({
        telemetry,
        clock,
        maxMessageBytes: largestRequest,
        interceptors: [requireScope({ key: scopeKey, clock, services: ['edge'] })],
      });
      credentials.add(CredentialServiceService, {
        getChallenge: unary(challenge),
        verify: unary(verify),
        getStanding: unary(createStanding({ withTenant, clock })),
      });
      servers = [api, credentials];
      await credentials.listen(own.credentialsListen);
      stopHousekeeping = startHousekeeping(withTenant, clock, (error) =>
        log.warn('provisioning.housekeeping.failed', { error }),
      ).stop;
    },

    ready() {
      const reasons: string[] = [];
      if (connection?.state() !== 'connected') reasons.push('NATS is away');
      return { ok: reasons.length === 0, reasons };
    },

    async drain() {
      await Promise.all(servers.map((server) => server.drain(config.lifecycle.drainTimeout)));
    },

    async stop() {
      stopHousekeeping();
      for (const server of servers) server.stop();
      operator?.close();
      forwarding?.close();
      await publishing?.stop();
      await pool?.end();
      await connection?.close();
    },
  };
}

/** Asks the operator's DNS servers, else those of the pod; undefined = nobody answered. */
async function txtReader(
  servers: () => readonly string[],
): Promise<(name: string) => Promise<readonly string[] | undefined>> {
  const pods = await readResolvConf().catch(() => []);
  const resolver = new SwitchingResolver(
    systemClock,
    { servers: pods.length > 0 ? pods : ['127.0.0.1:53'] },
    (settings) => createDnsClient({ clock: systemClock, ...settings }),
  );
  return async (name) => {
    resolver.use({ servers: servers() });
    const found = await resolver.txt(name);
    if (found.kind === 'answer') return found.values;
    return isTemporary(found) ? undefined : [];
  };
}
