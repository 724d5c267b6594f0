/**
 * Ports of a session without servers behind them, for tests of the dialogue: what was asked is kept, what is answered is set. The whole front
 * (listener, connection, parser) is the real one, on a free loopback port.
 */
import { type Clock, createUlidSource, systemClock, systemRandom } from '@postern/clock';
import { Snapshot } from '@postern/proto/config/v1/snapshot';
import type { Envelope } from '@postern/proto/mail/v1/envelope';
import { ContentPlan, type EvaluateRequest, EvaluateResponse } from '@postern/proto/policy/v1/policy_service';
import type { ChallengeMaterial, CredentialAnswer, CredentialQuestion, LoginStanding } from '../credentials.js';
import type { EdgeEventFacts, EdgeEventName, Journal } from '../journal.js';
import { type Listener, type ListenerContext, type ListenerOptions, openListener } from '../listener.js';
import { MisconfigurationGuard } from '../misconfiguration.js';
import type { PolicyAnswer } from '../policy-port.js';
import { createPreludeGate } from '../prelude.js';
import { createRuleObserver } from '../rules/rule-observer.js';
import type { Session, SessionServices } from '../session.js';
import { defaultSessionSettings, type SessionSettings } from '../session-settings.js';
import type { Opening } from '../smtp/place.js';
import { compileSnapshot } from '../snapshot/compile.js';
import type { SpoolResult } from '../spool.js';
import type { TlsMaterial } from '../tls/certificate-files.js';
import { userMaterial, verifyUser } from './accounts.js';
import { testCertificate } from './certificate.js';
import { dialogListeners } from './dialog-listeners.js';
import { onePodLimits } from './one-pod-limits.js';

export interface StoredMessage {
  readonly envelope: Envelope;
  readonly body: Buffer;
}

export interface RecordedEvent {
  readonly event: EdgeEventName;
  readonly facts: EdgeEventFacts | undefined;
  readonly session: Session;
}

export const testSnapshot = Snapshot.fromPartial({
  version: 7,
  hostname: 'mx.postern.test',
  domains: [
    { name: 'example.test', tenant: 'acme', validateRecipients: true },
    { name: 'xn--bcher-kva.test', tenant: 'acme' },
    { name: 'suspended.test', tenant: 'gone' },
  ],
  tenants: [
    { name: 'acme', state: 'active' },
    { name: 'gone', state: 'suspended' },
  ],
  limits: { messageSize: 1_048_576, recipients: 5, errorsPerSession: 6 },
  listeners: dialogListeners,
});

/** Accepts every recipient it is asked about. */
export function acceptAll(request: EvaluateRequest, plan = ContentPlan.NONE): PolicyAnswer {
  const asked = request.facts?.recipients.filter((recipient) => recipient.asked) ?? [];
  return {
    kind: 'verdict',
    verdict: EvaluateResponse.fromPartial({
      sessionId: request.sessionId,
      sequence: request.sequence,
      recipients: asked.map(({ address }) => ({ address, decision: { action: 1 } })),
      contentPlan: plan,
    }),
  };
}

export class Doubles {
  readonly journal: Journal = {
    record: (event, session, facts) => void this.events.push({ event, facts, session }),
  };
  readonly stored: StoredMessage[] = [];
  readonly events: RecordedEvent[] = [];
  readonly asked: EvaluateRequest[] = [];
  readonly logins: CredentialQuestion[] = [];
  readonly ended: string[] = [];
  snapshot: ReturnType<typeof compileSnapshot> | undefined = compileSnapshot(testSnapshot);
  evaluate: (request: EvaluateRequest) => PolicyAnswer | Promise<PolicyAnswer> = (request) => acceptAll(request);
  material: ChallengeMaterial = userMaterial;
  verify: (question: CredentialQuestion) => CredentialAnswer | Promise<CredentialAnswer> = verifyUser;
  standing: (username: string) => LoginStanding = (user) => ({ kind: 'usable', user, tenant: 'acme' });
  spoolResult: SpoolResult = { kind: 'stored' };
  /** Waited for before a message is stored. */
  beforeStored: (() => Promise<void>) | undefined;
  opening: () => Opening | Promise<Opening> = () => ({ kind: 'admitted', release: () => this.released++ });
  /** Takes the place of `opening`. */
  admit: ((session: Session) => Promise<Opening>) | undefined;
  released = 0;
  tls: TlsMaterial = {
    certificates: [{ name: 'default', ...testCertificate, names: [], expiresAtMs: Number.POSITIVE_INFINITY }],
    ticketSeed: undefined,
  };
  readonly refusedBeforeTls: string[] = [];
  readonly suspicions: string[] = [];
  readonly refusedSettings: string[] = [];
  draining = false;
  overloaded: string | undefined;
  /** The set every client is in. */
  ipSet: string | undefined;
  abuse: SessionServices['abuse'] = {
    banned: () => undefined,
    isTrusted: () => false,
    failed: () => undefined,
    tarpitMs: () => 0,
    beforeBanner: () => undefined,
    delivered: () => undefined,
  };
  /** Undefined = of one pod, by the snapshot. */
  messageLimits: SessionServices['messageLimits'] | undefined;
  aborted = 0;
  /** `event action` of what rules decided. */
  readonly ruled: string[] = [];
  clock: Clock = systemClock;

