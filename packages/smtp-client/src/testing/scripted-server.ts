/** A next hop on loopback that answers as a test tells it, and remembers what it was told. For tests only. */
import { createServer, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

export interface Script {
  readonly greeting?: string;
  readonly extensions?: readonly string[];
  /** Answer to a command line; undefined = the usual one, 'hangup' = destroy the connection, '' = say nothing. */
  readonly on?: (line: string, secured: boolean) => string | undefined;
  /** Answer to the final dot. */
  readonly onDot?: (message: string) => string | undefined;
  /** Called with every piece of content; true = destroy the connection. */
  readonly onContent?: (soFar: string, socket: Socket) => boolean;
  readonly lmtp?: boolean;
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly implicitTls?: boolean;
}

export interface ScriptedServer {
  readonly port: number;
  readonly commands: string[];
  /** Content as it was on the wire, without the end of data. */
  readonly messages: string[];
  /** Bytes of each arrival that held more than one command: proof of grouping. */
  readonly arrivals: string[];
  connections: number;
  close(): Promise<void>;
}

const END = '\r\n.\r\n';

class Session {
  readonly #script: Script;
  readonly #server: ScriptedServer;
  #socket: Socket;
  #text = '';
  #inData = false;
  #chunks = '';
  #recipients = 0;

  constructor(socket: Socket, script: Script, server: ScriptedServer) {
    this.#script = script;
    this.#server = server;
    this.#socket = socket;
    this.#listen(socket);
    if (script.implicitTls === true) this.#secure();
    this.#say(script.greeting ?? '220 scripted.test ESMTP');
  }

  #listen(socket: Socket): void {
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      this.#text += bytes.toString('latin1');
      if (!this.#inData) this.#server.arrivals.push(bytes.toString('latin1'));
      this.#work();
    });
  }

  #secure(): void {
    this.#socket.removeAllListeners('data');
    const secure = new TLSSocket(this.#socket, { isServer: true, ...this.#script.tls });
    this.#socket = secure;
    this.#text = '';
    this.#listen(secure);
  }

  #say(answer: string | undefined): void {
    if (answer === 'hangup') this.#socket.destroy();
    else if (answer === 'bye') this.#socket.end();
    else if (answer !== undefined && answer !== '') this.#socket.write(`${answer}\r\n`);
  }

  #work(): void {
    while (!this.#socket.destroyed) {
      if (this.#inData) {
        if (this.#script.onContent?.(this.#text, this.#socket) === true) {
          this.#socket.destroy();
          return;
        }
        const framed = `\r\n${this.#text}`;
        const end = framed.indexOf(END);
        if (end === -1) return;
        const message = framed.slice(2, end + 2);
        this.#text = framed.slice(end + END.length);
        this.#inData = false;
        this.#server.messages.push(message);
        const usual =
          this.#script.lmtp === true ? Array(this.#recipients).fill('250 2.0.0 kept').join('\r\n') : '250 2.0.0 kept';
        this.#recipients = 0;
        this.#say(this.#script.onDot?.(message) ?? usual);
        continue;
      }
      const newline = this.#text.indexOf('\r\n');
      if (newline === -1) return;
      const line = this.#text.slice(0, newline);
      const [, octets, last] = /^BDAT (\d+)( LAST)?$/.exec(line) ?? [];
      if (octets !== undefined) {
        const end = newline + 2 + Number(octets);
        if (this.#text.length < end) return;
        this.#chunks += this.#text.slice(newline + 2, end);
        this.#text = this.#text.slice(end);
        this.#server.commands.push(line);
        if (last !== undefined) {
          this.#server.messages.push(this.#chunks);
          this.#chunks = '';
        }
        this.#say(this.#script.on?.(line, false) ?? '250 2.0.0 chunk');
        continue;
      }
      this.#text = this.#text.slice(newline + 2);
      this.#server.commands.push(line);
      this.#command(line);
    }
  }

  #command(line: string): void {
    const verb = line.split(/[ :]/)[0]?.toUpperCase() ?? '';
    const answer = this.#script.on?.(line, this.#socket instanceof TLSSocket) ?? this.#usual(verb);
    if (verb === 'RCPT' && answer.startsWith('2')) this.#recipients += 1;
    if (verb === 'RSET') this.#recipients = 0;
    this.#inData = verb === 'DATA' && answer.startsWith('354');
    this.#say(answer);
    if (verb === 'STARTTLS' && answer.startsWith('220')) this.#secure();
    if (verb === 'QUIT') this.#socket.end();
  }

  #usual(verb: string): string {
    switch (verb) {
      case 'EHLO':
      case 'LHLO':
        return ['scripted.test', ...(this.#script.extensions ?? [])]
          .map((line, index, all) => `250${index === all.length - 1 ? ' ' : '-'}${line}`)
          .join('\r\n');
      case 'DATA':
        return this.#recipients > 0 ? '354 go on' : '503 5.5.1 no recipients';
      case 'STARTTLS':
        return '220 2.0.0 go';
      case 'QUIT':
        return '221 2.0.0 bye';
      default:
        return '250 2.0.0 ok';
    }
  }
}

export async function startScripted(script: Script = {}): Promise<ScriptedServer> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    scripted.connections += 1;
    new Session(socket, script, scripted);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const scripted: ScriptedServer = {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    commands: [],
    messages: [],
    arrivals: [],
    connections: 0,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return scripted;
}
