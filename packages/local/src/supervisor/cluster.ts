/**
 * A whole cluster on one machine: starts infrastructure, then services in the order of what they need, keeps all alive,
 * writes run.json at every change, and drains in the order mail flows. Knows nothing about terminals and signals.
 */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { portIsFree } from '../servers/free-port.js';
import { processIdentity } from '../servers/process-identity.js';
import { startServer } from '../servers/running-server.js';
import type { ServerCache } from '../servers/server-cache.js';
import { blameOverlay } from '../service-config/blame.js';
import { builtChecker, type CheckerOf } from '../service-config/check.js';
import { demo } from '../service-config/operator.js';
import { SetupError } from '../setup-error.js';
import { ensureDatabase } from '../trust/database-roles.js';
import { type DataFolder, rotateLog } from './data-folder.js';
import { answersOk, infrastructureParts } from './infrastructure.js';
import { Keeper, type KeeperState } from './keeper.js';
import { keepConfigFile, lastConfigFile } from './last-config.js';
import { assertNamedStoresAnswer, withoutStoreNames } from './named-stores.js';
import type { StartOptions } from './options.js';
import { addressesOf, assertOwnPortsFree, type OwnListener, ownListeners } from './own-listeners.js';
import { type ClusterPlan, drainOrder, planCluster, publicPorts, type ServiceName, type ServicePlan } from './plan.js';
import { type Prepared, prepareConfiguration } from './prepare.js';
import {
  type RunFile,
  RunFileWriter,
  type RunInfrastructure,
  type RunProcess,
  type RunService,
  type RunState,
} from './run-file.js';
import { ToldEvents } from './told-events.js';

/** Longer than the services' own drain time, so that they end by themselves. */
const serviceStopGraceMs = 40_000;
/**
 * Where the old generation starts, MiB: V8's own first limit is so near to what a service keeps that mail's buffers start a full collection several times a
 * second, a tenth of all CPU. Less for the edge, whose memory must not follow the size of messages. deploy/Dockerfile says the same.
 */
const nodeOptions = (service: ServiceName): string[] => [`--initial-old-space-size=${service === 'edge' ? 64 : 128}`];
/** How soon the person at the terminal learns what stands in a log. */
const lookMs = 1_000;
const startOrder: readonly (readonly ServiceName[])[] = [['provisioning'], ['queue', 'policy', 'delivery'], ['edge']];

export interface ClusterOptions {
  readonly start: StartOptions;
  readonly folder: DataFolder;
  readonly cache: ServerCache;
  readonly environment: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
  readonly now: () => Date;
  /** Program of a service; tests put small ones in their place. */
  readonly program?: (service: ServiceName) => string;
  /** Judge of a service's configuration; tests put one for their small programs in its place. */
  readonly checkerOf?: CheckerOf;
}

interface KeptPart {
  readonly keeper: Keeper;
  readonly describe: { readonly name: string; readonly address: string; readonly http?: string };
}

const serviceProgram = (service: ServiceName) =>
  fileURLToPath(new URL(`../../../../services/${service}/dist/main.js`, import.meta.url));

const runStates: Readonly<Record<KeeperState['kind'], RunState>> = {
  idle: 'starting',
  starting: 'starting',
  running: 'running',
  waiting: 'down',
  stopped: 'down',
};

/** None before its first process is there. */
function processOf({ last, state }: Keeper): RunProcess[] {
  return last === undefined ? [] : [{ ...last, state: runStates[state.kind] }];
}

