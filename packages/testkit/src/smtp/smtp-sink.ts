/**
 * A next hop for tests: takes mail over SMTP and hands each message to `onMessage`. Answers are scripted by the recipient's local part: `451-…@` and
 * `550-…@` get that code at RCPT, `data451-…@` and `data550-…@` after the final dot, `drop-…@` loses the connection after the final dot. Not for production.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { TLSSocket, type TLSSocketOptions } from 'node:tls';

/** Key, certificate and bounds of the versions. */
export type TlsOptions = Pick<TLSSocketOptions, 'key' | 'cert' | 'minVersion' | 'maxVersion'>;

export interface SunkMessage {
  readonly reversePath: string;
  readonly recipients: readonly string[];
  /** As sent, dots unstuffed, without the final CRLF.CRLF marker. */
  readonly data: Buffer;
  /** Who brought it. */
  readonly client: SunkClient;
}

export interface SunkClient {
  readonly address: string;
  readonly greeting: string;
  /** Empty = without TLS. */
  readonly tlsVersion: string;
  /** From AUTH PLAIN, which is always believed; empty = none. */
  readonly login: string;
}

export interface SmtpSinkOptions {
  readonly onMessage?: (message: SunkMessage) => void;
  /** 0 = any free port. */
  readonly port?: number;
  readonly hostname?: string;
  /** Offers STARTTLS; the client may take any version within the bounds. */
  readonly tls?: TlsOptions;
  /** Extensions offered after EHLO. */
  readonly extensions?: readonly string[];
  /** Keep the messages in `messages`; default true. */
  readonly keep?: boolean;
  /** Code of the reply to RCPT for this recipient; undefined = the script of its local part. */
  readonly replyTo?: (recipient: string) => number | undefined;
}

export interface SmtpSink {
  readonly port: number;
  readonly messages: SunkMessage[];
  count(): number;
  connections(): number;
  close(): Promise<void>;
}

const endOfData = Buffer.from('\r\n.\r\n');
const defaultExtensions = ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN', 'ENHANCEDSTATUSCODES', 'SIZE 104857600'];

const pathOf = (line: string): string => /<([^>]*)>/.exec(line)?.[1] ?? '';
const scripted = (recipient: string, prefix: string): number | undefined => {
  const code = new RegExp(`^${prefix}([45]\\d\\d)-`).exec(recipient)?.[1];
  return code === undefined ? undefined : Number(code);
};

/** Undoes dot-stuffing (RFC 5321 §4.5.2). */
function unstuff(data: Buffer): Buffer {
  if (data[0] !== 0x2e && data.indexOf('\r\n..') === -1) return data;
  const text = data.toString('latin1').replace(/(^|\r\n)\.\./g, '$1.');
  return Buffer.from(text, 'latin1');
}

