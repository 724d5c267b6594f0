/**
 * A client of one byte stream for tests: what it sends is exactly the bytes given, also such as no mail program sends; replies are read one by one.
 */
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, TLSSocket } from 'node:tls';

/** A raw client: what it sends is exactly the bytes given. */
export class RawClient {
  #socket: Socket;
  #received = '';
  #closed = false;
  #wake: (() => void) | undefined;
  #ticket: Buffer | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#attach(socket);
  }

  static open(port: number, tls = false): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = tls
        ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
        : connect({ port, host: '127.0.0.1' });
      socket.once(tls ? 'secureConnect' : 'connect', () => resolve(new RawClient(socket)));
      socket.once('error', reject);
    });
  }

  #attach(socket: Socket): void {
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('utf8');
      this.#wake?.();
    });
    const over = (): void => {
      this.#closed = true;
      this.#wake?.();
    };
    socket.on('close', over);
    socket.on('end', over);
    socket.on('error', over);
  }

  send(text: string | Buffer): void {
    this.#socket.write(typeof text === 'string' ? Buffer.from(text, 'utf8') : text);
  }

  /** Bytes of one latin1 character each. */
  sendBytes(text: string): void {
    this.#socket.write(Buffer.from(text, 'latin1'));
  }

  /** The next reply, all its lines; undefined when the connection closed first. */
  async reply(): Promise<string | undefined> {
    for (;;) {
      const match = /^(?:\d{3}-[^\r\n]*\r\n)*\d{3}(?: [^\r\n]*)?\r\n/.exec(this.#received);
      if (match !== null) {
        this.#received = this.#received.slice(match[0].length);
        return match[0].trimEnd();
      }
      if (this.#closed) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async command(line: string): Promise<string | undefined> {
    this.send(`${line}\r\n`);
    return this.reply();
  }

  /** Resolves when the other side ended the connection. */
  async closed(): Promise<true> {
    while (!this.#closed) await new Promise<void>((resolve) => (this.#wake = resolve));
    return true;
  }

  /** What came and was not read as a reply. */
  get rest(): string {
    return this.#received;
  }

  /** RFC 9266: what is of this TLS connection alone; empty in plain. */
  tlsExporter(): Buffer {
    const socket = this.#socket;
    return socket instanceof TLSSocket
      ? socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
      : Buffer.alloc(0);
  }

  /** To come back with; that of TLS 1.3 comes after the handshake. */
  async ticket(): Promise<Buffer> {
    for (;;) {
      if (this.#ticket !== undefined) return this.#ticket;
      if (this.#closed) throw new Error('the connection was closed before a ticket came');
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  startTls(options: ConnectionOptions = {}): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const raw = this.#socket;
      raw.removeAllListeners();
      const socket = connectTls({ socket: raw, rejectUnauthorized: false, ...options });
      socket.once('error', reject);
      socket.once('session', (ticket: Buffer) => {
        this.#ticket = ticket;
        this.#wake?.();
      });
      socket.once('secureConnect', () => {
        this.#socket = socket;
        this.#received = '';
        this.#attach(socket);
        resolve(socket);
      });
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
