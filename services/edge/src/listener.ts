/**
 * One listener: a name, a role, an address. Accepts, makes the session, asks admission before the banner, sweeps deadlines, drains. What the
 * snapshot says of it holds from the next connection on: TLS bounds, and whether its port is open at all.
 * Roles: `mx` and `submission` speak in plain and offer STARTTLS where there is a certificate; `submissions` is TLS from the first byte
 * (RFC 8314 §3.3) and does not start without a certificate.
 */
import type { Timer } from '@postern/clock';
import { formatHostPort, pathText } from '@postern/config';
import type { ListenerTls } from '@postern/proto/config/v1/snapshot';
import type { EdgeEventFacts, EdgeEventName } from './journal.js';
import { disagreements, type ListenerSection } from './listener-agreement.js';
import type { MisconfigurationGuard } from './misconfiguration.js';
import type { PreludeGate } from './prelude.js';
import { type ListenerFacts, openSession, type Session, type SessionServices, type TlsFacts } from './session.js';
import { EdgeConnection } from './smtp/connection.js';
import { sweepMs } from './smtp/deadlines.js';
import type { Opening } from './smtp/place.js';
import { goneBeforeHeader, noHeader, type ProxyExpectation } from './smtp/proxy-reader.js';
import { EdgeServer, type Endpoints, type ServerContext } from './smtp/server.js';
import type { Certificate, TlsMaterial } from './tls/certificate-files.js';
import { ticketEpoch } from './tls/ticket-keys.js';
import { createTlsContexts, usable } from './tls/tls-contexts.js';
import { tlsFactsOf } from './tls/tls-facts.js';
import { goneInHandshake } from './tls/tls-failure.js';

export interface ListenerOptions extends ListenerFacts {
  readonly host: string;
  readonly port: number;
  /** Where the pod has it. */
  readonly section?: ListenerSection;
  /** Other workers of this pod accept on it too. */
  readonly sharesPort?: boolean;
  /** Every connection must begin with a PROXY header, whatever the snapshot says. */
  readonly proxyProtocol: boolean;
}

export interface ListenerContext {
  readonly services: SessionServices;
  /** Certificates now. */
  tls(): TlsMaterial;
  admit(session: Session): Promise<Opening>;
  /** Before the handshake of implicit TLS. */
  readonly enterPrelude: PreludeGate;
  readonly guard: MisconfigurationGuard;
  /** Settings of the snapshot that cannot be carried out; the ones before stay. */
  onRefused(listener: string, reason: string): void;
  onOpened(listener: Listener): void;
  onShut(listener: Listener): void;
  traceparent(): string;
}

export interface Listener {
  readonly facts: ListenerFacts;
  readonly host: string;
  readonly port: number;
  /** Sessions now. */
  readonly sessions: number;
  /** What of its settings does not go together with what it is on this pod, or cannot be carried out. */
  readonly disagreements: readonly string[];
  /** Those it shows. */
  readonly certificates: readonly Certificate[];
  /** Takes over what snapshot, certificates and time say now. */
  update(): Promise<void>;
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

const sectionOf = ({ section = 'edge.listeners' }: ListenerOptions): ListenerSection => section;

const tryAgainMs = 10_000;

class EdgeListener implements Listener {
  readonly facts: ListenerFacts;
  readonly host: string;
  readonly #context: ListenerContext;
  readonly #options: ListenerOptions;
  readonly #server: EdgeServer;
  readonly #sweep: Timer;
  #port: number;
  #state: 'shut' | 'open' | 'draining' = 'shut';
  #tlsMark: readonly unknown[] = [];
  /** TLS settings that were taken. */
  #taken: { readonly settings: ListenerTls | undefined } | undefined;
  #certificates: readonly Certificate[] = [];
  #disagreements: readonly string[] = [];
  /** Why its TLS settings are not in use. */
  #refusedTls: readonly string[] = [];
  /** Why its port is not open although it should be. */
  #refusedPort: readonly string[] = [];
  #emptied: (() => void) | undefined;
  /** The port could not be opened then; it is tried again. */
  #triedMs: number | undefined;

