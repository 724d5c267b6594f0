/**
 * What a local cluster is made of, decided once at its start: processes, ports, files. Ports stay the same over restarts
 * of a process. Nothing is started here.
 */
import { join } from 'node:path';
import { freePort } from '../servers/free-port.js';
import type { DataFolder } from './data-folder.js';
import type { StartOptions } from './options.js';

export type ServiceName = 'edge' | 'policy' | 'queue' | 'delivery' | 'provisioning';

/** The order in which services are drained: whoever takes mail first. */
export const drainOrder: readonly ServiceName[] = ['edge', 'policy', 'delivery', 'queue', 'provisioning'];

export interface ServicePlan {
  readonly service: ServiceName;
  /** Name of this process: `edge-0`. */
  readonly instance: string;
  readonly index: number;
  readonly metricsPort: number;
  readonly configFile: string;
  readonly logFile: string;
}

export interface EdgePorts {
  readonly mx: number;
  readonly submission: number;
  readonly submissions: number;
}

export interface ClusterPlan {
  readonly folder: DataFolder;
  readonly services: readonly ServicePlan[];
  /** Ports of edge k at index k. */
  readonly edges: readonly EdgePorts[];
  /** gRPC ports of policy k at index k. */
  readonly policies: readonly number[];
  readonly queuePort: number;
  readonly provisioningPort: number;
  readonly credentialsPort: number;
  readonly natsPort: number;
  readonly natsMonitorPort: number;
  readonly redisPort: number;
  readonly postgresPort: number;
  readonly mailboxPort: number;
  readonly mailboxHttpPort: number;
}

/** Every listener of the public ports, in the order of the edges. */
export function publicPorts(options: Pick<StartOptions, 'edges' | 'portBase'>): EdgePorts[] {
  return Array.from({ length: options.edges }, (_, index) => ({
    mx: options.portBase + 525 + index,
    submission: options.portBase + 587 + index,
    submissions: options.portBase + 465 + index,
  }));
}

async function servicePlan(folder: DataFolder, service: ServiceName, index: number): Promise<ServicePlan> {
  const instance = `${service}-${index}`;
  return {
    service,
    instance,
    index,
    metricsPort: await freePort(),
    configFile: join(folder.config, `${instance}.yaml`),
    logFile: join(folder.logs, `${instance}.log`),
  };
}

export async function planCluster(folder: DataFolder, options: StartOptions): Promise<ClusterPlan> {
  const edges = publicPorts(options);
  const policies = await Promise.all(Array.from({ length: options.policies }, () => freePort()));
  const wanted: [ServiceName, number][] = [
    ['provisioning', 0],
    ['queue', 0],
    ['delivery', 0],
    ...policies.map((_, index): [ServiceName, number] => ['policy', index]),
    ...edges.map((_, index): [ServiceName, number] => ['edge', index]),
  ];
  return {
    folder,
    edges,
    policies,
    services: await Promise.all(wanted.map(([service, index]) => servicePlan(folder, service, index))),
    queuePort: await freePort(),
    provisioningPort: await freePort(),
    credentialsPort: await freePort(),
    natsPort: await freePort(),
    natsMonitorPort: await freePort(),
    redisPort: await freePort(),
    postgresPort: await freePort(),
    mailboxPort: await freePort(),
    mailboxHttpPort: await freePort(),
  };
}
