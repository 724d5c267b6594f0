/**
 * The one subclass of smtp-server's connection: it keeps the base's sockets, TLS upgrade and closing, and gives the dialogue to `Dialogue`
 * and the bytes to `CommandStream`. Overridden members are the base's underscore names, so the base is pinned exactly (libraries.md §2).
 * Not used of the base: its parser, verbs, reply codes, fixed delay before the banner, reverse lookup, idle timer (see `deadlines.ts`).
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { earlyRefusal, type LimitName, type RefusingLimit, refusingLimit } from '@postern/flow-control/session';
import { type Reply, replies } from '@postern/smtp-core';
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js';
import type { SMTPServer } from 'smtp-server/lib/smtp-server.js';
import type { Ending } from '../abort-reason.js';
import type { BindingType } from '../sasl/mechanism.js';
import { forgetPlain, type Session, type SessionServices } from '../session.js';
import { channelBinding } from '../tls/channel-binding.js';
import { tlsFactsOf } from '../tls/tls-facts.js';
import { type AwaitedLine, CommandStream, type MessageEnd, type MessageSink, type Noise } from './command-stream.js';
import { defaultDeadlines } from './deadlines.js';
import { Dialogue } from './dialogue.js';
import { holdLittle } from './held-in-socket.js';
import type { ContentReader } from './line-policy.js';
import { Patience } from './patience.js';
import { type Opening, Place } from './place.js';
import { ReplyWriter } from './reply-writer.js';
import type { Wire } from './wire.js';

export interface ConnectionContext {
  readonly services: SessionServices;
  readonly session: Session;
  canStartTls(): boolean;
  /** Calls `upgrade` when the context for this client is known; never where it goes away first. */
  chooseContext(socket: Socket, upgrade: () => void): void;
  /** A PROXY header came where none is taken. */
  onUnexpectedProxy(): void;
  open(session: Session): Promise<Opening>;
  onClosed(connection: EdgeConnection): void;
}

const noise: Readonly<Record<Noise, Reply>> = {
  endlessLine: replies.lineTooLong,
  tlsHello: replies.tlsNotHere,
  proxyHeader: replies.proxyNotHere,
};

const closed: AwaitedLine = { problem: 'closed' };

export class EdgeConnection extends SMTPConnection implements Wire {
  readonly edgeSession: Session;
  readonly dialogue: Dialogue;
  readonly #context: ConnectionContext;
  readonly #place: Place;
  readonly #writer: ReplyWriter;
  readonly #patience: Patience;
  #ended = false;
  /** Why a handshake of STARTTLS came to nothing is told once: the base has several events for one. */
  #isTlsFailureTold = false;

  constructor(
    server: SMTPServer,
    socket: Socket | TLSSocket,
    options: SMTPConnectionOptions,
    context: ConnectionContext,
  ) {
    super(server, socket, options);
    this.#context = context;
    this.edgeSession = context.session;
    this.#place = new Place((session) => context.open(session));
    // While a handshake runs, `_socket` is the raw one: a write would be plain text inside the TLS records.
    this.#writer = new ReplyWriter(context.session.id, () => (this._upgrading ? undefined : this._socket));
    const canStartTls = (): boolean =>
      context.canStartTls() && this.edgeSession.tls === undefined && this.dialogue.offers('STARTTLS');
    this.dialogue = new Dialogue(context.session, context.services, this, canStartTls);
    this.#patience = new Patience(context.services.clock);
  }

  /** Admission, then the banner: no fixed delay before it. */
  override init(): void {
    holdLittle(this._socket);
    this._setListeners(() => void this.#open());
  }

  async #open(): Promise<void> {
    const { session, services } = this.#context;
    const opening = await this.#place.take(session);
    if (opening.kind === 'admitted') {
      if (this.#ended) return;
      const wait = services.abuse.beforeBanner(session);
      if (wait !== undefined) {
        await wait;
        if (this.isClosed) return;
      }
      const refused = earlyRefusal(services, session, 'connect');
      if (refused !== undefined) return this.#refuse(refused.reply, refused.rule);
      services.journal.record('edge.session.opened', session);
      this._ready = true;
      const policy = this.dialogue.policy();
      this.send220(policy?.hostname ?? services.settings.podName, policy?.banner);
      return;
    }
    this.#refuse(opening.reply, opening.reason, opening.limit);
  }

  #refuse(reply: Reply, reason: string, limit?: RefusingLimit): void {
    const { session, services } = this.#context;
    const limited = limit === undefined ? {} : { limit };
    services.journal.record('edge.session.refused', session, { reply, detail: { reason }, ...limited });
    this.reply(reply);
    this.close();
  }

