/**
 * One socket to a next hop: writes, replies one by one with a deadline each, upgrade to TLS.
 * Knows no SMTP stage. Faults are values and final: after the first one nothing is written any more. What the server
 * may make us hold is bounded by the reply parser and by the number of replies nobody has asked for yet.
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '@postern/clock';
import { ReplyParser, type ReplyParserLimits, type ServerReply } from '@postern/smtp-core';
import { networkFault, type WireFault } from './failure.js';
import type { Transcript } from './transcript.js';

export type ReplyResult =
  | { readonly ok: true; readonly reply: ServerReply }
  | { readonly ok: false; readonly fault: WireFault };

const MAX_UNREAD_REPLIES = 4096;
const TIMEOUT: WireFault = { reason: 'timeout', code: 'ETIMEDOUT', detail: 'no answer in time' };
const CLOSED: WireFault = { reason: 'closed', code: null, detail: 'connection closed by the server' };

export interface WireOptions {
  readonly clock: Clock;
  readonly transcript: Transcript;
  readonly replyLimits: ReplyParserLimits;
  readonly signal: AbortSignal | null;
}

export class Wire {
  readonly #options: WireOptions;
  #parser: ReplyParser;
  #socket: Socket;
  #fault: WireFault | null = null;
  #wake: (() => void) | null = null;
  readonly #replies: ServerReply[] = [];
  readonly #onAbort = (): void => this.fail({ reason: 'aborted', code: null, detail: 'aborted by the caller' });

  constructor(socket: Socket, options: WireOptions) {
    this.#options = options;
    this.#parser = new ReplyParser(options.replyLimits);
    this.#socket = socket;
    this.#attach(socket);
    options.signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (options.signal?.aborted === true) this.#onAbort();
  }

  get socket(): Socket {
    return this.#socket;
  }

  get fault(): WireFault | null {
    return this.#fault;
  }

  /** Nothing unread and nothing half read: true whenever no reply is owed and the server kept the protocol. */
  get quiet(): boolean {
    return this.#replies.length === 0 && this.#parser.idle;
  }

  /** A reply that is here already, taken without waiting. */
  takeReply(): ServerReply | null {
    return this.#replies.shift() ?? null;
  }

  write(data: Buffer | string): boolean {
    return this.#fault === null && this.#socket.write(data);
  }

  async nextReply(timeoutMs: number): Promise<ReplyResult> {
    const timely = await this.#waitUntil(() => this.#replies.length > 0, timeoutMs);
    // A reply that came before the fault still counts: many servers say why and hang up.
    const reply = this.#replies.shift();
    if (reply !== undefined) return { ok: true, reply };
    if (!timely) this.fail(TIMEOUT);
    return { ok: false, fault: this.#fault ?? TIMEOUT };
  }

  /** Waits until the socket has taken what was written, or a reply came unasked. Null = go on. */
  async drain(timeoutMs: number): Promise<WireFault | null> {
    const socket = this.#socket;
    const wake = (): void => this.#wake?.();
    socket.once('drain', wake);
    const timely = await this.#waitUntil(() => !socket.writableNeedDrain || this.#replies.length > 0, timeoutMs);
    socket.off('drain', wake);
    if (!timely) this.fail(TIMEOUT);
    return this.#fault;
  }

  /** Hands the bare socket to a TLS handshake and goes on with what comes back from it. */
  async upgrade(handshake: (socket: Socket) => TLSSocket, timeoutMs: number): Promise<WireFault | null> {
    this.#detach(this.#socket);
    const plain = this.#socket;
    plain.on('error', (error) => this.fail(networkFault(error)));
    let secure: TLSSocket;
    try {
      secure = handshake(plain);
    } catch (error) {
      this.fail(networkFault(error)); // unusable key, certificate or authority
      return this.#fault;
    }
    let secured = false;
    secure.once('secureConnect', () => {
      secured = true;
      this.#wake?.();
    });
    this.#socket = secure;
    this.#parser = new ReplyParser(this.#options.replyLimits);
    this.#attach(secure);
    if (!(await this.#waitUntil(() => secured, timeoutMs))) this.fail(TIMEOUT);
    return this.#fault;
  }

  /** Ends the connection with this fault, if none came before. */
  fail(fault: WireFault): void {
    if (this.#fault === null) {
      this.#fault = fault;
      this.#options.transcript.add('client', `(${fault.reason}: ${fault.detail})`);
    }
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#socket.destroy();
    this.#wake?.();
  }

  close(): void {
    this.fail({ reason: 'closed', code: null, detail: 'closed by us' });
  }

  /** True when the condition held or a fault came, false when the time was up. */
  async #waitUntil(holds: () => boolean, timeoutMs: number): Promise<boolean> {
    if (holds() || this.#fault !== null) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = this.#options.clock.setTimer(timeoutMs, () => resolve(false));
    this.#wake = () => {
      if (holds() || this.#fault !== null) resolve(true);
    };
    const timely = await promise;
    timer.cancel();
    this.#wake = null;
    return timely;
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#fault !== null) return;
    const fed = this.#parser.feed(chunk);
    for (const reply of fed.replies) {
      this.#replies.push(reply);
      for (const line of reply.lines) {
        this.#options.transcript.add(
          'server',
          `${reply.code} ${reply.enhanced === null ? '' : `${reply.enhanced} `}${line}`,
        );
      }
    }
    if (!fed.ok) this.fail({ reason: 'protocol', code: null, detail: `malformed reply: ${fed.problem}` });
    else if (this.#replies.length > MAX_UNREAD_REPLIES) {
      this.fail({ reason: 'protocol', code: null, detail: 'more replies than commands' });
    } else this.#wake?.();
  };
  readonly #onError = (error: Error): void => this.fail(networkFault(error));
  readonly #onEnd = (): void => this.fail(CLOSED);

  #attach(socket: Socket): void {
    socket.on('data', this.#onData).on('error', this.#onError).on('end', this.#onEnd).on('close', this.#onEnd);
  }

  #detach(socket: Socket): void {
    socket.off('data', this.#onData).off('error', this.#onError).off('end', this.#onEnd).off('close', this.#onEnd);
  }
}
