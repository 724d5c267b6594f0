/**
 * What every writer of a service's configuration may use: addresses of the cluster, files of secrets, and the sections all
 * services share. Each service has one writer file beside this one; the section `--config` gives for a service is laid
 * over what its writer returns.
 */
import type { ClusterPlan, ServiceName, ServicePlan } from '../supervisor/plan.js';
import type { Stores } from '../supervisor/stores.js';
import type { CertificateFiles } from '../trust/certificates.js';
import type { StreamLimits } from './stream-room.js';

export interface ConfigContext {
  readonly plan: ClusterPlan;
  readonly stores: Stores;
  readonly certificates: CertificateFiles;
  readonly scopeKeyFile: string;
  readonly sealKeyFile: string;
  /** What TLS session tickets of every edge come from. */
  readonly ticketKeyFile: string;
  readonly operatorKeyFile: string;
  /** Operator settings written by us; the overlay is the person's own file, absent when none was given. */
  readonly operatorFile: string;
  readonly operatorOverlayFile: string | undefined;
  /** A copy of it, as it was at this start. */
  readonly operatorOverlayTakenFile: string | undefined;
  /** Where the disk is too small for the declared ones. */
  readonly streamLimits: StreamLimits;
}

/** A configuration document: what becomes YAML. */
export type Document = Readonly<Record<string, unknown>>;

const databaseUsers = { queue: 'queue', provisioning: 'provisioning' } as const;

function redisSection(context: ConfigContext, service: ServiceName): Document {
  if (service !== 'edge' && service !== 'policy' && service !== 'delivery') return {};
  return { redis: { url: context.stores.redis.url, ...context.stores.redis.users[service] } };
}

function databaseSection(context: ConfigContext, service: ServiceName): Document {
  if (service !== 'queue' && service !== 'provisioning') return {};
  const { host, passwordFiles } = context.stores.database;
  return {
    database: { url: `postgres://${databaseUsers[service]}@${host}/postern`, passwordFile: passwordFiles[service] },
  };
}

/** The sections that are the same in every service. */
export function commonSections(context: ConfigContext, process: ServicePlan): Document {
  const { service } = process;
  const { nats } = context.stores;
  return {
    nats: { servers: nats.servers, ...nats.users[service] },
    ...redisSection(context, service),
    ...databaseSection(context, service),
    telemetry: { level: 'info', metrics: `127.0.0.1:${process.metricsPort}` },
    scopeKeyFile: context.scopeKeyFile,
  };
}