function serve(socket: Socket, options: SmtpSinkOptions, accept: (message: SunkMessage) => void): void {
  const hostname = options.hostname ?? 'sink.test';
  let stream: Socket = socket;
  const say = (line: string): boolean => stream.write(`${line}\r\n`, 'latin1');
  let greeting = '';
  let login = '';
  let pending: Buffer = Buffer.alloc(0);
  let mode: 'command' | 'data' = 'command';
  let reversePath = '';
  let recipients: string[] = [];
  let parts: Buffer[] = [];

  const command = (line: string): void => {
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'EHLO' || verb === 'HELO') greeting = line.slice(5);
    if (verb === 'EHLO') {
      const offersTls = options.tls !== undefined && !(stream instanceof TLSSocket);
      const lines = [hostname, ...(options.extensions ?? defaultExtensions), ...(offersTls ? ['STARTTLS'] : [])];
      stream.write(
        `${lines.map((text, index) => `250${index === lines.length - 1 ? ' ' : '-'}${text}`).join('\r\n')}\r\n`,
      );
    } else if (verb === 'HELO') say(`250 ${hostname}`);
    else if (verb === 'STAR' && options.tls !== undefined) {
      say('220 2.0.0 go on');
      pending = Buffer.alloc(0);
      socket.removeAllListeners('data');
      stream = new TLSSocket(socket, { isServer: true, ...options.tls });
      listen();
    } else if (verb === 'AUTH') {
      login =
        Buffer.from(line.split(' ')[2] ?? '', 'base64')
          .toString()
          .split('\0')[1] ?? '';
      say('235 2.7.0 ok');
    } else if (verb === 'MAIL') {
      reversePath = pathOf(line);
      recipients = [];
      parts = [];
      say('250 2.1.0 ok');
    } else if (verb === 'RCPT') {
      const recipient = pathOf(line);
      const code = options.replyTo?.(recipient) ?? scripted(recipient, '');
      if (code !== undefined) say(`${code} ${code < 500 ? '4.3.0 not now' : '5.1.1 no such user'}`);
      else {
        recipients.push(recipient);
        say('250 2.1.5 ok');
      }
    } else if (verb === 'DATA') {
      if (recipients.length === 0) say('554 5.5.1 no recipients');
      else {
        mode = 'data';
        parts = [];
        say('354 go on');
      }
    } else if (verb === 'RSET') {
      recipients = [];
      say('250 2.0.0 ok');
    } else if (verb === 'NOOP') say('250 2.0.0 ok');
    else if (verb === 'QUIT') {
      say('221 2.0.0 bye');
      stream.end();
    } else say('502 5.5.2 unknown');
  };
  const finish = (content: Buffer): void => {
    mode = 'command';
    const refusal = recipients.map((recipient) => scripted(recipient, 'data')).find((code) => code !== undefined);
    if (refusal !== undefined) return void say(`${refusal} ${refusal < 500 ? '4.3.0 not now' : '5.6.0 refused'}`);
    const tlsVersion = stream instanceof TLSSocket ? (stream.getProtocol() ?? '') : '';
    const client = { address: socket.remoteAddress ?? '', greeting, tlsVersion, login };
    accept({ reversePath, recipients, data: content, client });
    if (recipients.some((recipient) => recipient.startsWith('drop-'))) return void socket.destroy();
    say('250 2.0.0 sunk');
  };
  /** Takes what is complete from `pending`; true when something was taken. */
  const step = (): boolean => {
    if (mode === 'data') {
      const whole = parts.length === 0 && pending.subarray(0, 3).toString('latin1') === '.\r\n';
      const at = whole ? 0 : pending.indexOf(endOfData);
      if (at === -1) {
        // Searched once: only what may be the beginning of the end stays.
        if (pending.length >= endOfData.length) {
          parts.push(pending.subarray(0, pending.length - 4));
          pending = pending.subarray(pending.length - 4);
        }
        return false;
      }
      parts.push(whole ? Buffer.alloc(0) : pending.subarray(0, at + 2));
      pending = pending.subarray(whole ? 3 : at + 5);
      finish(unstuff(Buffer.concat(parts)));
      return true;
    }
    const at = pending.indexOf('\r\n');
    if (at === -1) return false;
    const line = pending.toString('utf8', 0, at);
    const [, octets, last] = /^BDAT (\d+)( LAST)?$/.exec(line) ?? [];
    if (octets !== undefined) {
      const end = at + 2 + Number(octets);
      if (pending.length < end) return false;
      parts.push(pending.subarray(at + 2, end));
      pending = pending.subarray(end);
      if (last === undefined) say('250 2.0.0 chunk');
      else {
        finish(Buffer.concat(parts));
        parts = [];
      }
      return true;
    }
    pending = pending.subarray(at + 2);
    command(line);
    return true;
  };
  const listen = (): void => {
    stream.on('data', (chunk) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      while (step());
    });
    stream.on('error', () => socket.destroy());
  };
  listen();
  say(`220 ${hostname} ESMTP`);
}

export async function startSmtpSink(options: SmtpSinkOptions = {}): Promise<SmtpSink> {
  const messages: SunkMessage[] = [];
  const sockets = new Set<Socket>();
  let count = 0;
  let connections = 0;
  const server: Server = createServer({ noDelay: true }, (socket) => {
    connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(socket, options, (message) => {
      count++;
      if (options.keep !== false) messages.push(message);
      options.onMessage?.(message);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the sink has no port');
  return {
    port: address.port,
    messages,
    count: () => count,
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