  constructor(options: ListenerOptions, context: ListenerContext) {
    this.facts = { name: options.name, role: options.role };
    this.host = options.host;
    this.#port = options.port;
    this.#options = options;
    this.#context = context;
    const { clock } = context.services;
    this.#server = new EdgeServer({
      clock,
      implicitTls: options.role === 'submissions',
      proxyExpectation: (peer) => expectation(options, context, peer),
      onProxyFailure: (endpoints, reason, reply) => {
        if (reason === goneBeforeHeader && this.#leaving !== undefined) return this.#cutOff(endpoints, this.#leaving);
        if (reason === noHeader) context.guard.suspect(options.name, 'missing_proxy', endpoints.remoteAddress);
        const told = reply === undefined ? ({ untraced: true } as const) : { reply };
        return this.#neverBegan('edge.proxy.refused', endpoints, { detail: { reason }, ...told });
      },
      enterPrelude: (endpoints) => this.#enterPrelude(endpoints),
      onTlsFailure: (endpoints, reason) => {
        if (reason === goneInHandshake && this.#leaving !== undefined) {
          this.#cutOff(endpoints, this.#leaving);
          return;
        }
        const isUnexplained = reason === goneInHandshake ? ({ untraced: true } as const) : {};
        this.#neverBegan('edge.tls.failed', endpoints, { detail: { reason }, ...isUnexplained });
      },
      connection: (...made) => this.#connection(...made),
    });
    this.#server.server.on('error', () => undefined);
    this.#sweep = clock.setInterval(sweepMs, () => this.#look(), { unref: true });
  }

  /** Why it ends connections that are no session yet; undefined = it does not. */
  get #leaving(): string | undefined {
    if (this.#state === 'open') return undefined;
    return this.#state === 'draining' || this.#context.services.isDraining() ? 'draining' : 'listener shut';
  }

