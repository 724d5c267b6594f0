/**
 * A scripted SMTP client for tests and loads: says exactly the bytes it is told and returns the replies. Pipelines MAIL, RCPT and DATA when told
 * to. Knows nothing of policy: what the server answers is the result.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';

export interface SmtpReply {
  readonly code: number;
  readonly lines: readonly string[];
  readonly text: string;
}

export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

export interface SenderOptions {
  readonly host?: string;
  readonly port: number;
  readonly tls?: boolean;
  /** Milliseconds for any reply; default 60,000. */
  readonly timeoutMs?: number;
  readonly localAddress?: string;
}

export interface Letter {
  readonly from: string;
  readonly to: readonly string[];
  /** CRLF line ends, not stuffed, ending in CRLF. */
  readonly data: Buffer;
  readonly mailParameters?: string;
}

export class SmtpSender {
  #socket: Socket | TLSSocket;
  #buffer = '';
  #lines: string[] = [];
  readonly #replies: SmtpReply[] = [];
  readonly #waiting: { resolve: (reply: SmtpReply) => void; reject: (error: Error) => void }[] = [];
  #lost: Error | undefined;

  private constructor(
    socket: Socket | TLSSocket,
    private readonly timeoutMs: number,
  ) {
    this.#socket = socket;
    this.#attach(socket);
  }

  /** Connects; the greeting is the first reply to read. */
  static async open(options: SenderOptions): Promise<SmtpSender> {
    const host = options.host ?? '127.0.0.1';
    const timeoutMs = options.timeoutMs ?? 60_000;
    const socket = await new Promise<Socket | TLSSocket>((resolve, reject) => {
      const common = {
        host,
        port: options.port,
        ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
      };
      const made =
        options.tls === true
          ? connectTls({ ...common, rejectUnauthorized: false }, () => resolve(made))
          : connect({ ...common, noDelay: true }, () => resolve(made));
      made.once('error', reject);
      made.setTimeout(timeoutMs, () => made.destroy(new ConnectionLost('no answer in time')));
    });
    return new SmtpSender(socket, timeoutMs);
  }

  #attach(socket: Socket | TLSSocket): void {
    socket.on('data', (chunk: Buffer) => this.#take(chunk.toString('utf8')));
    socket.on('error', (error: Error) => this.#fail(error));
    socket.on('close', () => this.#fail(new ConnectionLost('connection closed')));
  }

  #take(text: string): void {
    this.#buffer += text;
    for (let at = this.#buffer.indexOf('\r\n'); at !== -1; at = this.#buffer.indexOf('\r\n')) {
      const line = this.#buffer.slice(0, at);
      this.#buffer = this.#buffer.slice(at + 2);
      this.#lines.push(line.slice(4));
      if (line[3] === '-') continue;
      const reply = { code: Number(line.slice(0, 3)), lines: this.#lines, text: this.#lines.join('\n') };
      this.#lines = [];
      const next = this.#waiting.shift();
      if (next === undefined) this.#replies.push(reply);
      else next.resolve(reply);
    }
  }

  #fail(error: Error): void {
    this.#lost ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#lost);
  }

  get lost(): boolean {
    return this.#lost !== undefined;
  }

  write(bytes: string | Buffer): void {
    this.#socket.write(bytes);
  }

  reply(): Promise<SmtpReply> {
    const ready = this.#replies.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  command(line: string): Promise<SmtpReply> {
    this.write(`${line}\r\n`);
    return this.reply();
  }

  /** Upgrades after a 220 to STARTTLS. */
  async startTls(): Promise<void> {
    const plain = this.#socket;
    plain.removeAllListeners();
    this.#buffer = '';
    this.#socket = await new Promise<TLSSocket>((resolve, reject) => {
      const secure = connectTls({ socket: plain, rejectUnauthorized: false }, () => resolve(secure));
      secure.once('error', reject);
    });
    this.#socket.setTimeout(this.timeoutMs, () => this.#socket.destroy(new ConnectionLost('no answer in time')));
    this.#attach(this.#socket);
  }

  /** Greeting and EHLO; throws when refused. */
  async greet(name = 'client.test'): Promise<SmtpReply> {
    const banner = await this.reply();
    if (banner.code !== 220) throw new Error(`greeted with ${banner.code} ${banner.text}`);
    return this.command(`EHLO ${name}`);
  }

  /** AUTH PLAIN with an initial response. */
  auth(user: string, password: string): Promise<SmtpReply> {
    return this.command(`AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}`);
  }

  /** One transaction, pipelined up to DATA; the reply is the first refusal or the final one. */
  async send(letter: Letter): Promise<SmtpReply> {
    const parameters = letter.mailParameters === undefined ? '' : ` ${letter.mailParameters}`;
    const commands = [`MAIL FROM:<${letter.from}>${parameters}`, ...letter.to.map((to) => `RCPT TO:<${to}>`), 'DATA'];
    this.write(commands.map((line) => `${line}\r\n`).join(''));
    let refusal: SmtpReply | undefined;
    for (let index = 0; index < commands.length - 1; index++) {
      const reply = await this.reply();
      if (reply.code >= 400) refusal ??= reply;
    }
    const go = await this.reply();
    if (go.code !== 354) {
      await this.command('RSET');
      return refusal ?? go;
    }
    this.write(stuff(letter.data));
    this.write('.\r\n');
    return this.reply();
  }

  async quit(): Promise<void> {
    await this.command('QUIT').catch(() => undefined);
    this.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** Dot-stuffing (RFC 5321 §4.5.2). */
export function stuff(data: Buffer): Buffer {
  if (data[0] !== 0x2e && data.indexOf('\r\n.') === -1) return data;
  return Buffer.from(data.toString('latin1').replace(/(^|\r\n)\./g, '$1..'), 'latin1');
}
