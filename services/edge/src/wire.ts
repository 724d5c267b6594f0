/**
 * The whole dependency graph of the edge in reading order; its parts are in `pod/`. Nothing listens here; `start` connects and opens the listeners.
 * What was opened is closed in the opposite order, also where the start came to nothing.
 */
import { createUlidSource, systemClock, systemRandom } from '@postern/clock';
import { SuspicionBook } from '@postern/flow-control';
import type { Service } from '@postern/lifecycle';
import { answerStatus, type StreamConnection } from '@postern/stream';
import type { Telemetry } from '@postern/telemetry';
import { createAdmission } from './admission.js';
import type { EdgeConfig } from './config.js';
import { createCredentialClient } from './credential-client.js';
import { edgeDependencies } from './dependencies.js';
import type { EdgeLogEvent } from './events.js';
import type { Journal } from './journal.js';
import { openLimits } from './limits-store.js';
import { withLoginCache } from './login-cache.js';
import { memoryUse } from './memory-use.js';
import { createMessageLimits } from './message-limits.js';
import { edgeMetrics, sessionActions, sessionEvents } from './metrics.js';
import { MisconfigurationGuard } from './misconfiguration.js';
import type { OverloadWatch } from './overload.js';
import { KerberosTickets } from './pod/kerberos-tickets.js';
import { PodListeners } from './pod/listeners.js';
import { openMisuse } from './pod/misuse.js';
import {
  connectNats,
  openCredentials,
  openPolicy,
  type PolicyPods,
  scopeSource,
  traceSender,
} from './pod/neighbours.js';
import { SnapshotInUse } from './pod/snapshot-in-use.js';
import { openSpool } from './pod/spool-ports.js';
import { createPreludeGate } from './prelude.js';
import { createRuleObserver } from './rules/rule-observer.js';
import type { SessionServices } from './session.js';
import { settingsOf } from './session-settings.js';
import { createTelemetryJournal } from './telemetry-journal.js';
import { createTraceBatcher } from './trace-batcher.js';

