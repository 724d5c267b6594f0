/** The whole dependency graph of the policy service in reading order. Nothing listens here; `start` connects, watches and listens. */
import { systemClock } from '@postern/clock';
import { ConfigError, formatHostPort, readSecret, readSecretBytes } from '@postern/config';
import { createDnsClient, readResolvConf, SwitchingResolver } from '@postern/dns';
import { BanBook, SuspicionBook } from '@postern/flow-control';
import { createServer, type GrpcServer, requireScope } from '@postern/grpc';
import type { Service } from '@postern/lifecycle';
import type { Snapshot } from '@postern/proto/config/v1/snapshot';
import { LimitServiceService } from '@postern/proto/policy/v1/limit_service';
import { createRuleCompiler, withChains } from '@postern/rules';
import {
  answerStatus,
  connectStreams,
  openBucket,
  type SnapshotWatch,
  type StreamConnection,
  watchSnapshot,
} from '@postern/stream';
import type { Telemetry } from '@postern/telemetry';
import type { PolicyConfig } from './config.js';
import { createDigestPool } from './content/digest-pool.js';
import { policyDependencies } from './dependencies.js';
import { type CachedDirectory, createCachedDirectory } from './directory/cached-directory.js';
import { sharedAnswers } from './dns-lists/shared-answers.js';
import type { PolicyEvent } from './events.js';
import { GreylistDesk } from './greylist/greylist-desk.js';
import { createJudge, type Judge } from './judge.js';
import { limitHandlers } from './limits/limit-server.js';
import { type LimitStores, openLimitStores } from './limits/limit-store.js';
import { LimitView } from './limits/limit-view.js';
import { policyMetrics } from './metrics.js';
import { observeChecks, observeDns, observeRules, observeServer } from './observe.js';
import { createRecorder } from './recording/recorder.js';
import { redisRecordings } from './recording/recording-store.js';
import { createRuleRunner } from './rules/rule-runner.js';
import { policyHandlers, policyService } from './server.js';
import { openSharedStores, type SharedStores } from './shared-store.js';
import { type CompiledSnapshot, compileSnapshot } from './snapshot/compile.js';
import { openTools } from './tools.js';

async function dnsServersOf(config: PolicyConfig): Promise<string[]> {
  if (config.policy.dns.servers.length > 0) return config.policy.dns.servers.map(formatHostPort);
  const servers = await readResolvConf().catch(() => []);
  return servers.length > 0 ? servers : ['127.0.0.1:53'];
}

async function scopeKeyOf(config: PolicyConfig): Promise<Buffer> {
  if (config.scopeKeyFile !== undefined) return readSecretBytes(config.scopeKeyFile);
  const message =
    'is needed: policy refuses calls without a signed scope; name the file with the key all services share';
  throw new ConfigError([{ place: 'configuration', path: 'scopeKeyFile', message }]);
}

/** The longest timer there is: 24.8 days. */
const noConnectionAge = 2_147_483_647;