export class Cluster {
  readonly #options: ClusterOptions;
  readonly #infrastructure: KeptPart[] = [];
  readonly #services: { readonly plan: ServicePlan; readonly keeper: Keeper }[] = [];
  readonly #plan: ClusterPlan;
  readonly #caFile: string;
  readonly #operatorKeyFile: string;
  readonly #demoPasswordFile: string;
  readonly #runFile: RunFileWriter;
  readonly #toldEvents: ToldEvents;
  #ownListeners: readonly OwnListener[] = [];
  #shutListeners: readonly string[] = [];
  #configBefore: string | undefined;
  #looking: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(options: ClusterOptions, plan: ClusterPlan) {
    this.#options = options;
    this.#plan = plan;
    this.#caFile = join(plan.folder.tls, 'ca.crt');
    this.#operatorKeyFile = join(plan.folder.secrets, 'operator.key');
    this.#demoPasswordFile = join(plan.folder.secrets, 'demo.password');
    this.#runFile = new RunFileWriter(plan.folder.runFile, () => this.describe());
    const logs = plan.services.map(({ instance, logFile }) => ({ instance, file: logFile }));
    this.#toldEvents = new ToldEvents(logs, options.say);
  }

  /** Decide ports and processes; a public port in use is an error before anything is started. */
  static async plan(options: ClusterOptions): Promise<Cluster> {
    for (const ports of publicPorts(options.start)) {
      for (const [listener, port] of Object.entries(ports)) {
        if (await portIsFree(port)) continue;
        throw new SetupError(
          `Port ${port} (${listener}) is in use by another program.`,
          'stop that program, or choose other ports with `-- --port-base N` (mx N+525, submission N+587, submissions N+465).',
        );
      }
    }
    return new Cluster(options, await planCluster(options.folder, options.start));
  }

  /** Secrets and configuration files of every process; a wrong configuration ends it before anything is started. */
  check(): Promise<Prepared> {
    const { checkerOf = builtChecker, ...options } = this.#options;
    return prepareConfiguration({ ...options, checkerOf }, this.#plan);
  }

  /** Bring everything up; on failure the caller stops what has started. */
  async start(): Promise<void> {
    const { start, folder, say, cache } = this.#options;
    const plan = this.#plan;
    if (start.configFile === undefined) this.#configBefore = await lastConfigFile(folder);
    const { stores, ownSections, streamLimits, shutListeners } = await this.check();
    this.#shutListeners = shutListeners;
    const { SPOOL: spool } = streamLimits;
    if (spool !== undefined) say(`the disk is small: SPOOL holds ${spool} MiB at most, other streams in proportion`);
    this.#ownListeners = ownListeners(ownSections);
    await assertOwnPortsFree(this.#ownListeners, plan.edges.length);
    await assertNamedStoresAnswer(this.#options.environment);
    if (this.#configBefore !== undefined)
      say(
        `started without the --config of last time, ${this.#configBefore}: its checks, limits, listeners and next hops are not in effect; tenants, domains and users it made stay`,
      );

    const parts = await infrastructureParts(plan, stores, cache, say);
    this.#refuseWhenStopping();
    say(`starting ${parts.map((part) => part.name).join(', ')}`);
    for (const { launch, ...describe } of parts) {
      this.#infrastructure.push({ keeper: this.#keeper(describe.name, launch), describe });
    }
    await this.#startTogether(this.#infrastructure.map((part) => part.keeper));
    await ensureDatabase(stores.database.adminUrl, stores.database.passwordFiles);
    for (const group of startOrder) {
      this.#refuseWhenStopping();
      say(`starting ${group.join(', ')}`);
      const started = plan.services
        .filter((process) => group.includes(process.service))
        .map((process) => this.#service(process));
      await this.#startTogether(started).catch((error: unknown) => {
        const generated = plan.services.map(({ configFile }) => configFile);
        throw blameOverlay(error, generated, ownSections, start.configFile);
      });
    }
    await this.#runFile.settled();
    await keepConfigFile(folder, start.configFile);
    await this.#toldEvents.skip();
    this.#lookAgain();
  }

  /** Drain: services in the order mail flows, then the rest. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#looking);
    for (const service of drainOrder) {
      const keepers = this.#services.filter(({ plan }) => plan.service === service).map(({ keeper }) => keeper);
      await Promise.all(keepers.map((keeper) => keeper.stop()));
    }
    await Promise.all(this.#infrastructure.map(({ keeper }) => keeper.stop()));
    await this.#runFile.settled();
  }

  /** End every process at once. */
  kill(): void {
    this.#stopping = true;
    for (const { keeper } of [...this.#services, ...this.#infrastructure]) keeper.kill();
  }

  /** Listeners whose ports the settings of this start keep closed. */
  get shutListeners(): readonly string[] {
    return this.#shutListeners;
  }

  /** Whether there is, or was, a process. */
  get hasStarted(): boolean {
    return this.#infrastructure.length > 0;
  }

  /** The content of run.json now. */
  describe(): RunFile {
    const plan = this.#plan;
    const on = (listener: 'mx' | 'submission' | 'submissions') =>
      plan.edges.map((ports) => `127.0.0.1:${ports[listener]}`);
    return {
      supervisor: { pid: process.pid, identity: processIdentity(process.pid) },
      listeners: {
        mx: on('mx'),
        submission: on('submission'),
        submissions: on('submissions'),
        ...Object.fromEntries(this.#ownListeners.map((one) => [one.name, addressesOf(one, plan.edges.length)])),
      },
      services: this.#services.flatMap(({ plan: process, keeper }): RunService[] => {
        const { service: name, instance, metricsPort } = process;
        return processOf(keeper).map((now) => ({ name, instance, ...now, metrics: `http://127.0.0.1:${metricsPort}` }));
      }),
      infrastructure: this.#infrastructure.flatMap(({ keeper, describe }): RunInfrastructure[] =>
        processOf(keeper).map((now) => ({ ...describe, ...now })),
      ),
      provisioning: { address: `127.0.0.1:${plan.provisioningPort}`, keyFile: this.#operatorKeyFile },
      ca: this.#caFile,
      ...(this.#options.start.configFile === undefined ? {} : { configFile: this.#options.start.configFile }),
      ...(this.#configBefore === undefined ? {} : { configFileBefore: this.#configBefore }),
      demo: { domain: demo.domain, user: demo.user, passwordFile: this.#demoPasswordFile },
    };
  }

  #service(process: ServicePlan): Keeper {
    const program = (this.#options.program ?? serviceProgram)(process.service);
    const keeper = this.#keeper(process.instance, async (control) => {
      await rotateLog(process.logFile);
      return startServer({
        ...control,
        name: process.instance,
        address: `http://127.0.0.1:${process.metricsPort}`,
        command: globalThis.process.execPath,
        args: [...nodeOptions(process.service), program, '--config', process.configFile],
        cwd: this.#options.folder.root,
        env: withoutStoreNames,
        ports: [process.metricsPort],
        logFile: process.logFile,
        ready: () => answersOk(`http://127.0.0.1:${process.metricsPort}/readyz`),
        stopGraceMs: serviceStopGraceMs,
      });
    });
    this.#services.push({ plan: process, keeper });
    return keeper;
  }

  #keeper(name: string, launch: ConstructorParameters<typeof Keeper>[0]['launch']): Keeper {
    const { say } = this.#options;
    const failed = (error: unknown) =>
      say(`run.json could not be written: ${error instanceof Error ? error.message : error}`);
    return new Keeper({ name, launch, say, changed: () => this.#runFile.request(failed) });
  }

  async #startTogether(keepers: readonly Keeper[]): Promise<void> {
    const outcomes = await Promise.allSettled(keepers.map((keeper) => keeper.start()));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  #lookAgain(): void {
    if (this.#stopping) return;
    // A log that cannot be read now is read later.
    const look = () => this.#toldEvents.look().catch(() => undefined);
    this.#looking = setTimeout(() => void look().then(() => this.#lookAgain()), lookMs);
    this.#looking.unref();
  }

  #refuseWhenStopping(): void {
    if (this.#stopping) throw new SetupError('Stopped while starting.', 'start again.');
  }
}
