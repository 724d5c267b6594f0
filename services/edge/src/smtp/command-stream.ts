/**
 * The parser of a connection in place of smtp-server's: command lines, message bytes, and nothing dispatched out of turn.
 * A line ends in CRLF only (RFC 5321 §2.3.8); a bare CR, LF or NUL in one makes it a bad line. One command is in work at a time; while it is,
 * the socket is paused by the callback of `_write`, so what a client pipelines waits in its own kernel. Memory: one chunk and one line; how a client cuts
 * its bytes changes nothing of that, so neither this stream nor the socket (`held-in-socket.ts`) may collect pieces while a command is in work.
 * Invariant: after `isClosed` nothing is dispatched; bytes that follow a STARTTLS in plain never reach the TLS session (new parser there).
 */
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js';
import type { ContentReader } from './line-policy.js';

export type LineProblem = 'bareNewline' | 'nul' | 'lineTooLong' | 'authLineTooLong';

/** The answer to a challenge, or why there is none. */
export type AwaitedLine = { readonly line: string } | { readonly problem: LineProblem | 'closed' };

export type Noise = 'endlessLine' | 'tlsHello' | 'proxyHeader';

export interface CommandHandlers {
  /** One command line without its CRLF. A promise = busy until it settles; it must not reject. */
  onLine(line: string): Promise<void> | undefined;
  onBadLine(problem: LineProblem): Promise<void> | undefined;
  /** Octets of a line that is not whole yet. */
  onPartialLine(): void;
  /** Bytes that are no commands and will not become any: the connection must go. */
  onNoise(kind: Noise): void;
  /** Nothing more can be done with what has come: replies may be written. */
  onIdle(): void;
}

/** Takes message bytes, none where the line policy holds them back; a promise = wait with more. Must not reject. */
export type MessageSink = (content: Buffer) => Promise<void> | undefined;

export type MessageEnd = 'whole' | 'closed';

interface Reading {
  readonly reader: ContentReader;
  readonly sink: MessageSink;
  readonly resolve: (end: MessageEnd) => void;
}

type Done = (error?: Error | null) => void;

/** RFC 4954 §4: AUTH lines are the longest that may come. */
const maxLineOctets = 12_288 + 2;
/** Commands handled in one turn of the event loop. */
const maxPerTurn = 100;
const nothing = Buffer.alloc(0);
const LF = 0x0a;
const CR = 0x0d;
/** RFC 8446 §5.1: first bytes of a ClientHello. */
const tlsHandshake = 0x16;
const tlsMajorVersion = 0x03;

/** How a PROXY header begins that nobody here asked for (proxy-protocol.txt §2). */
const proxyBeginnings = [Buffer.from('PROXY TCP'), Buffer.from('PROXY UNKNOWN'), Buffer.from('\r\n\r\n\0\r\nQUIT\n')];

export class CommandStream extends SMTPStream {
  readonly #handlers: CommandHandlers;
  #input: Buffer = nothing;
  #at = 0;
  #done: Done | undefined;
  #reading: Reading | undefined;
  #lineWaiter: ((line: AwaitedLine) => void) | undefined;
  #busy = false;
  #pumping = false;
  #turn = 0;
  /** Nothing has come on this connection yet. */
  #isFirst = true;

  constructor(handlers: CommandHandlers) {
    // One chunk that waits is enough for the socket to be paused.
    super({ decodeStrings: false, highWaterMark: 1 });
    this.#handlers = handlers;
  }

  /** The next line as answer to a challenge. For the handler of the command in work. */
  readLine(): Promise<AwaitedLine> {
    return new Promise((resolve) => {
      this.#lineWaiter = resolve;
      this.#pump();
    });
  }

  /** Feeds message bytes to the reader and its content to the sink until the end of data. */
  readMessage(reader: ContentReader, sink: MessageSink): Promise<MessageEnd> {
    return new Promise((resolve) => {
      this.#reading = { reader, sink, resolve };
      this.#pump();
    });
  }

