/** The whole dependency graph of provisioning in reading order. Nothing listens here; `start` connects, migrates and publishes. */
import { createUlidSource, systemClock, systemRandom } from '@postern/clock';
import { formatHostPort, readSecretBytes } from '@postern/config';
import { PosternError } from '@postern/errors';
import type { GrpcServer } from '@postern/grpc';
import type { Service } from '@postern/lifecycle';
import type { StreamConnection } from '@postern/stream';
import type { Telemetry } from '@postern/telemetry';
import { createAuthenticate } from './access.js';
import { ensureBootstrapKey } from './bootstrap-key.js';
import type { ProvisioningConfig } from './config.js';
import { createHashSlots } from './credentials/hash-slots.js';
import { openStore, type Store } from './database/store.js';
import type { ProvisioningEvent } from './events.js';
import { createForwarding, type Forwarding } from './forward.js';
import { startHousekeeping } from './housekeeping.js';
import { provisioningMetrics } from './metrics.js';
import { openOperator } from './operator/opening.js';
import type { OperatorSource } from './operator/source.js';
import { createSealer } from './secrets/seal.js';
import { apiServer, credentialServer } from './servers.js';
import { type Publishing, startPublishing } from './snapshot/publishing.js';
import { connectNats, openBuckets } from './streams.js';
import { txtReader } from './txt-reader.js';

export function wire(config: ProvisioningConfig, telemetry: Telemetry<ProvisioningEvent>): Service {
  const { log } = telemetry;
  const metrics = provisioningMetrics(telemetry.metrics);
  const clock = systemClock;
  const random = systemRandom;
  const own = config.provisioning;
  let store: Promise<Store> | undefined;
  let connection: StreamConnection | undefined;
  let operator: OperatorSource | undefined;
  let publishing: Publishing | undefined;
  let forwarding: Forwarding | undefined;
  let servers: GrpcServer[] = [];
  let stopHousekeeping: () => void = () => undefined;

  return {
    name: 'provisioning',

    async start({ signal }) {
      const sealer = createSealer(await readSecretBytes(own.sealKeyFile), random);
      if (config.scopeKeyFile === undefined) {
        throw new PosternError(
          'config-invalid',
          'scopeKeyFile: missing; expected the key that signs calls between services',
        );
      }
      const scopeKey = await readSecretBytes(config.scopeKeyFile);
      const opened = (): Promise<Store> => {
        store ??= openStore(config, { sealer, clock, log });
        return store;
      };
      const source = await openOperator(own, { clock, log, metrics, store: opened });
      operator = source;
      const { target, withTenant, refusal, kept } = await opened();
      if (await ensureBootstrapKey(own.bootstrapKeyFile, withTenant, random)) {
        log.info('provisioning.bootstrap_key.created', { file: own.bootstrapKeyFile });
      }
      connection = await connectNats(config, log);
      const buckets = await openBuckets(connection, own, clock);

      const hashSlots = createHashSlots(own.credentials.concurrentHashes, own.credentials.waitingHashes);
      // The operator file may hold any number of passwords; they wait in a line of their own and never crowd out logins.
      const importSlots = createHashSlots(own.credentials.concurrentHashes, Number.POSITIVE_INFINITY);
      publishing = startPublishing({
        ...{ target, withTenant, refusal, kept, sealer, clock, log, metrics },
        ...buckets,
        egressPools: own.egressPools,
        operator: source,
        apply: { withTenant, sealer, hashSlots: importSlots, random, file: source.name },
      });
      await publishing.first(signal);

      const current = () => source.current();
      forwarding = createForwarding({
        ...{ withTenant, operator: current, clock, telemetry, scopeKey },
        queueAddress: own.queue.address === undefined ? undefined : formatHostPort(own.queue.address),
        policyAddresses: own.policy.addresses.map(formatHostPort),
      });
      const readTxt = await txtReader(() => current().dns.servers.map(formatHostPort));
      const api = await apiServer(own, {
        ...{ telemetry, clock, log, metrics, forwarding },
        resources: {
          withTenant,
          sealer,
          hashSlots,
          random,
          clock,
          operator: current,
          readTxt,
          egressPools: own.egressPools,
        },
        status: {
          ...{ withTenant, connection, forwarding, refusal, operator: current, clock },
          config: buckets.config,
          natsMonitors: own.natsMonitors,
          postponed: () => source.postponed(),
          newId: createUlidSource(clock, random),
        },
        authenticate: createAuthenticate(withTenant, clock),
      });
      servers = [api];
      await api.listen(own.listen);
      const credentials = credentialServer(own, {
        ...{ telemetry, metrics, clock, random, scopeKey, withTenant, sealer, hashSlots, operator: source },
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
      const opened = await store?.catch(() => undefined);
      await opened?.close();
      await connection?.close();
    },
  };
}