  #cutOff(endpoints: Endpoints, reason: string): string {
    return this.#neverBegan('edge.session.refused', endpoints, { detail: { reason }, untraced: true });
  }

  get port(): number {
    return this.#port;
  }

  get certificates(): readonly Certificate[] {
    return this.#certificates;
  }

  get sessions(): number {
    return this.#server.sessions.size;
  }

  get disagreements(): readonly string[] {
    return [...this.#refusedPort, ...this.#refusedTls, ...this.#disagreements];
  }

  async update(): Promise<void> {
    this.#updateTls();
    this.#compare();
    if (this.#state === 'draining') return;
    const wanted = this.#context.services.snapshot()?.listener(this.facts).enabled !== false;
    if (!wanted) this.#refusedPort = [];
    if (wanted && this.#state === 'shut') {
      await this.#listen();
      this.#context.onOpened(this);
    } else if (!wanted && this.#state === 'open') {
      this.#shut();
      this.#context.onShut(this);
    }
  }

  async #listen(): Promise<void> {
    this.#state = 'open';
    const { server } = this.#server;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        const reusePort = this.#options.sharesPort === true;
        this.#server.listen({ host: this.host, port: this.#port, backlog: 4_096, reusePort }, () => {
          server.off('error', reject);
          resolve();
        });
      });
    } catch (error) {
      this.#state = 'shut';
      this.#triedMs = this.#context.services.clock.monotonic();
      const reason = this.#listenFailure(error);
      this.#refusedPort = [reason];
      throw new Error(reason, { cause: error });
    }
    this.#triedMs = undefined;
    this.#refusedPort = [];
    const bound = server.address();
    if (bound !== null && typeof bound === 'object') this.#port = bound.port;
  }

  #listenFailure(error: unknown): string {
    const at = formatHostPort({ host: this.host, port: this.#port });
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const known: Readonly<Record<string, string>> = {
      EADDRINUSE: 'another program has it',
      EADDRNOTAVAIL: 'this host has no such address',
      EACCES: 'this process may not use the port',
    };
    return `address of listener ${this.facts.name} in ${sectionOf(this.#options)}: cannot listen on ${at}: ${known[reason] ?? 'refused'} (${reason})`;
  }

  /** No new connections; idle clients are sent away, transactions go on. */
  #shut(): void {
    this.#state = 'shut';
    this.#server.server.close();
    for (const socket of this.#server._pendingSockets.values()) socket.destroy();
    for (const connection of this.#server.sessions) connection.drain();
  }

  #updateTls(): void {
    const { services } = this.#context;
    const material = this.#context.tls();
    const wanted = services.snapshot()?.listener(this.facts).tls;
    const names = material.certificates.map(({ name }) => name);
    // Which certificate is meant is not known: `#compare` says so, and what was taken before stays.
    const isTaken = this.#taken === undefined || (wanted?.certificates ?? []).every((name) => names.includes(name));
    const settings = isTaken ? wanted : this.#taken?.settings;
    const epoch = ticketEpoch(services.clock.now());
    const mark = [material, JSON.stringify(settings), epoch];
    if (mark.every((part, index) => part === this.#tlsMark[index])) return;
    this.#tlsMark = mark;
    try {
      this.#server.useTls(createTlsContexts(material, settings, this.facts.name, epoch));
      this.#taken = { settings };
      this.#certificates = usable(material.certificates, settings);
      this.#refusedTls = [];
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#refusedTls = [reason];
      this.#context.onRefused(this.facts.name, reason);
    }
  }

  /** Says what of its settings does not go together with what it is on this pod, each once. */
  #compare(): void {
    const settings = this.#context.services.snapshot()?.listener(this.facts).agreed;
    if (settings === undefined) return;
    const here = this.#context.tls().certificates.map(({ name }) => name);
    const proxyProtocol = settings.proxyProtocol || this.#options.proxyProtocol;
    const found = disagreements(this.facts, { ...settings, proxyProtocol }, here, sectionOf(this.#options)).map(
      ({ field, message }) => `${pathText(['listeners', this.facts.name, ...field])}: ${message}`,
    );
    for (const reason of found)
      if (!this.#disagreements.includes(reason)) this.#context.onRefused(this.facts.name, reason);
    this.#disagreements = found;
  }

  #look(): void {
    const { clock } = this.#context.services;
    const now = clock.monotonic();
    for (const connection of this.#server.sessions) connection.checkDeadline(now);
    if (ticketEpoch(clock.now()) !== this.#tlsMark[2]) this.#updateTls();
    if (this.#triedMs === undefined || now - this.#triedMs < tryAgainMs) return;
    this.update().catch((error: unknown) => {
      this.#context.onRefused(this.facts.name, error instanceof Error ? error.message : String(error));
    });
  }

  #enterPrelude(endpoints: Endpoints): (() => void) | undefined {
    const entry = this.#context.enterPrelude({ listener: this.facts, clientAddress: endpoints.remoteAddress });
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
      listener: this.facts,
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
    const { services } = this.#context;
    const session = this.#session(endpoints, tlsFactsOf(socket) ?? endpoints.proxyTls);
    session.addressSuspected = this.#context.guard.session(this.facts.name, session.peerAddress);
    return new EdgeConnection(
      base,
      socket,
      { ...endpoints, id: session.id },
      {
        services,
        session,
        canStartTls: () => this.#server.hasTls && this.#options.role !== 'submissions',
        chooseContext: (raw, upgrade) => this.#server.chooseContext(raw, upgrade, () => undefined),
        onUnexpectedProxy: () => this.#context.guard.suspect(this.facts.name, 'unexpected_proxy', session.peerAddress),
        open: this.#context.admit,
        onClosed: (connection) => {
          this.#server.sessions.delete(connection);
          services.policy.end(session.id);
          services.journal.record('edge.session.closed', session);
          if (this.#state === 'draining' && this.sessions === 0) this.#emptied?.();
        },
      },
    );
  }

  async drain(): Promise<void> {
    if (this.#state === 'open') this.#shut();
    this.#state = 'draining';
    if (this.sessions > 0) await new Promise<void>((resolve) => (this.#emptied = resolve));
    this.#sweep.cancel();
  }

  destroy(): void {
    this.#sweep.cancel();
    for (const connection of this.#server.sessions) connection.destroy();
  }
}

export async function openListener(options: ListenerOptions, context: ListenerContext): Promise<Listener> {
  if (options.role === 'submissions' && context.tls().certificates.length === 0) {
    throw new Error(
      `${sectionOf(options)}: ${options.name} has role submissions, which needs edge.tls.certFile and edge.tls.keyFile`,
    );
  }
  const listener = new EdgeListener(options, context);
  await listener.update();
  return listener;
}