  private send220(hostname: string, banner: string | undefined): void {
    this.reply(replies.greeting(hostname, banner));
    this.flush();
    this.#patience.waits();
  }

  override _createParser(): CommandStream {
    return new CommandStream({
      onLine: (line) => this.#onLine(line),
      onBadLine: (problem) => this.#whenReady(() => this.dialogue.onBadLine(problem)),
      onPartialLine: () => {
        if (!this._ready) this.#tooSoon();
      },
      onNoise: (kind) => {
        if (kind === 'proxyHeader') this.#context.onUnexpectedProxy();
        this.#abort(noise[kind], kind, 'noise');
      },
      onIdle: () => this.flush(),
    });
  }

  #onLine(line: string): Promise<void> | undefined {
    return this.#whenReady(() => {
      // Before the verb runs: DATA and AUTH say themselves when they wait for the client.
      this.#patience.works();
      const work = this.dialogue.onLine(line);
      if (work === undefined) {
        this.#patience.waits();
        return this.#whenDrained();
      }
      return work.then(() => {
        this.#patience.waits();
        return this.#whenDrained();
      });
    });
  }

  #whenReady(act: () => Promise<void> | undefined): Promise<void> | undefined {
    if (this._ready) return act();
    this.#tooSoon();
    return undefined;
  }

  /** RFC 5321 §4.3.1: the server speaks first; one octet before its banner is one too many. */
  #tooSoon(): void {
    if (this.isClosed) return;
    this.#context.services.abuse.failed(this.edgeSession, 'bad_command');
    this.#abort(replies.talksTooSoon, 'early talker', 'early_talker');
  }

  /** A client that sends and does not read must not fill our memory with replies. */
  #whenDrained(): Promise<void> | undefined {
    const socket = this._socket;
    if (!socket.writableNeedDrain || socket.destroyed) return undefined;
    return new Promise((resolve) => {
      const done = (): void => {
        socket.off('drain', done);
        socket.off('close', done);
        resolve();
      };
      socket.on('drain', done);
      socket.on('close', done);
    });
  }

  /** Asked by the sweep of all connections: no timer per connection. */
  checkDeadline(nowMs: number): void {
    if (this.#ended) return;
    const ban = this.#context.services.abuse.banned(this.edgeSession);
    if (ban !== undefined && !this.#patience.isWorking) {
      this.#abort(replies.banned, `banned: ${ban}`, 'ban');
      return;
    }
    const received = this.dialogue.incoming?.size ?? 0;
    const deadlines = this.#context.services.snapshot()?.deadlines ?? defaultDeadlines;
    const lost = this.#patience.lost(received, nowMs, deadlines, this._upgrading ? 'handshake' : 'line');
    if (lost === undefined) return;
    if (this._upgrading) this.tlsFailed(lost.reason);
    this.#abort(replies.timeout, lost.reason, 'refused', lost.limit);
  }

  /** A handshake of STARTTLS came to nothing. */
  tlsFailed(reason: string): void {
    if (this.#isTlsFailureTold || !this._upgrading) return;
    this.#isTlsFailureTold = true;
    this.#context.services.journal.record('edge.tls.failed', this.edgeSession, { detail: { reason } });
  }

  /** Told when the pod drains: an idle client is sent away, one in a transaction may finish it. */
  drain(): void {
    if (this.dialogue.transaction === undefined && !this.#patience.isWorking && this._ready)
      this.#abort(replies.shuttingDown, 'draining', 'drain');
  }

  /** Ends whatever still runs when the time to drain is over. */
  destroy(): void {
    this.#abort(replies.shuttingDown, 'drain timeout', 'drain');
    this._socket.destroy();
  }

  #abort(reply: Reply, reason: string, ending: Ending, limit?: LimitName): void {
    if (this.#ended || this.isClosed) return;
    const { session, services } = this.#context;
    services.journal.record('edge.session.aborted', session, {
      ...this.dialogue.underWay(),
      reply,
      detail: { reason },
      ending,
      ...refusingLimit(limit),
    });
    this.reply(
      reply.code === 421
        ? reply
        : { ...reply, code: 421, ...(reply.enhanced === undefined ? {} : { enhanced: '4.7.0' }) },
    );
    this.close();
  }

  // Wire

  reply(reply: Reply): void {
    const utf8 = this.dialogue.transaction?.mail.smtputf8 === true;
    const enhancedCodes = this.dialogue.policy()?.extensions.has('ENHANCEDSTATUSCODES') !== false;
    this.#writer.add(reply, { utf8, enhancedCodes });
  }

  flush(): void {
    this.#writer.flush();
  }

  async readLine(): Promise<AwaitedLine> {
    this.#patience.waits();
    const line = await (this.#stream?.readLine() ?? closed);
    this.#patience.works();
    return line;
  }

  async readMessage(reader: ContentReader, sink: MessageSink): Promise<MessageEnd> {
    const stream = this.#stream;
    if (stream === undefined) return 'closed';
    this.#patience.receives();
    const end = await stream.readMessage(reader, sink);
    this.#patience.works();
    return end;
  }

  takeLine(accept: (line: string) => boolean): string | undefined {
    return this.#stream?.takeLine(accept);
  }

  get hasPipelined(): boolean {
    return this.#stream?.hasPipelined === true;
  }

  get isClosed(): boolean {
    return this._closing || this._closed || this.#ended;
  }

  readmit(): Promise<Opening> {
    return this.#place.take(this.edgeSession);
  }

  startTls(): void {
    const { _parser: parser, _socket: socket } = this;
    if (parser === false) return;
    // Before the ClientHello is waited for: what was pipelined behind STARTTLS in plain never runs.
    socket.unpipe(parser);
    parser.isClosed = true;
    this._upgrading = true;
    this.#context.chooseContext(socket, () => {
      if (this.isClosed) return;
      this.upgrade(
        () => undefined,
        () => this.onUpgraded(),
      );
    });
  }

  channelBinding(type: BindingType): Buffer | undefined {
    return channelBinding(this._socket, type);
  }

  get #stream(): CommandStream | undefined {
    return this._parser instanceof CommandStream ? this._parser : undefined;
  }

  /** Called by the server when the handshake of STARTTLS is done. */
  onUpgraded(): void {
    holdLittle(this._socket);
    const facts = tlsFactsOf(this._socket);
    if (facts === undefined) return;
    forgetPlain(this.edgeSession, facts);
    this.dialogue.resetTransaction();
    this.#context.services.journal.record('edge.tls.established', this.edgeSession, {
      detail: {
        version: facts.version,
        cipher: facts.cipher,
        ...(facts.clientCertificate === undefined ? {} : { certificate: facts.clientCertificate.subject }),
      },
    });
    this.#patience.waits();
  }

  // Members of the base that would act on their own

  override close(): void {
    this.flush();
    const stream = this.#stream;
    super.close();
    stream?.abandon();
  }

  override _armTimeout(): void {}

  override _resetSession(): void {}

  /** The base calls this for its own 421 (errors of the parser). */
  override send(code: number, data?: string | string[] | null): void {
    const text = Array.isArray(data) ? data : (data ?? '');
    this.#abort({ ...replies.timeout, code, text }, 'server', 'noise');
  }

  override _onClose(): void {
    const stream = this.#stream;
    super._onClose();
    stream?.abandon();
    if (this.#ended) return;
    this.#ended = true;
    this.dialogue.resetTransaction();
    this.#place.leave();
    this.#context.onClosed(this);
  }
}
