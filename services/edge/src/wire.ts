/** The whole dependency graph of the edge in reading order. Nothing listens here; `start` connects and opens the listeners. */
import { createBodyStore } from '@postern/body-store';
import { createUlidSource, systemClock, systemRandom, type Timer } from '@postern/clock';
import { formatHostPort, readSecret, readSecretBytes } from '@postern/config';
import { BanBook, BanList, ErrorCounts, LoginAttempts, SuspicionBook } from '@postern/flow-control';
import { termsCompilers } from '@postern/flow-control/session';
import { createClient, createScopeSource } from '@postern/grpc';
import type { Service } from '@postern/lifecycle';
import type { Snapshot } from '@postern/proto/config/v1/snapshot';
import { CredentialServiceClient } from '@postern/proto/directory/v1/credential_service';
import { PolicyServiceClient } from '@postern/proto/policy/v1/policy_service';
import {
  answerStatus,
  connectStreams,
  createFillReader,
  createPublisher,
  openBucket,
  type SnapshotWatch,
  type StreamConnection,
  traceSubject,
  watchSnapshot,
} from '@postern/stream';
import { formatTraceparent, type Telemetry } from '@postern/telemetry';
import { createAbuseControl } from './abuse/abuse-control.js';
import { KnownClients } from './abuse/known-clients.js';
import { withLoginGuard } from './abuse/login-guard.js';
import { createAdmission } from './admission.js';
import { type EdgeConfig, moreListenersHere } from './config.js';
import { createCredentialClient } from './credential-client.js';
import { edgeDependencies } from './dependencies.js';
import type { EdgeLogEvent } from './events.js';
import { GroupCommit } from './group-commit.js';
import type { Journal } from './journal.js';
import { type Limits, openLimits } from './limits-store.js';
import { type Listener, type ListenerContext, openListener } from './listener.js';
import { withLoginCache } from './login-cache.js';
import { createMessageLimits } from './message-limits.js';
import { edgeMetrics, sessionActions, sessionEvents } from './metrics.js';
import { MisconfigurationGuard } from './misconfiguration.js';
import { createNatsSpool } from './nats-spool.js';
import { type OverloadWatch, watchOverload } from './overload.js';
import { createPolicyClient, type PolicyClient } from './policy-client.js';
import { type PodDirectory, watchPods } from './policy-pods.js';
import { createPreludeGate, type PreludeGate } from './prelude.js';
import { createRuleObserver } from './rules/rule-observer.js';
import type { KerberosAcceptor } from './sasl/gssapi/acceptor.js';
import { openKerberos } from './sasl/gssapi/open.js';
import type { SessionServices } from './session.js';
import { defaultSessionSettings, type SessionSettings } from './session-settings.js';
import { type CompiledSnapshot, compileSnapshot } from './snapshot/compile.js';
import { readableSnapshot } from './snapshot/readable-networks.js';
import { SpoolLatency } from './spool-latency.js';
import { createTelemetryJournal } from './telemetry-journal.js';
import { type CertificateFiles, readTlsMaterial, type TlsMaterial, watchTlsMaterial } from './tls/certificate-files.js';
import { createTraceBatcher, type TraceBatcher } from './trace-batcher.js';

type EdgeTelemetry = Telemetry<EdgeLogEvent>;

/** Messages to policy hold a whole inline message and its facts. */
const maxPolicyMessage = 8 * 1024 * 1024;

function settingsOf({ edge }: EdgeConfig): SessionSettings {
  return {
    ...defaultSessionSettings,
    podName: edge.podName,
    inlineLimit: edge.inlineLimit,
    maxLineLength: edge.maxLineLength,
    maxHops: edge.maxHops,
    maxAuthFailures: edge.maxAuthFailures,
    policyDeadlineMs: edge.policy.deadline,
    contentDeadlineMs: edge.policy.contentDeadline,
  };
}

const namesGssapi = ({ listeners }: Snapshot): boolean =>
  listeners.some(({ authMechanismsTls, authMechanismsPlain }) =>
    [...authMechanismsTls, ...authMechanismsPlain].includes('GSSAPI'),
  );

