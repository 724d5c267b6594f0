/**
 * The one subclass of smtp-server's connection: it keeps the base's sockets, TLS upgrade and closing, and gives the dialogue to `Dialogue`
 * and the bytes to `CommandStream`. Overridden members are the base's underscore names, so the base is pinned exactly (libraries.md §2).
 * Not used of the base: its parser, verbs, reply codes, fixed delay before the banner, reverse lookup, idle timer (see `deadlines.ts`).
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { refusingLimit } from '@postern/flow-control/session';
import type { Reply } from '@postern/smtp-core';
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js';
import type { SMTPServer } from 'smtp-server/lib/smtp-server.js';
import type { BindingType } from '../sasl/mechanism.js';
import type { Session } from '../session.js';
import { channelBinding } from '../tls/channel-binding.js';
import { beginOnTls } from '../tls/established.js';
import { type Abort, aborts, lastReply } from './abort.js';
import { begin } from './beginning.js';
import { type AwaitedLine, CommandStream, type MessageEnd, type MessageSink } from './command-stream.js';
import type { ConnectionContext } from './connection-context.js';
import { Dialogue } from './dialogue.js';
import { EarlyTalk } from './early-talk.js';
import { type Heard, hearing, tooSoon } from './hearing.js';
import { holdLittle } from './held-in-socket.js';
import type { ContentReader } from './line-policy.js';
import { overdue } from './overdue.js';
import { Patience } from './patience.js';
import { type Opening, Place } from './place.js';
import { ReplyWriter } from './reply-writer.js';
import type { Wire } from './wire.js';

/** Time for a client to read our last word and go, in a drain. */
const partingMs = 500;
const closed: AwaitedLine = { problem: 'closed' };

export class EdgeConnection extends SMTPConnection implements Wire, Heard {
  readonly edgeSession: Session;
  readonly dialogue: Dialogue;
  readonly #context: ConnectionContext;
  readonly #place: Place;
  readonly #writer: ReplyWriter;
  readonly patience: Patience;
  readonly early = new EarlyTalk((line) => tooSoon(this, line));
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
    this.patience = new Patience(context.services.clock);
  }

  /** Admission, then the banner: no fixed delay before it. */
  override init(): void {
    holdLittle(this._socket);
    this._setListeners(() => void this.#open());
  }

  async #open(): Promise<void> {
    const { session, services } = this.#context;
    const { dialogue, early } = this;
    const place = this.#place;
    const beginning = await begin({ session, services, dialogue, place, early, isGone: () => this.isClosed });
    if (beginning.kind === 'gone') return;
    this._ready = beginning.kind === 'greeted';
    this.reply(beginning.reply);
    if (beginning.kind === 'refused') return this.close();
    this.flush();
    this.patience.waits();
    early.over();
  }

  override _createParser(): CommandStream {
    return new CommandStream(hearing(this, () => this.#context.onUnexpectedProxy()));
  }

  /** Asked by the sweep of all connections: no timer per connection. */
  checkDeadline(nowMs: number): void {
    const abort = this.isClosed ? undefined : overdue(this, nowMs, this._upgrading ? 'handshake' : 'line');
    if (abort === undefined) return;
    this.tlsFailed(abort.reason);
    this.abort(abort);
  }

  /** A handshake of STARTTLS came to nothing. */
  tlsFailed(reason: string): void {
    if (this.#isTlsFailureTold || !this._upgrading) return;
    this.#isTlsFailureTold = true;
    this.#context.services.journal.record('edge.tls.failed', this.edgeSession, { detail: { reason } });
  }

  /** Told when pod or listener drain: an idle client is sent away, one in a transaction may finish it. */
  drain(): void {
    this.dialogue.leaves();
    if (this.isClosed) this.#partSoon();
    if (this.dialogue.transaction === undefined && !this.patience.isWorking && this._ready) this.abort(aborts.draining);
  }

  /** Ends whatever still runs when the time to drain is over. */
  destroy(): void {
    this.abort(aborts.drainTimeout);
    this._socket.destroy();
  }

  abort({ reply, reason, ending, limit }: Abort): void {
    if (this.isClosed) return;
    // A handshake ends with it: that we ended the session says why.
    this.#isTlsFailureTold = true;
    this.#context.services.journal.record('edge.session.aborted', this.edgeSession, {
      ...this.dialogue.underWay(),
      reply,
      detail: { reason },
      ending,
      ...refusingLimit(limit),
    });
    this.reply(lastReply(reply));
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
    this.patience.waits();
    const line = await (this.#stream?.readLine() ?? closed);
    this.patience.works();
    return line;
  }

  async readMessage(reader: ContentReader, sink: MessageSink): Promise<MessageEnd> {
    const stream = this.#stream;
    if (stream === undefined) return 'closed';
    this.patience.receives();
    const end = await stream.readMessage(reader, sink);
    this.patience.works();
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
        () => this.#onUpgraded(),
      );
    });
  }

  channelBinding(type: BindingType): Buffer | undefined {
    return channelBinding(this._socket, type);
  }

  get #stream(): CommandStream | undefined {
    return this._parser instanceof CommandStream ? this._parser : undefined;
  }

  #onUpgraded(): void {
    holdLittle(this._socket);
    if (beginOnTls(this._socket, this.dialogue)) this.patience.waits();
  }

  // Members of the base that would act on their own

  override close(): void {
    this.flush();
    const stream = this.#stream;
    super.close();
    stream?.abandon();
    if (this.dialogue.isLeaving) this.#partSoon();
  }

  /** The base gives a client five seconds to close its side; nobody who drains waits that long for one that has heard all. */
  #partSoon(): void {
    const { _socket: socket } = this;
    const part = (): void => {
      this.#context.services.clock.setTimer(partingMs, () => socket.destroy(), { unref: true });
    };
    if (socket.writableFinished) part();
    else socket.once('finish', part);
  }

  override _armTimeout(): void {}

  override _resetSession(): void {}

  /** The base calls this for its own 421 (errors of the parser). */
  override send(code: number, data?: string | string[] | null): void {
    this.abort(aborts.ofBase(code, data ?? ''));
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
