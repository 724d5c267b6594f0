/** What checks share besides DNS and the directory, made for this pod, and what closes with it. */
import { createRequire } from 'node:module';
import type { Clock } from '@postern/clock';
import type { Resolver } from '@postern/dns';
import type { RedisClient } from '@postern/flow-control';
import type { Logger } from '@postern/telemetry';
import { createCallForward } from './call-forward/call-forward.js';
import type { CheckTools } from './check-tools.js';
import type { PolicyConfig } from './config.js';
import { createAsnDatabase } from './country/asn-database.js';
import { openCountryDatabase } from './country/country-database.js';
import { createListHealth } from './dns-lists/list-health.js';
import type { PolicyEvent } from './events.js';
import { redisGreylist } from './greylist/greylist-store.js';
import type { PolicyMetrics } from './metrics.js';

export interface ToolParts {
  readonly config: PolicyConfig['policy'];
  readonly clock: Clock;
  readonly resolver: Resolver;
  readonly redis: RedisClient;
  /** The server that keeps its data. */
  readonly lasting: RedisClient;
  readonly log: Logger<PolicyEvent>;
  readonly metrics: PolicyMetrics;
}

export interface OpenTools {
  readonly tools: CheckTools;
  /** The operator names another database of autonomous systems; empty = none. */
  useAsn(file: string): void;
  close(): void;
}

/** The database that is installed with this service: public domain (CC0), IPv4 and IPv6. */
const shippedDatabase = (): string =>
  createRequire(import.meta.url).resolve('@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb');

export async function openTools({
  config,
  clock,
  resolver,
  redis,
  lasting,
  log,
  metrics,
}: ToolParts): Promise<OpenTools> {
  const file = config.countryDatabase ?? shippedDatabase();
  const country = await openCountryDatabase({
    file,
    clock,
    onLoaded: (nodes) => log.info('policy.country.loaded', { file, nodes }),
    onRefused: (reason) => {
      metrics.failures.with({ kind: 'country' }).inc();
      log.error('policy.country.refused', { file, reason });
    },
  });
  const asn = createAsnDatabase({
    clock,
    onLoaded: (name, nodes) => log.info('policy.asn.loaded', { file: name, nodes }),
    onRefused: (name, reason) => {
      metrics.failures.with({ kind: 'asn' }).inc();
      log.error('policy.asn.refused', { file: name, reason });
    },
  });
  const tools: CheckTools = {
    country,
    asn,
    greylist: redisGreylist(lasting, (reason) => {
      metrics.failures.with({ kind: 'greylist' }).inc();
      log.warn('policy.greylist.failed', { reason });
    }),
    listHealth: createListHealth({
      clock,
      resolver,
      onChanged: (zone, usable, reason) => {
        if (usable) log.info('policy.dnslist.usable', { zone });
        else {
          metrics.failures.with({ kind: 'dnsbl' }).inc();
          log.error('policy.dnslist.broken', { zone, reason });
        }
      },
    }),
    callForward: createCallForward({ clock, resolver, redis, localName: config.podName }),
  };
  return {
    tools,
    useAsn: (name) => asn.use(name),
    close() {
      country.stop();
      asn.stop();
    },
  };
}
