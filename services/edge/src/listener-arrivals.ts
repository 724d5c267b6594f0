/**
 * What comes in at one listener: makes a session of each connection, and tells under the id of the session it would have been of one that became none
 * (PROXY header, handshake, admission before it). Which port, which certificates and until when is the listener's.
 */
import type { EdgeEventFacts, EdgeEventName } from './journal.js';
import type { MisconfigurationGuard } from './misconfiguration.js';
import type { PreludeGate } from './prelude.js';
import { type ListenerFacts, openSession, type Session, type SessionServices, type TlsFacts } from './session.js';
import { EdgeConnection } from './smtp/connection.js';
import type { Opening } from './smtp/place.js';
import { goneBeforeHeader, noHeader, type ProxyExpectation } from './smtp/proxy-reader.js';
import { EdgeServer, type Endpoints, type ServerContext } from './smtp/server.js';
import { tlsFactsOf } from './tls/tls-facts.js';
import { goneInHandshake } from './tls/tls-failure.js';

export interface ArrivalContext {
  readonly services: SessionServices;
  admit(session: Session): Promise<Opening>;
  /** Before the handshake of implicit TLS. */
  readonly enterPrelude: PreludeGate;
  readonly guard: MisconfigurationGuard;
  traceparent(): string;
}

export interface ArrivalOptions {
  readonly facts: ListenerFacts;
  /** Every connection must begin with a PROXY header, whatever the snapshot says. */
  readonly proxyProtocol: boolean;
  /** Why connections that are no session yet are ended; undefined = they are not. */
  leaving(): string | undefined;
  /** A session ended. */
  onClosed(): void;
}

export class ListenerArrivals {
  readonly #options: ArrivalOptions;
  readonly #context: ArrivalContext;
  readonly server: EdgeServer;

  constructor(options: ArrivalOptions, context: ArrivalContext) {
    this.#options = options;
    this.#context = context;
    this.server = new EdgeServer({
      clock: context.services.clock,
      implicitTls: options.facts.role === 'submissions',
      proxyExpectation: (peer) => this.#expectation(peer),
      onProxyFailure: (endpoints, reason, reply) => {
        const leaving = options.leaving();
        if (reason === goneBeforeHeader && leaving !== undefined) return this.#cutOff(endpoints, leaving);
        if (reason === noHeader) context.guard.suspect(options.facts.name, 'missing_proxy', endpoints.remoteAddress);
        const told = reply === undefined ? ({ untraced: true } as const) : { reply };
        return this.#neverBegan('edge.proxy.refused', endpoints, { detail: { reason }, ...told });
      },
      enterPrelude: (endpoints) => this.#enterPrelude(endpoints),
      onTlsFailure: (endpoints, reason) => {
        const leaving = options.leaving();
        if (reason === goneInHandshake && leaving !== undefined) {
          this.#cutOff(endpoints, leaving);
          return;
        }
        const isUnexplained = reason === goneInHandshake ? ({ untraced: true } as const) : {};
        this.#neverBegan('edge.tls.failed', endpoints, { detail: { reason }, ...isUnexplained });
      },
      connection: (...made) => this.#connection(...made),
    });
  }

  #expectation(peer: string): ProxyExpectation | 'refused' {
    const snapshot = this.#context.services.snapshot();
    const trusted = snapshot?.isTrustedProxy(peer) === true;
    const { facts, proxyProtocol } = this.#options;
    const required = proxyProtocol || snapshot?.listener(facts).proxyProtocol === true;
    if (required) return trusted ? 'required' : 'refused';
    return trusted ? 'optional' : 'none';
  }

  #cutOff(endpoints: Endpoints, reason: string): string {
    return this.#neverBegan('edge.session.refused', endpoints, { detail: { reason }, untraced: true });
  }

  #enterPrelude(endpoints: Endpoints): (() => void) | undefined {
    const { facts } = this.#options;
    const entry = this.#context.enterPrelude({ listener: facts, clientAddress: endpoints.remoteAddress });
    if (entry.kind === 'entered') return entry.leave;
    const { reason, limit } = entry;
    const limited = limit === undefined ? {} : { limit };
    this.#neverBegan('edge.session.refused', endpoints, { detail: { reason }, ...limited });
    return undefined;
  }

  /** Tells of a connection that became no session, under the id of the one it would have been; gives that id. */
  #neverBegan(event: EdgeEventName, endpoints: Endpoints, facts: EdgeEventFacts): string {
    const session = this.#session(endpoints, endpoints.proxyTls);
    this.#context.services.journal.record(event, session, facts);
    return session.id;
  }

  #session(endpoints: Endpoints, tls: TlsFacts | undefined): Session {
    const { services } = this.#context;
    return openSession({
      id: services.ids(),
      listener: this.#options.facts,
      clientAddress: endpoints.remoteAddress,
      clientPort: endpoints.remotePort,
      localAddress: endpoints.localAddress,
      localPort: endpoints.localPort,
      startedAtMs: services.clock.now(),
      traceparent: this.#context.traceparent(),
      tls,
      ...(endpoints.proxyAuthority === undefined ? {} : { proxyAuthority: endpoints.proxyAuthority }),
    });
  }

  #connection(...[base, socket, endpoints]: Parameters<ServerContext['connection']>): EdgeConnection {
    const { services, guard } = this.#context;
    const { facts } = this.#options;
    const session = this.#session(endpoints, tlsFactsOf(socket) ?? endpoints.proxyTls);
    session.addressSuspected = guard.session(facts.name, session.peerAddress);
    return new EdgeConnection(
      base,
      socket,
      { ...endpoints, id: session.id },
      {
        services,
        session,
        canStartTls: () => this.server.hasTls && facts.role !== 'submissions',
        chooseContext: (raw, upgrade) => this.server.chooseContext(raw, upgrade, () => undefined),
        onUnexpectedProxy: () => guard.suspect(facts.name, 'unexpected_proxy', session.peerAddress),
        open: this.#context.admit,
        onClosed: (connection) => {
          this.server.sessions.delete(connection);
          services.policy.end(session.id);
          services.journal.record('edge.session.closed', session);
          this.#options.onClosed();
        },
      },
    );
  }
}
