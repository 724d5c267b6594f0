/**
 * One listener: a name, a role, an address. Accepts, makes the session, asks admission before the banner, sweeps deadlines, drains.
 * Roles: `mx` and `submission` speak in plain and offer STARTTLS where there is a certificate; `submissions` is TLS from the first byte
 * (RFC 8314 §3.3) and does not start without a certificate.
 */
import type { Timer } from '@postern/clock';
import { type ListenerFacts, openSession, type Session, type SessionServices } from './session.js';
import type { Opening } from './smtp/connection.js';
import { EdgeConnection, tlsFactsOf } from './smtp/connection.js';
import { deadlines } from './smtp/deadlines.js';
import type { ProxyExpectation } from './smtp/proxy-reader.js';
import { EdgeServer, type ServerTls } from './smtp/server.js';

export interface ListenerOptions extends ListenerFacts {
  readonly host: string;
  readonly port: number;
  /** Every connection must begin with a PROXY header, whatever the snapshot says. */
  readonly proxyProtocol: boolean;
}

export interface ListenerContext {
  readonly services: SessionServices;
  readonly tls: ServerTls | undefined;
  admit(session: Session): Promise<Opening>;
  onProxyFailure(listener: string, peerAddress: string, reason: string): void;
  traceparent(): string;
}

export interface Listener {
  readonly facts: ListenerFacts;
  readonly host: string;
  readonly port: number;
  /** Sessions now. */
  readonly sessions: number;
  /** New certificate for new handshakes. */
  updateTls(tls: ServerTls): void;
  /** Stops accepting, sends idle clients away; resolves when the last session ended. */
  drain(): Promise<void>;
  /** Ends what still runs. */
  destroy(): void;
}

function expectation(options: ListenerOptions, context: ListenerContext, peer: string): ProxyExpectation | 'refused' {
  const snapshot = context.services.snapshot();
  const trusted = snapshot?.isTrustedProxy(peer) === true;
  const required = options.proxyProtocol || snapshot?.listener(options).proxyProtocol === true;
  if (required) return trusted ? 'required' : 'refused';
  return trusted ? 'optional' : 'none';
}

export async function openListener(options: ListenerOptions, context: ListenerContext): Promise<Listener> {
  const { services } = context;
  const facts: ListenerFacts = { name: options.name, role: options.role };
  const implicitTls = options.role === 'submissions';
  if (implicitTls && context.tls === undefined) {
    throw new Error(
      `edge.listeners: ${options.name} has role submissions, which needs edge.tls.certFile and edge.tls.keyFile`,
    );
  }
  let emptied: (() => void) | undefined;
  let draining = false;
  const server: EdgeServer = new EdgeServer({
    clock: services.clock,
    implicitTls,
    tls: context.tls,
    proxyExpectation: (peer) => expectation(options, context, peer),
    onProxyFailure: (peer, reason) => context.onProxyFailure(options.name, peer, reason),
    connection: (base, socket, endpoints) => {
      const session = openSession({
        id: services.ids(),
        listener: facts,
        clientAddress: endpoints.remoteAddress,
        clientPort: endpoints.remotePort,
        localAddress: endpoints.localAddress,
        localPort: endpoints.localPort,
        startedAtMs: services.clock.now(),
        traceparent: context.traceparent(),
        tls: tlsFactsOf(socket),
      });
      return new EdgeConnection(base, socket, endpoints, {
        services,
        session,
        canStartTls: () => context.tls !== undefined && !implicitTls,
        open: context.admit,
        onClosed: (connection) => {
          server.sessions.delete(connection);
          services.policy.end(session.id);
          services.journal.record('edge.session.closed', session);
          if (draining && server.sessions.size === 0) emptied?.();
        },
      });
    },
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    server.server.once('error', reject);
    server.listen({ host: options.host, port: options.port, backlog: 4_096 }, () => {
      server.server.off('error', reject);
      resolve();
    });
  });
  const bound = server.server.address();
  const sweep: Timer = services.clock.setInterval(
    deadlines.sweepMs,
    () => {
      const now = services.clock.monotonic();
      for (const connection of server.sessions) connection.checkDeadline(now);
    },
    { unref: true },
  );
  return {
    facts,
    host: options.host,
    port: bound !== null && typeof bound === 'object' ? bound.port : options.port,
    get sessions() {
      return server.sessions.size;
    },
    updateTls: (tls) => server.updateSecureContext({ key: tls.key, cert: tls.cert }),
    async drain() {
      draining = true;
      server.server.close();
      for (const socket of server._pendingSockets.values()) socket.destroy();
      for (const connection of server.sessions) connection.drain();
      if (server.sessions.size > 0) await new Promise<void>((resolve) => (emptied = resolve));
      sweep.cancel();
    },
    destroy() {
      sweep.cancel();
      for (const connection of server.sessions) connection.destroy();
    },
  };
}