  /** The next line if it is here whole and passes; it is then taken. For groups of pipelined commands (RFC 2920). */
  takeLine(accept: (line: string) => boolean): string | undefined {
    const end = this.#input.indexOf(LF, this.#at);
    if (end === -1 || end - this.#at > maxLineOctets || this.isClosed) return undefined;
    if (this.#problemOf(end) !== undefined) return undefined;
    const line = this.#input.toString('utf8', this.#at, end - 1);
    if (!accept(line)) return undefined;
    this.#at = end + 1;
    return line;
  }

  /** The connection is over: nothing is dispatched any more, and whoever waits for bytes learns it. */
  abandon(): void {
    this.isClosed = true;
    const waiter = this.#lineWaiter;
    const reading = this.#reading;
    this.#lineWaiter = undefined;
    this.#reading = undefined;
    waiter?.({ problem: 'closed' });
    reading?.resolve('closed');
  }

  /** Bytes that came behind the command in work. */
  get hasPipelined(): boolean {
    return this.#at < this.#input.length;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding | 'buffer', done: Done): void {
    if (this.isClosed) {
      done();
      return;
    }
    this.#input = this.hasPipelined ? Buffer.concat([this.#input.subarray(this.#at), chunk]) : chunk;
    this.#at = 0;
    this.#done = done;
    this.#turn = 0;
    this.#pump();
  }

  /** smtp-server would dispatch a last line without its newline. */
  override _flushData(): void {
    this.#input = nothing;
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#step());
    this.#pumping = false;
    if (!this.isClosed) this.#handlers.onIdle();
  }

  /** One thing; true = look again. */
  #step(): boolean {
    if (this.isClosed) {
      this.#input = nothing;
      this.#at = 0;
      return this.#needMore();
    }
    if (this.#reading !== undefined) return this.#feed(this.#reading);
    if (this.#busy && this.#lineWaiter === undefined) return false;
    if (this.#isFirst && this.hasPipelined) {
      this.#isFirst = false;
      if (proxyBeginnings.some((start) => this.#input.subarray(0, start.length).equals(start))) {
        this.#handlers.onNoise('proxyHeader');
        return false;
      }
    }
    if (this.#input[this.#at] === tlsHandshake && this.#input[this.#at + 1] === tlsMajorVersion) {
      this.#handlers.onNoise('tlsHello');
      return false;
    }
    const end = this.#input.indexOf(LF, this.#at);
    if (end === -1 ? this.#input.length - this.#at > maxLineOctets : end - this.#at > 2 * maxLineOctets) {
      this.#handlers.onNoise('endlessLine');
      return false;
    }
    if (end !== -1) return this.#dispatch(end);
    if (this.hasPipelined) this.#handlers.onPartialLine();
    return this.#needMore();
  }

  #dispatch(end: number): boolean {
    const problem = this.#problemOf(end);
    const line = problem === undefined ? this.#input.toString('utf8', this.#at, end - 1) : '';
    this.#at = end + 1;
    const waiter = this.#lineWaiter;
    if (waiter !== undefined) {
      this.#lineWaiter = undefined;
      waiter(problem === undefined ? { line } : { problem });
      return true;
    }
    const work = problem === undefined ? this.#handlers.onLine(line) : this.#handlers.onBadLine(problem);
    if (work === undefined) {
      if (++this.#turn < maxPerTurn) return true;
      this.#turn = 0;
      this.#busy = true;
      setImmediate(() => this.#free());
      return false;
    }
    this.#busy = true;
    void work.then(() => this.#free());
    return true;
  }

  #free(): void {
    this.#busy = false;
    this.#pump();
  }

  #feed(reading: Reading): boolean {
    if (!this.hasPipelined) return this.#needMore();
    const chunk = this.#at === 0 ? this.#input : this.#input.subarray(this.#at);
    const end = reading.reader.feed(chunk);
    this.#at = end === -1 ? this.#input.length : this.#at + end;
    const wait = reading.sink(reading.reader.content);
    if (end !== -1) this.#reading = undefined;
    if (wait === undefined) {
      if (end !== -1) reading.resolve('whole');
      return true;
    }
    // The sink has no room: the command in work keeps everything else waiting.
    this.#reading = undefined;
    void wait.then(() => {
      if (end !== -1) reading.resolve('whole');
      else if (this.isClosed) reading.resolve('closed');
      else this.#reading = reading;
      this.#pump();
    });
    return false;
  }

  /** RFC 4954 §6: a line of a login has a code of its own. */
  get #beginsAuth(): boolean {
    return this.#lineWaiter !== undefined || /^AUTH /i.test(this.#input.toString('latin1', this.#at, this.#at + 5));
  }

  #problemOf(end: number): LineProblem | undefined {
    const start = this.#at;
    if (end === start || this.#input[end - 1] !== CR) return 'bareNewline';
    if (end - start > maxLineOctets) return this.#beginsAuth ? 'authLineTooLong' : 'lineTooLong';
    for (let at = start; at < end - 1; at++) {
      const octet = this.#input[at];
      if (octet === CR) return 'bareNewline';
      if (octet === 0) return 'nul';
    }
    return undefined;
  }

  /** While the next octets are waited for, perhaps for minutes, nothing but the beginning of a line is kept of the read it came with. */
  #letGo(): void {
    if (!this.hasPipelined) this.#input = nothing;
    else if (2 * (this.#input.length - this.#at) < this.#input.buffer.byteLength)
      this.#input = Buffer.from(this.#input.subarray(this.#at));
    else return;
    this.#at = 0;
  }

  /** True: more has come at once. A chunk that waited in the base is written from inside its callback. */
  #needMore(): boolean {
    this.#letGo();
    const done = this.#done;
    this.#done = undefined;
    done?.();
    return this.#done !== undefined;
  }
}