export function wire(config: PolicyConfig, telemetry: Telemetry<PolicyEvent>): Service {
  const { log } = telemetry;
  const clock = systemClock;
  const metrics = policyMetrics(telemetry.metrics);
  const draining = new AbortController();
  let connection: StreamConnection | undefined;
  let directory: CachedDirectory | undefined;
  let server: GrpcServer | undefined;
  let judge: Judge | undefined;
  let watch: SnapshotWatch | undefined;
  let snapshot: CompiledSnapshot | undefined;
  /** Why the newest is not in use. */
  let refusal = '';
  let shared: SharedStores | undefined;
  let closeTools = (): void => undefined;
  let useAsn = (_file: string): void => undefined;
  let stores: LimitStores | undefined;
  let limits: (() => LimitView) | undefined;
  const digests = createDigestPool({
    clock,
    threads: config.policy.bodyThreads,
    bodies: config.policy.bodiesOnThreads,
    patienceMs: 5_000,
    onEnded: (how) => metrics.bodies.with({ how }).inc(),
    onThreadDied: (reason) => {
      metrics.failures.with({ kind: 'thread' }).inc();
      log.error('policy.thread.died', { reason });
    },
  });
  metrics.bodiesOnThreads(() => digests.size);
  metrics.inFlight(() => judge?.inFlight ?? 0);
  metrics.directoryEntries(() => directory?.size ?? 0);

  const rules = createRuleCompiler((tenant, rule, reason) => {
    metrics.failures.with({ kind: 'rule_refused' }).inc();
    log.error('policy.rule.refused', { tenant, rule, reason });
  }, withChains);

  const onRefusedSettings = (scope: string, reason: string): void => {
    metrics.failures.with({ kind: 'settings' }).inc();
    log.error('policy.settings.refused', { scope, reason });
  };

  const connect = async (): Promise<StreamConnection> => {
    const tlsCa = config.nats.tlsCaFile === undefined ? undefined : await readSecret(config.nats.tlsCaFile);
    return connectStreams({
      servers: config.nats.servers.map(formatHostPort),
      user: 'policy',
      login: config.nats.user,
      password: config.nats.passwordFile === undefined ? '' : await readSecret(config.nats.passwordFile),
      ...(tlsCa === undefined ? {} : { tlsCa }),
      onState: (state, detail) => {
        log.warn('policy.nats.changed', { state, detail });
        directory?.drop();
      },
    });
  };

  const openDirectory = async (open: StreamConnection): Promise<CachedDirectory> =>
    createCachedDirectory(await openBucket(open, clock, 'DIRECTORY'), {
      clock,
      maxEntries: config.policy.directoryEntries,
      onDropped: (entries) => log.info('policy.directory.dropped', { entries }),
      onFailed: (reason) => {
        metrics.failures.with({ kind: 'directory' }).inc();
        log.warn('policy.directory.failed', { reason });
      },
      onLookup: (from) => metrics.directory.with({ from }).inc(),
    });

  const watchConfig = async (open: StreamConnection, resolver: SwitchingResolver) =>
    watchSnapshot(await openBucket(open, clock, 'CONFIG'), {
      onSnapshot: (next) => {
        snapshot = compileSnapshot(next, rules, onRefusedSettings);
        if (next.dns !== undefined) resolver.use(next.dns);
        limits = viewOf(next);
        useAsn(next.asnDatabase);
        refusal = '';
        metrics.snapshotVersion.set(next.version);
        metrics.rulesStale.set(snapshot.rules.stale === undefined ? 0 : 1);
        log.info('policy.snapshot.applied', { version: next.version, rules: snapshot.rules.size });
      },
      onRefused: (reason) => {
        metrics.failures.with({ kind: 'snapshot' }).inc();
        refusal = `: ${reason}`;
        log.error('policy.snapshot.refused', { reason });
      },
    });

  /** Made when somebody asks. */
  const viewOf = (next: Snapshot): (() => LimitView) | undefined => {
    const open = stores;
    if (open === undefined) return undefined;
    let made: LimitView | undefined;
    return () => (made ??= new LimitView(next, open, new BanBook(open.lasting), clock));
  };

  return {
    name: 'policy',
    async start() {
      const key = await scopeKeyOf(config);
      stores = await openLimitStores(config.redis);
      const bans = new BanBook(stores.lasting);
      connection = await connect();
      shared = await openSharedStores(config.redis, (error) => {
        metrics.failures.with({ kind: 'redis' }).inc();
        log.debug('policy.redis.failed', { reason: error.message });
      });
      const { redis, lasting } = shared;
      const answers = sharedAnswers(redis);
      const resolver = new SwitchingResolver(clock, { servers: await dnsServersOf(config) }, (settings) =>
        createDnsClient({
          clock,
          ...settings,
          metrics: observeDns(log, metrics),
          ...(settings.ownCacheOnly === true ? {} : { secondTier: answers }),
        }),
      );
      const opened = await openTools({ config: config.policy, clock, resolver, redis, lasting, log, metrics });
      closeTools = opened.close;
      useAsn = opened.useAsn;
      directory = await openDirectory(connection);
      const recordings = redisRecordings(redis);
      const ruleObserver = observeRules(log, metrics);
      judge = createJudge({
        clock,
        resolver,
        directory,
        tools: opened.tools,
        observer: observeChecks(log, metrics),
        askRules: createRuleRunner(clock, ruleObserver),
        supposeRules: createRuleRunner(clock, { ...ruleObserver, decided: () => undefined }),
        pod: config.policy.podName,
        inlineLimit: config.policy.inlineLimit,
        concurrency: config.policy.concurrency,
        snapshot: () => snapshot,
        openDigests: () => digests.open(),
        recorder: createRecorder(clock, recordings, {
          recorded: (result) => metrics.recordings.with({ result }).inc(),
        }),
      });
      watch = await watchConfig(connection, resolver);
      // Edges keep one stream for as long as they live and look for new pods themselves: an age limit would only break streams.
      server = createServer({
        telemetry,
        interceptors: [requireScope({ key, clock })],
        clock,
        connectionAgeMs: noConnectionAge,
      });
      const { podName: pod, credit } = config.policy;
      const observer = observeServer(log, metrics);
      server.add(
        policyService,
        policyHandlers({
          ...{ judge, snapshot: () => snapshot, clock, pod, credit, draining: draining.signal, observer },
          ...{ recordings, maxHops: config.policy.maxHops, maxLineLength: config.policy.maxLineLength },
        }),
      );
      server.add(
        LimitServiceService,
        limitHandlers({
          bans,
          greylist: new GreylistDesk(lasting),
          suspicions: new SuspicionBook(stores.lasting),
          staleRules: () => snapshot?.rules.stale,
          view: () => limits?.(),
        }),
      );
      await server.listen(config.policy.listen);
      answerStatus(connection, 'policy', policyDependencies(stores, resolver, clock), clock);
    },
    async drain() {
      draining.abort();
      await server?.drain(config.lifecycle.drainTimeout);
    },
    async stop() {
      server?.stop();
      watch?.stop();
      directory?.stop();
      closeTools();
      await digests.stop();
      shared?.close();
      await stores?.close();
      await connection?.close();
    },
    ready() {
      const reasons: string[] = [];
      if (connection?.state() !== 'connected') reasons.push('not connected to NATS');
      if (snapshot === undefined) reasons.push(`no snapshot yet${refusal}`);
      return { ok: reasons.length === 0, reasons };
    },
  };
}