export function wire(config: EdgeConfig, telemetry: Telemetry<EdgeLogEvent>): Service {
  const { log } = telemetry;
  const clock = systemClock;
  const metrics = edgeMetrics(telemetry.metrics);
  const settings = settingsOf(config.edge);
  const opened: (() => void | Promise<void>)[] = [];
  let draining = false;
  let everReady = false;
  let load: OverloadWatch | undefined;
  let connection: StreamConnection | undefined;
  let policy: PolicyPods | undefined;
  let journal: Journal | undefined;
  let suspicionBook: SuspicionBook | undefined;
  const tickets = new KerberosTickets(log);
  const ruleObserver = createRuleObserver(
    () => journal,
    (decidedAt, kind) => {
      const event = sessionEvents.find((one) => one === decidedAt);
      const action = sessionActions.find((one) => one === kind);
      if (event !== undefined && action !== undefined) metrics.rules.with({ event, action }).inc();
    },
  );
  const inUse = new SnapshotInUse({
    clock,
    log,
    metrics,
    ruleObserver,
    onChanged: (next) => {
      tickets.look(next);
      listeners.update();
    },
  });
  const snapshot = () => inUse.current;
  const listeners = new PodListeners({ config: config.edge, clock, telemetry, metrics, snapshot });
  metrics.sessions(() => listeners.sessions);
  metrics.policyPods(() => policy?.client.openPods() ?? 0);
  metrics.streamDamaged(() => Number(connection?.guard.damage() !== undefined));
  const guard = new MisconfigurationGuard({
    clock,
    onSuspected: (listener, kind, peer) => {
      metrics.suspicions.with({ kind }).inc();
      log.warn('edge.listener.suspected', { listener, kind, peer });
      // For `posternctl status`; the log has it in any case.
      suspicionBook?.note(listener, kind, peer).catch(() => undefined);
    },
  });

  return {
    name: 'edge',
    async start() {
      // First what needs no other server: a wrong setting is said at once.
      await listeners.readCertificates();
      await tickets.open(config.edge.gssapi, clock, metrics);
      const caller = { config, telemetry, scope: await scopeSource(config.scopeKeyFile, clock) };
      const streams = await connectNats(config.nats, log);
      connection = streams;
      opened.push(() => streams.close());
      const watch = await inUse.watch(streams);
      opened.push(() => watch.stop());
      const limits = await openLimits(config.redis, clock, (kind, reason, livePods) => {
        metrics.limitsLocal.set(kind === 'local' ? 1 : 0);
        const level = kind === 'local' ? 'warn' : 'info';
        log[level]('edge.limits.changed', { state: kind, reason, pods: livePods });
      });
      opened.push(() => limits.close());
      suspicionBook = new SuspicionBook(limits.lasting);
      const pods = await openPolicy(caller, clock, metrics);
      policy = pods;
      opened.push(() => pods.close());
      const { inlineLimit } = settings;
      const { spoolDeadline: deadlineMs, memoryLimit, workers } = config.edge;
      const memory = memoryUse(memoryLimit, workers.max);
      const spooling = { streams, clock, log, metrics, snapshot, inlineLimit, deadlineMs, memory };
      const { spool, overload } = await openSpool(spooling);
      load = overload;
      opened.push(() => overload.stop());
      const trace = createTraceBatcher({
        clock,
        send: traceSender(streams),
        onDropped: (count) => metrics.traceDropped.inc(count),
      });
      opened.push(() => trace.flush());
      const misuse = await openMisuse({ store: limits.lasting, clock, log, metrics, snapshot });
      opened.push(() => misuse.stop());
      const credentials = openCredentials(caller);
      opened.push(() => credentials.close());
      journal = createTelemetryJournal({ clock, log, metrics, trace });
      const { deadline, keepLogins: keepMs } = config.edge.credentials;
      const logins = withLoginCache(createCredentialClient(credentials, deadline), {
        clock,
        random: systemRandom,
        keepMs,
      });
      const services: SessionServices = {
        clock,
        random: systemRandom,
        ids: createUlidSource(clock, systemRandom),
        settings,
        snapshot,
        policy: pods.client,
        spool,
        credentials: misuse.guarded(logins),
        kerberos: tickets.acceptor,
        abuse: misuse.control,
        messageLimits: createMessageLimits({ rates: limits.rates, snapshot }),
        journal,
        isDraining: () => draining,
        overload: (isTrusted) => overload.reason(isTrusted),
      };
      const judging = { snapshot, abuse: misuse.control };
      opened.push(() => listeners.close());
      await listeners.open({
        services,
        guard,
        admit: createAdmission({
          ...judging,
          limiter: limits.limiter,
          overload: services.overload,
          isDraining: services.isDraining,
          onDecided: (outcome) => metrics.connections.with({ outcome }).inc(),
        }),
        enterPrelude: createPreludeGate({
          ...judging,
          onRefused: (outcome) => metrics.connections.with({ outcome }).inc(),
        }),
      });
      answerStatus(
        streams,
        'edge',
        edgeDependencies({ clock, policy: pods.client, credentials, limits, listeners, overload }),
        clock,
      );
    },
    async drain({ signal }) {
      draining = true;
      signal.addEventListener('abort', () => listeners.destroy());
      await listeners.drain();
    },
    async stop() {
      for (const close of opened.splice(0).reverse()) await close();
    },
    ready() {
      const reasons: string[] = [];
      if (inUse.current === undefined) reasons.push('no configuration snapshot yet');
      if (connection?.state() !== 'connected') reasons.push('NATS is away');
      // Policy away later is answered 451: no reason to take every edge out of service.
      if (!everReady && (policy?.client.openPods() ?? 0) === 0) reasons.push('no policy pod answered yet');
      const full = load?.leaveReason();
      if (full !== undefined) reasons.push(`too busy (${full}): everybody is put off`);
      if (reasons.length === 0) everReady = true;
      return { ok: reasons.length === 0, reasons };
    },
  };
}