  /** Client and reason of every handshake that came to nothing. */
  get tlsFailures(): readonly string[] {
    return this.events
      .filter(({ event }) => event === 'edge.tls.failed')
      .map(({ facts, session }) => `${session.clientAddress} ${facts?.detail?.reason}`);
  }

  /** Fields of a snapshot, partial ones allowed, over the test's own. */
  setSnapshot(change: object): void {
    const next = Snapshot.fromPartial({ ...testSnapshot, ...change });
    this.snapshot = compileSnapshot(
      next,
      undefined,
      createRuleObserver(
        () => this.journal,
        (event, action) => this.ruled.push(`${event} ${action}`),
      ),
    );
  }

  services(settings: Partial<SessionSettings> = {}): SessionServices {
    const { inlineLimit } = { ...defaultSessionSettings, ...settings };
    return {
      clock: this.clock,
      random: systemRandom,
      ids: createUlidSource(systemClock, systemRandom),
      settings: { ...defaultSessionSettings, podName: 'pod.postern.test', ...settings },
      snapshot: () => this.snapshot,
      isDraining: () => this.draining,
      overload: (isTrusted) => (isTrusted ? undefined : this.overloaded),
      abuse: {
        banned: (session) => this.abuse.banned(session),
        isTrusted: (session) => this.abuse.isTrusted(session),
        failed: (session, kind) => this.abuse.failed(session, kind),
        tarpitMs: (session) => this.abuse.tarpitMs(session),
        beforeBanner: (session) => this.abuse.beforeBanner(session),
        delivered: (session) => this.abuse.delivered(session),
      },
      messageLimits: this.messageLimits ?? onePodLimits(this.clock, () => this.snapshot),
      journal: this.journal,
      credentials: {
        material: async () => this.material,
        standing: async (username) => this.standing(username),
        verify: async (question) => {
          this.logins.push(question);
          return this.verify(question);
        },
      },
      policy: {
        evaluate: async (request) => {
          this.asked.push(request);
          return this.evaluate(request);
        },
        content: (request) => {
          const parts: Buffer[] = [];
          return {
            write: (content) => void parts.push(Buffer.from(content)),
            finish: async (size) => {
              const whole = { ...request, content: Buffer.concat(parts), contentSize: size };
              this.asked.push(whole);
              return this.evaluate(whole);
            },
            cancel: () => undefined,
          };
        },
        end: (sessionId) => void this.ended.push(sessionId),
      },
      spool: {
        open: () => {
          const parts: Buffer[] = [];
          let size = 0;
          return {
            get isLarge() {
              return size > inlineLimit;
            },
            write: (content) => {
              size += content.length;
              parts.push(Buffer.from(content));
              return undefined;
            },
            head: () => Buffer.concat(parts),
            commit: async (envelope) => {
              await this.beforeStored?.();
              if (this.spoolResult.kind === 'stored') this.stored.push({ envelope, body: Buffer.concat(parts) });
              return this.spoolResult;
            },
            abort: () => void this.aborted++,
          };
        },
      },
    };
  }

  listen(options: Partial<ListenerOptions> = {}, settings: Partial<SessionSettings> = {}): Promise<Listener> {
    const context: ListenerContext = {
      services: this.services(settings),
      tls: () => this.tls,
      guard: new MisconfigurationGuard({
        clock: this.clock,
        onSuspected: (_listener, kind, address) => void this.suspicions.push(`${kind} ${address}`),
      }),
      admit: async (session) => {
        session.ipSet = this.ipSet;
        return this.admit === undefined ? this.opening() : this.admit(session);
      },
      enterPrelude: createPreludeGate({
        snapshot: () => this.snapshot,
        abuse: { banned: (client) => this.abuse.banned(client) },
        onRefused: (outcome) => void this.refusedBeforeTls.push(outcome),
      }),
      onRefused: (_listener, reason) => void this.refusedSettings.push(reason),
      onOpened: () => undefined,
      onShut: () => undefined,
      traceparent: () => '00-00000000000000000000000000000001-0000000000000001-00',
    };
    return openListener(
      { name: 'mx', role: 'mx', host: '127.0.0.1', port: 0, proxyProtocol: false, ...options },
      context,
    );
  }
}
