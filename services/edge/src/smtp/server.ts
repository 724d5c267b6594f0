/**
 * smtp-server's server with our connection and our PROXY reading in it (libraries.md §2, rows 4, 14, 16). It accepts, unwraps, hands over;
 * every decision is asked of `ServerContext`. Its own limits, lookups, commands and logs are off.
 */
import type { Socket } from 'node:net';
import type { SecureContext, TLSSocket } from 'node:tls';
import type { Clock } from '@postern/clock';
import { formatReply, type Reply } from '@postern/smtp-core';
import type { SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js';
import { SMTPServer } from 'smtp-server/lib/smtp-server.js';
import { maxPreludes } from '../prelude.js';
import type { TlsFacts } from '../session.js';
import { readServerName } from '../tls/client-hello.js';
import type { TlsContexts } from '../tls/tls-contexts.js';
import { goneInHandshake, tlsFailure } from '../tls/tls-failure.js';
import type { EdgeConnection } from './connection.js';
import type { ProxiedTls } from './proxy-header.js';
import { type ProxyExpectation, type ProxyReading, readProxyHeader } from './proxy-reader.js';

export interface Endpoints {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** From the PROXY header. */
  readonly proxyAuthority?: string;
  /** TLS between the client and a trusted proxy, from the PROXY header. */
  readonly proxyTls?: TlsFacts;
}

export interface ServerContext {
  readonly clock: Clock;
  readonly implicitTls: boolean;
  proxyExpectation(peerAddress: string): ProxyExpectation | 'refused';
  connection(server: SMTPServer, socket: Socket | TLSSocket, endpoints: Endpoints): EdgeConnection;
  /** `reply`: what the peer is told; undefined = nothing. The id of the session that did not come to be, for the reply. */
  onProxyFailure(endpoints: Endpoints, reason: string, reply?: Reply): string;
  /** Asked before a handshake of implicit TLS; undefined = refused, else called when it is over. */
  enterPrelude(endpoints: Endpoints): (() => void) | undefined;
  /** A handshake of implicit TLS that came to nothing. */
  onTlsFailure(endpoints: Endpoints, reason: string): void;
}

/** Time to a whole TLS handshake or PROXY header. */
const preludeMs = 30_000;
const lateHandshake = `no handshake within ${preludeMs / 1_000} s`;
/** Time for a refused proxy to read why and go. */
const partingMs = 2_000;

/** The base puts words of its own in place of some messages, and keeps those. */
type FailedHandshake = Error & {
  readonly code?: string | undefined;
  readonly meta?: { readonly message?: string | undefined } | undefined;
};

const reasonOf = ({ meta, message, code }: FailedHandshake): string => tlsFailure(meta?.message ?? message, code);

interface Prelude {
  readonly endpoints: Endpoints;
  /** To be called when the handshake is over. */
  readonly leave: () => void;
}

type PresentHeader = Extract<ProxyReading, { kind: 'proxied' }>['header'];

type ProxyCallback = (error: Error | null, options?: SMTPConnectionOptions & { id: string }) => void;

const plainAddress = (address: string | undefined): string => (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '');

export class EdgeServer extends SMTPServer {
  readonly #context: ServerContext;
  #contexts: TlsContexts | undefined;
  readonly #proxied = new WeakMap<object, Pick<PresentHeader, 'authority' | 'tls'>>();
  /** Sockets whose handshake comes first. */
  readonly #preludes = new WeakMap<Socket, Prelude>();
  readonly sessions = new Set<EdgeConnection>();

  constructor(context: ServerContext) {
    super({
      secure: context.implicitTls,
      // Not given, the base asks the system for it once a connection; our banner has its own.
      name: 'postern',
      logger: false,
      disableReverseLookup: true,
      authOptional: true,
      // Ours comes first, and in our words.
      socketTimeout: 2 * preludeMs,
      maxClients: maxPreludes,
    });
    this.#context = context;
    this.secureContext = new Map();
  }

  /** For handshakes from now on; sessions stay as they are. */
  useTls(contexts: TlsContexts | undefined): void {
    this.#contexts = contexts;
    this.secureContext = contexts === undefined ? new Map() : new Map([['*', contexts.fallback]]);
    this.options.requestCert = contexts !== undefined && contexts.clientCertificates !== 'none';
    this.options.rejectUnauthorized = contexts?.clientCertificates === 'require';
  }

  get hasTls(): boolean {
    return this.#contexts !== undefined;
  }

  override _resolveSNI(serverName: string, done: (error: Error | null, context?: SecureContext) => void): void {
    done(null, this.#contexts?.chosenAt === 'name' ? this.#contexts.find(serverName) : undefined);
  }

  /** Calls `upgrade`, which is to make the TLS socket before it returns, with the context for the name asked for, where Node cannot choose it later. */
  chooseContext(socket: Socket, upgrade: () => void, onGone: () => void): void {
    if (this.#contexts?.chosenAt !== 'hello') {
      upgrade();
      return;
    }
    readServerName(socket, {
      onRead: (serverName) => {
        const usual = this.secureContext;
        const chosen = serverName === undefined ? undefined : this.#contexts?.find(serverName);
        // The base takes the one of this map for every socket.
        if (chosen !== undefined) this.secureContext = new Map([['*', chosen]]);
        upgrade();
        this.secureContext = usual;
      },
      onGone,
    });
  }

  override _upgrade(...[socket, callback]: Parameters<SMTPServer['_upgrade']>): void {
    const prelude = this.#preludes.get(socket);
    let isLate = false;
    const deadline = this.#context.clock.setTimer(
      preludeMs,
      () => {
        isLate = true;
        // Of the two sockets of a handshake the one on top: Node does not bear the other way.
        (this._pendingSockets.get(socket) ?? socket).destroy();
      },
      { unref: true },
    );
    const done: typeof callback = (error, tlsSocket) => {
      deadline.cancel();
      prelude?.leave();
      if (error !== null && prelude !== undefined)
        this.#context.onTlsFailure(prelude.endpoints, isLate ? lateHandshake : reasonOf(error));
      callback(error, tlsSocket);
    };
    this.chooseContext(
      socket,
      () => super._upgrade(socket, done),
      () => done(new Error(goneInHandshake)),
    );
  }

  /** Failed handshakes are told above; errors of the server itself, such as a port that is taken, are heard by whoever called `listen`. */
  override _onError(): void {}

  override connect(socket: Socket | TLSSocket, options?: SMTPConnectionOptions | null): void {
    const connection = this.#context.connection(this, socket, this.#endpoints(socket, options));
    this.connections.add(connection);
    this.sessions.add(connection);
    // A socket's error ends its session by 'close'; there is nothing more to do about it.
    connection.on('error', (error: FailedHandshake) => {
      connection.tlsFailed(reasonOf(error));
      connection.close();
    });
    connection.init();
  }

  #endpoints(socket: Socket | TLSSocket, options?: SMTPConnectionOptions | null): Endpoints {
    const { authority, tls } = (options == null ? undefined : this.#proxied.get(options)) ?? {};
    return {
      ...(authority === undefined ? {} : { proxyAuthority: authority }),
      ...(tls === undefined ? {} : { proxyTls: proxiedFacts(tls) }),
      remoteAddress: options?.remoteAddress ?? plainAddress(socket.remoteAddress),
      remotePort: options?.remotePort ?? socket.remotePort ?? 0,
      localAddress: options?.localAddress ?? plainAddress(socket.localAddress),
      localPort: options?.localPort ?? socket.localPort ?? 0,
    };
  }

  /** The client is known: on with the session, or with the handshake before it. */
  #begin(socket: Socket, options: SMTPConnectionOptions & { id: string }, callback: ProxyCallback): void {
    if (this.#context.implicitTls) {
      const endpoints = this.#endpoints(socket, options);
      const leave = this.#context.enterPrelude(endpoints);
      if (leave === undefined) {
        socket.on('error', () => undefined);
        socket.destroy();
        callback(new Error('refused before TLS'));
        return;
      }
      this.#preludes.set(socket, { endpoints, leave });
    }
    callback(null, options);
  }

  /** Says a last word. What still comes is read for a while: bytes nobody read would make a reset of the end, which takes the reply with it. */
  #partWith(socket: Socket, reply: string, done: () => void): void {
    const timer = this.#context.clock.setTimer(partingMs, () => socket.destroy(), { unref: true });
    socket.once('close', () => {
      timer.cancel();
      done();
    });
    socket.resume();
    socket.end(reply);
  }

  override _expectsProxyHeader(socket: Socket): boolean {
    return this.#context.proxyExpectation(plainAddress(socket.remoteAddress)) !== 'none';
  }

  override _handleProxy(socket: Socket, callback: ProxyCallback): void {
    const peer = plainAddress(socket.remoteAddress);
    const expectation = this.#context.proxyExpectation(peer);
    if (expectation === 'none') {
      this.#begin(socket, { id: '' }, callback);
      return;
    }
    const fail = (reason: string, reply?: Reply): void => {
      // What begins with TLS can be told nothing in plain.
      const said = this.#context.implicitTls ? undefined : reply;
      const id = this.#context.onProxyFailure(this.#endpoints(socket), reason, said);
      socket.on('error', () => undefined);
      if (said === undefined) {
        socket.destroy();
        callback(new Error(reason));
      } else this.#partWith(socket, formatReply(said, id), () => callback(new Error(reason)));
    };
    if (expectation === 'refused') {
      fail('peer is no trusted proxy');
      return;
    }
    void readProxyHeader(socket, expectation, this.#context.clock).then((reading) => {
      if (reading.kind === 'failed') fail(reading.reason, reading.reply);
      else {
        const options = optionsOf(reading);
        if (reading.kind === 'proxied') this.#proxied.set(options, reading.header);
        this.#begin(socket, options, callback);
      }
    });
  }
}

/** The proxy is trusted: what it says of TLS holds as if it were ours. A certificate it names has no fingerprint, so it gives no relay right. */
function proxiedFacts({ version, cipher, clientName, clientVerified }: ProxiedTls): TlsFacts {
  if (clientName === undefined) return { version, cipher };
  const subject = `CN=${clientName}`;
  const clientCertificate = { verified: clientVerified, subject, issuer: '', fingerprint: '', names: [] };
  return { version, cipher, clientCertificate };
}

/** The addresses of the header, or nothing where the socket's own stand. */
function optionsOf(reading: Exclude<ProxyReading, { kind: 'failed' }>): SMTPConnectionOptions & { id: string } {
  if (reading.kind === 'direct' || reading.header.source === undefined) return { id: '' };
  const { source, destination } = reading.header;
  return {
    id: '',
    remoteAddress: source.address,
    remotePort: source.port,
    ...(destination === undefined ? {} : { localAddress: destination.address, localPort: destination.port }),
  };
}
