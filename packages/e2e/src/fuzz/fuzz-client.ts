/**
 * One fuzzed connection: says bytes in chosen segments, reads replies, notes what is wrong in form or in time. Losing the connection is never wrong by
 * itself; silence is. Every wait has an end.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Chance } from './random.js';
import { type FuzzReply, ReplyReader } from './reply-reader.js';

export interface FuzzTarget {
  readonly port: number;
  readonly implicitTls: boolean;
}

/** Longest a server may think about anything here; far below its own deadlines, far above a busy machine. */
const patienceMs = 30_000;

export class FuzzClient {
  readonly problems: string[] = [];
  /** Tail of what was said and heard, for the person who looks for the cause. */
  #log: string[] = [];
  #socket: Socket | TLSSocket;
  #reader = new ReplyReader();
  readonly #replies: FuzzReply[] = [];
  #wake: (() => void) | undefined;
  #closed = false;
  #aborted = false;
  #smtp = true;

  private constructor(
    socket: Socket | TLSSocket,
    readonly chance: Chance,
  ) {
    this.#socket = socket;
    this.#listen();
  }

  /** A TCP connection, with TLS when the target speaks it from the start; undefined when it was lost on the way. */
  static async open(target: FuzzTarget, chance: Chance): Promise<FuzzClient | undefined> {
    const socket = await new Promise<Socket | TLSSocket | undefined>((resolve) => {
      const options = { host: '127.0.0.1', port: target.port };
      const made: Socket | TLSSocket = target.implicitTls
        ? connectTls({ ...options, rejectUnauthorized: false }, () => resolve(made))
        : connect({ ...options, noDelay: true }, () => resolve(made));
      made.once('error', () => resolve(undefined));
    });
    return socket === undefined ? undefined : new FuzzClient(socket, chance);
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on('data', (chunk: Buffer) => {
      this.#note('S', chunk);
      if (this.#smtp) this.#replies.push(...this.#reader.feed(chunk));
      this.#ring();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (socket !== this.#socket) return;
      this.#closed = true;
      this.#ring();
    });
  }

  #note(who: 'C' | 'S', bytes: Buffer): void {
    const text = bytes.subarray(0, 160).toString('latin1');
    this.#log.push(`${who}: ${JSON.stringify(text)}${bytes.length > 160 ? ` +${bytes.length - 160}` : ''}`);
    if (this.#log.length > 24) this.#log.shift();
  }

  #ring(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** What comes is not SMTP: its form is not judged. */
  notSmtp(): void {
    this.#smtp = false;
  }

  get log(): readonly string[] {
    return this.#log;
  }

  problem(text: string): void {
    this.problems.push(text);
  }

  /** Says bytes in up to `segments` + 1 segments. */
  async say(bytes: Buffer | string, segments = 0): Promise<void> {
    const whole = typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes;
    this.#note('C', whole);
    const cuts = segments === 0 ? [] : this.chance.cuts(whole.length, segments);
    let from = 0;
    for (const to of [...cuts, whole.length]) {
      if (this.#closed || !this.#socket.writable) return;
      this.#socket.write(whole.subarray(from, to));
      from = to;
      if (to < whole.length) await new Promise<void>((resolve) => setImmediate(resolve));
    }
    if (this.#socket.writableNeedDrain) await this.#drained();
  }

  #drained(): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.problem('the server reads no more');
        done();
      }, patienceMs);
      const done = (): void => {
        clearTimeout(timer);
        socket.off('drain', done);
        socket.off('close', done);
        resolve();
      };
      socket.once('drain', done);
      socket.once('close', done);
    });
  }

  /** The next reply; undefined when the connection ended first. Silence is noted as a problem and ends the connection. */
  async reply(): Promise<FuzzReply | undefined> {
    const end = Date.now() + patienceMs;
    for (;;) {
      const reply = this.#replies.shift();
      if (reply !== undefined || this.#closed) return reply;
      if (!(await this.#ringsBefore(end))) {
        this.problem(`no reply and no close in ${patienceMs} ms`);
        this.#socket.destroy();
        return undefined;
      }
    }
  }

  #ringsBefore(end: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#wake = undefined;
        resolve(false);
      }, end - Date.now());
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  async command(line: string): Promise<FuzzReply | undefined> {
    await this.say(`${line}\r\n`);
    return this.reply();
  }

  /** Greeting and EHLO; false = not served (which is no problem). */
  async greet(name = 'fuzz.client.test'): Promise<boolean> {
    const banner = await this.reply();
    if (banner?.code !== 220) return false;
    return (await this.command(`EHLO ${name}`))?.code === 250;
  }

  /** Handshake after a 220 to STARTTLS; false = it failed. */
  async startTls(): Promise<boolean> {
    const plain = this.#socket;
    this.#reader.finish();
    this.problems.push(...this.#reader.problems);
    for (const event of ['data', 'error', 'close']) plain.removeAllListeners(event);
    if (this.#replies.length > 0) this.problem('a plain reply between 220 and the handshake');
    this.#replies.length = 0;
    this.#reader = new ReplyReader();
    if (plain.destroyed) {
      // What stood behind STARTTLS in plain has already ended it; TLS over a socket that is gone never tells.
      this.#closed = true;
      return false;
    }
    const secure = await new Promise<TLSSocket | undefined>((resolve) => {
      const timer = setTimeout(() => {
        this.problem('the handshake neither succeeded nor failed');
        plain.destroy();
      }, patienceMs);
      const done = (socket: TLSSocket | undefined): void => {
        clearTimeout(timer);
        resolve(socket);
      };
      const made = connectTls({ socket: plain, rejectUnauthorized: false }, () => done(made));
      made.on('error', () => done(undefined));
      made.on('close', () => done(undefined));
    });
    if (secure === undefined) {
      plain.destroy();
      this.#closed = true;
      return false;
    }
    this.#socket = secure;
    this.#listen();
    return true;
  }

  /** Replies that nobody asked for: any is a problem. */
  expectNothingMore(): void {
    for (const { code, lines } of this.#replies) this.problem(`an extra reply: ${code} ${lines.join('|')}`);
  }

  async quit(): Promise<void> {
    const reply = await this.command('QUIT');
    if (reply !== undefined && reply.code !== 221 && reply.code !== 421)
      this.problem(`QUIT was answered ${reply.code}`);
    this.expectNothingMore();
    await this.ended();
  }

  /** Says that nothing more comes: the server must end the connection. */
  async hangUp(): Promise<void> {
    if (!this.#closed) this.#socket.end();
    await this.ended();
  }

  async ended(): Promise<void> {
    const end = Date.now() + patienceMs;
    while (!this.#closed) {
      if (await this.#ringsBefore(end)) continue;
      this.problem(`still open ${patienceMs} ms after the end`);
      break;
    }
    this.#socket.destroy();
  }

  /** TCP reset. */
  abort(): void {
    this.#aborted = true;
    if ('resetAndDestroy' in this.#socket) this.#socket.resetAndDestroy();
    this.#socket.destroy();
  }

  /** All problems, the reader's too; destroys what is still open. */
  finish(): readonly string[] {
    this.#socket.destroy();
    // A reset may cut a reply on the way; that is ours.
    if (!this.#aborted) this.#reader.finish();
    this.problems.push(...this.#reader.problems);
    return this.problems;
  }
}