export function wire(config: EdgeConfig, telemetry: EdgeTelemetry): Service {
  const { log } = telemetry;
  const clock = systemClock;
  const metrics = edgeMetrics(telemetry.metrics);
  const settings = settingsOf(config);
  let snapshot: CompiledSnapshot | undefined;
  /** What it was made of. */
  let readable: Snapshot | undefined;
  let draining = false;
  let everReady = false;
  let connection: StreamConnection | undefined;
  let watch: SnapshotWatch | undefined;
  let limits: Limits | undefined;
  let bans: BanList | undefined;
  let policy: PolicyClient | undefined;
  let pods: PodDirectory | undefined;
  let overload: OverloadWatch | undefined;
  let certificateTimer: Timer | undefined;
  let trace: TraceBatcher | undefined;
  let journal: Journal | undefined;
  let material: TlsMaterial = { certificates: [], ticketSeed: undefined };
  let kerberos: KerberosAcceptor | undefined;
  let kerberosReason = 'edge.gssapi is not set';
  let isHiddenSaid = false;
  let closeCredentials: () => void = () => undefined;
  const listeners: Listener[] = [];
  metrics.sessions(() => listeners.reduce((sum, listener) => sum + listener.sessions, 0));
  metrics.policyPods(() => policy?.openPods() ?? 0);
  metrics.streamDamaged(() => Number(connection?.guard.damage() !== undefined));

  let suspicionBook: SuspicionBook | undefined;
  const guard = new MisconfigurationGuard({
    clock,
    onSuspected: (listener, kind, peer) => {
      metrics.suspicions.with({ kind }).inc();
      log.warn('edge.listener.suspected', { listener, kind, peer });
      // For `posternctl status`; the log has it in any case.
      suspicionBook?.note(listener, kind, peer).catch(() => undefined);
    },
  });

  const updateListener = (listener: Listener): void => {
    listener.update().catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      log.error('edge.listener.refused', { listener: listener.facts.name, reason });
    });
  };

  /** Settings for a port nobody has, or a port without settings: a name was misspelt on one of the two sides. */
  /** Once all listeners are open; each name once. */
  let unmatched: ReadonlySet<string> = new Set();
  const reportUnmatched = (): void => {
    if (snapshot === undefined || certificateTimer === undefined) return;
    const here = listeners.map(({ facts }) => facts.name);
    const settings = snapshot.listenerNames;
    const found = [
      ...settings.filter((name) => !here.includes(name)).map((name) => ({ listener: name, side: 'settings' })),
      ...here.filter((name) => !settings.includes(name)).map((name) => ({ listener: name, side: 'port' })),
    ];
    for (const one of found) if (!unmatched.has(one.listener)) log.warn('edge.listener.unmatched', one);
    unmatched = new Set(found.map(({ listener }) => listener));
  };

  const openTickets = async (): Promise<void> => {
    const { gssapi } = config.edge;
    if (gssapi === undefined) return;
    const opened = await openKerberos({
      keytab: gssapi.keytabFile,
      replayCacheDirectory: gssapi.replayCacheDirectory,
      libraryFile: gssapi.libraryFile,
      clock,
      deadlineMs: gssapi.deadline,
      onCall: (outcome, seconds) => metrics.kerberosSeconds.with({ outcome }).observe(seconds),
    });
    if (opened.kind === 'open') {
      kerberos = opened.acceptor;
      log.info('edge.kerberos.opened', {});
    } else {
      kerberosReason = opened.reason;
      sayHidden();
    }
  };
  const sayHidden = (): void => {
    if (isHiddenSaid) return;
    isHiddenSaid = true;
    log.warn('edge.kerberos.hidden', { reason: kerberosReason });
  };

  const scopeOf = async (): Promise<(() => string) | undefined> => {
    if (config.scopeKeyFile === undefined) return undefined;
    return createScopeSource({ service: 'edge', key: await readSecretBytes(config.scopeKeyFile), clock });
  };

  const connectNats = async (): Promise<StreamConnection> => {
    const { nats } = config;
    const tlsCa = nats.tlsCaFile === undefined ? undefined : await readSecret(nats.tlsCaFile);
    return connectStreams({
      servers: nats.servers.map(formatHostPort),
      user: 'edge',
      login: nats.user,
      password: nats.passwordFile === undefined ? '' : await readSecret(nats.passwordFile),
      ...(tlsCa === undefined ? {} : { tlsCa }),
      onState: (state, detail) => log.warn('edge.stream.changed', { state, detail }),
    });
  };

  const ruleCompilers = termsCompilers();
  const ruleObserver = createRuleObserver(
    () => journal,
    (decidedAt, kind) => {
      const event = sessionEvents.find((one) => one === decidedAt);
      const action = sessionActions.find((one) => one === kind);
      if (event !== undefined && action !== undefined) metrics.rules.with({ event, action }).inc();
    },
  );

  const watchConfig = async (streams: StreamConnection): Promise<SnapshotWatch> =>
    watchSnapshot(await openBucket(streams, clock, 'CONFIG'), {
      onSnapshot: (stored) => {
        const { snapshot: next, refused } = readableSnapshot(stored, readable);
        snapshot = compileSnapshot(next, ruleCompilers, ruleObserver);
        readable = next;
        for (const reason of refused) log.error('edge.networks.stale', { version: next.version, reason });
        if (kerberos === undefined && namesGssapi(next)) sayHidden();
        for (const listener of listeners) updateListener(listener);
        reportUnmatched();
        metrics.snapshotVersion.set(next.version);
        log.info('edge.snapshot.applied', { version: next.version });
        const { stale } = snapshot.rules;
        if (stale !== undefined) log.error('edge.rules.stale', { version: next.version, reason: stale });
      },
      onRefused: (reason) => {
        metrics.snapshotRefused.inc();
        log.error('edge.snapshot.refused', { reason });
      },
    });

  const openPolicy = async (scope: (() => string) | undefined): Promise<PolicyClient> => {
    const client = createPolicyClient({
      clock,
      connect: (address) =>
        createClient(PolicyServiceClient, {
          address,
          telemetry,
          deadlineMs: settings.policyDeadlineMs,
          unavailable: 'policy-unavailable',
          maxMessageBytes: maxPolicyMessage,
          ...(scope === undefined ? {} : { scope }),
        }),
      onPod: (address, isOpen) => log.info(isOpen ? 'edge.policy.opened' : 'edge.policy.lost', { address }),
      onAnswer: (outcome, seconds) => metrics.policySeconds.with({ outcome }).observe(seconds),
    });
    pods = await watchPods(config.edge.policy.addresses, clock, (addresses) => client.use(addresses));
    return client;
  };

  const sendTrace =
    (streams: StreamConnection) =>
    (bytes: Uint8Array): boolean => {
      if (streams.state() !== 'connected' || streams.nats.isClosed()) return false;
      streams.nats.publish(traceSubject('edge'), bytes);
      return true;
    };

  const readMaterial = (): Promise<TlsMaterial> => {
    const { tls, certificates, ticketKeyFile } = config.edge;
    const files: CertificateFiles[] = tls === undefined ? [] : [{ name: 'default', ...tls }];
    return readTlsMaterial([...files, ...certificates], ticketKeyFile);
  };

  const openListeners = async (
    services: SessionServices,
    admit: ListenerContext['admit'],
    enterPrelude: PreludeGate,
  ): Promise<void> => {
    const all = [...config.edge.listeners, ...moreListenersHere(config.edge)];
    const twice = all.find(({ name }, at) => all.findIndex((one) => one.name === name) !== at);
    if (twice !== undefined) throw new Error(`edge.moreListeners: the name ${twice.name} is given twice`);
    for (const { address, ...listener } of all) {
      const opened = await openListener(
        { ...listener, host: address.host, port: address.port, sharesPort: config.edge.workers.max > 1 },
        {
          services,
          tls: () => material,
          guard,
          admit,
          enterPrelude,
          onProxyFailure: (name, peer, reason, sessionId) => {
            metrics.proxyRefused.inc();
            log.warn('edge.proxy.refused', { listener: name, peer, reason, session_id: sessionId });
          },
          onTlsFailure: (name, peer, reason) => {
            metrics.tlsFailures.inc();
            log.info('edge.tls.failed', { listener: name, peer, reason });
          },
          onRefused: (name, reason) => log.error('edge.listener.refused', { listener: name, reason }),
          onOpened: ({ facts, host, port }) =>
            log.info('edge.listener.opened', { listener: facts.name, role: facts.role, host, port }),
          onShut: ({ facts }) => log.info('edge.listener.shut', { listener: facts.name }),
          traceparent: () => formatTraceparent(telemetry.tracer.startSpan('edge.session')),
        },
      );
      listeners.push(opened);
    }
    certificateTimer = watchTlsMaterial(readMaterial, material, clock, {
      onChanged: (changed) => {
        material = changed;
        for (const listener of listeners) updateListener(listener);
        metrics.certificates.inc();
        log.info('edge.certificate.replaced');
      },
      onRefused: (reason) => log.error('edge.certificate.refused', { reason }),
    });
    reportUnmatched();
  };

  return {
    name: 'edge',
    async start() {
      // First what needs no other server: a wrong setting is said at once.
      material = await readMaterial();
      await openTickets();
      const scope = await scopeOf();
      const streams = await connectNats();
      connection = streams;
      watch = await watchConfig(streams);
      limits = await openLimits(config.redis, clock, (kind, reason, livePods) => {
        metrics.limitsLocal.set(kind === 'local' ? 1 : 0);
        log.warn('edge.limits.changed', { state: kind, reason, pods: livePods });
      });
      suspicionBook = new SuspicionBook(limits.lasting);
      policy = await openPolicy(scope);
      const fill = await createFillReader(streams);
      const latency = new SpoolLatency(clock);
      overload = watchOverload({
        clock,
        marks: () => snapshot?.overload,
        spoolLatencyMs: () => latency.read(),
        // What is damaged has no room for anybody.
        storage: async () => {
          const share = await fill('SPOOL');
          return streams.guard.damage() === undefined ? share : 2;
        },
        onChange: ({ shed, reason }) => {
          metrics.overloaded.set(shed === 'nobody' ? 0 : shed === 'strangers' ? 1 : 2);
          log.warn('edge.overload.changed', { shed, reason: reason || 'over' });
        },
      });
      trace = createTraceBatcher({
        clock,
        send: sendTrace(streams),
        onDropped: (count) => metrics.traceDropped.inc(count),
      });
      bans = new BanList({
        book: new BanBook(limits.lasting),
        clock,
        onState: (isReachable, reason) => log.warn('edge.bans.changed', { reachable: isReachable, reason }),
      });
      const known = bans;
      metrics.bansKnown(() => known.size);
      await bans.start();
      const abuse = createAbuseControl({
        snapshot: () => snapshot,
        bans,
        counts: new ErrorCounts({
          store: limits.lasting,
          clock,
          bans,
          onBanned: (client, kind, lengthMs, decidedBy) => {
            metrics.bans.with({ kind }).inc();
            log.warn('edge.client.banned', {
              client,
              kind,
              seconds: Math.round(lengthMs / 1_000),
              decided_by: decidedBy,
            });
          },
        }),
        known: new KnownClients(limits.lasting),
        clock,
      });
      const credentials = createClient(CredentialServiceClient, {
        address: formatHostPort(config.edge.credentials.address),
        telemetry,
        deadlineMs: config.edge.credentials.deadline,
        unavailable: 'credentials-unavailable',
        ...(scope === undefined ? {} : { scope }),
      });
      closeCredentials = () => credentials.close();
      journal = createTelemetryJournal({ clock, log, metrics, trace });
      const services: SessionServices = {
        clock,
        random: systemRandom,
        ids: createUlidSource(clock, systemRandom),
        settings,
        snapshot: () => snapshot,
        policy,
        spool: latency.watch(
          createNatsSpool({
            bodies: await createBodyStore(streams, clock),
            commits: new GroupCommit({
              publisher: createPublisher(streams, clock),
              clock,
              deadlineMs: config.edge.spoolDeadline,
              onWrite: (mails) => metrics.spooledTogether.observe(mails),
            }),
            inlineLimit: settings.inlineLimit,
            onCommitted: (seconds, outcome) => metrics.spoolSeconds.with({ outcome }).observe(seconds),
            now: () => clock.monotonic(),
          }),
        ),
        credentials: withLoginGuard(
          withLoginCache(createCredentialClient(credentials, config.edge.credentials.deadline), {
            clock,
            random: systemRandom,
            keepMs: config.edge.credentials.keepLogins,
          }),
          {
            attempts: new LoginAttempts(limits.lasting, clock),
            snapshot: () => snapshot,
            clock,
            onBarred: () => metrics.loginsBarred.inc(),
          },
        ),
        kerberos,
        abuse,
        messageLimits: createMessageLimits({
          rates: limits.rates,
          snapshot: () => snapshot,
        }),
        journal,
        isDraining: () => draining,
        overload: (isTrusted) => overload?.reason(isTrusted),
      };
      const admit = createAdmission({
        limiter: limits.limiter,
        overload: (isTrusted) => overload?.reason(isTrusted),
        abuse,
        snapshot: () => snapshot,
        isDraining: () => draining,
        onDecided: (outcome) => metrics.connections.with({ outcome }).inc(),
      });
      const enterPrelude = createPreludeGate({
        snapshot: () => snapshot,
        abuse,
        onRefused: (outcome) => metrics.connections.with({ outcome }).inc(),
      });
      await openListeners(services, admit, enterPrelude);
      answerStatus(streams, 'edge', edgeDependencies({ clock, policy, credentials, limits }), clock);
    },
    async drain({ signal }) {
      draining = true;
      signal.addEventListener('abort', () => {
        for (const listener of listeners) listener.destroy();
      });
      await Promise.all(listeners.map((listener) => listener.drain()));
    },
    async stop() {
      for (const listener of listeners) listener.destroy();
      certificateTimer?.cancel();
      trace?.flush();
      overload?.stop();
      pods?.stop();
      policy?.close();
      bans?.stop();
      closeCredentials();
      await limits?.close();
      watch?.stop();
      await connection?.close();
    },
    ready() {
      const reasons: string[] = [];
      if (snapshot === undefined) reasons.push('no configuration snapshot yet');
      if (connection?.state() !== 'connected') reasons.push('NATS is away');
      // Policy away later is answered 451: no reason to take every edge out of service.
      if (!everReady && (policy?.openPods() ?? 0) === 0) reasons.push('no policy pod answered yet');
      if (reasons.length === 0) everReady = true;
      return { ok: reasons.length === 0, reasons };
    },
  };
}
