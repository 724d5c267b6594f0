/**
 * Everything a start needs before its first process: secrets, certificates, addresses of the stores, one checked configuration file per
 * process. Nothing is started here; what is wrong with the person's file is said here.
 */
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type CheckerOf, checkConfiguration } from '../service-config/check.js';
import type { ConfigContext, Document } from '../service-config/context.js';
import { operatorSettings } from '../service-config/operator.js';
import { readOwnFile } from '../service-config/own-file.js';
import { shutListeners } from '../service-config/shut-listeners.js';
import { type StreamLimits, streamLimitsOn } from '../service-config/stream-room.js';
import { generatedConfig, keepOwnFile, writeOperatorSettings, writeServiceConfig } from '../service-config/write.js';
import { ensureCertificates } from '../trust/certificates.js';
import { ensureKey, ensureSecret } from '../trust/secrets.js';
import type { DataFolder } from './data-folder.js';
import { withoutStoreNames } from './named-stores.js';
import type { StartOptions } from './options.js';
import type { ClusterPlan, ServiceName } from './plan.js';
import { prepareStores, type Stores } from './stores.js';

/** A start shows the first; who asks for the judgement alone gets all that is of use. */
const shownProblems = { start: 20, check: 1_000 } as const;

export interface Preparation {
  readonly start: StartOptions;
  readonly folder: DataFolder;
  readonly environment: NodeJS.ProcessEnv;
  readonly now: () => Date;
  readonly checkerOf: CheckerOf;
  readonly say: (line: string) => void;
}

export interface Prepared {
  readonly stores: Stores;
  /** What the own file says for services: whose fault a wrong value may be. */
  readonly ownSections: Document;
  /** Limits of streams that had to be smaller than the declared ones; empty = none. */
  readonly streamLimits: StreamLimits;
  /** Names of listeners the own file switches off. */
  readonly shutListeners: readonly string[];
}

export async function prepareConfiguration(
  { start, folder, environment, now, checkerOf, say }: Preparation,
  plan: ClusterPlan,
): Promise<Prepared> {
  const ownFile = await readOwnFile(start.configFile);
  const stores = await prepareStores(plan, environment);
  const demoPassword = await ensureSecret(folder.secrets, 'demo.password');
  const context: ConfigContext = {
    plan,
    stores,
    certificates: await ensureCertificates(folder.tls, ['mail.demo.test'], now()),
    scopeKeyFile: await ensureKey(folder.secrets, 'scope.key'),
    sealKeyFile: await ensureKey(folder.secrets, 'seal.key'),
    ticketKeyFile: await ensureKey(folder.secrets, 'ticket.key'),
    operatorKeyFile: join(folder.secrets, 'operator.key'),
    operatorFile: join(folder.config, 'operator.yaml'),
    operatorOverlayFile: start.configFile,
    operatorOverlayTakenFile: ownFile === undefined ? undefined : join(folder.config, 'own-at-start.yaml'),
    streamLimits: stores.nats.authorization !== undefined ? await streamLimitsOn(folder.nats) : {},
  };
  const settings = stringify(operatorSettings(plan, start, demoPassword.file));
  const generated = plan.services.map((process) => ({ plan: process, document: generatedConfig(context, process) }));
  const sections = await checkConfiguration({
    // The last of each service: edge k adds k to ports, so what holds for it holds for those before it.
    processes: generated
      .filter(({ plan: { service } }, index) => generated[index + 1]?.plan.service !== service)
      .map(({ plan: process, document }) => ({ plan: process, generated: stringify(document) })),
    operatorFile: { file: context.operatorFile, text: settings },
    ownFile,
    environment: { ...environment, ...withoutStoreNames },
    checkerOf,
    edges: plan.edges,
    shownProblems: shownProblems[start.action === 'check' ? 'check' : 'start'],
    note: (line) => say(`note: ${line}`),
  });
  await writeOperatorSettings(context.operatorFile, settings);
  const { operatorOverlayTakenFile } = context;
  if (ownFile !== undefined && operatorOverlayTakenFile !== undefined)
    await keepOwnFile(operatorOverlayTakenFile, ownFile);
  const own = (service: ServiceName): Document => sections.get(service) ?? {};
  for (const { plan: process, document } of generated)
    await writeServiceConfig(process, document, own(process.service));
  return {
    stores,
    ownSections: Object.assign({}, ...sections.values()),
    streamLimits: context.streamLimits,
    shutListeners: ownFile === undefined ? [] : shutListeners(ownFile),
  };
}
