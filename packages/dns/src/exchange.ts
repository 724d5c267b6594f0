/**
 * One question to one server: UDP first, from a socket of its own (so from a random port, RFC 5452 §9.2),
 * then TCP when the reply is truncated (RFC 7766). A reply counts only from the connected server, with the
 * right id and the right question; anything else is counted and ignored. Ends by reply, by signal or by a
 * socket error; never throws. The caller holds the time.
 */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { encodeQuestion, type Question, type Reading, type Reply, readReply } from './packet.js';
import type { RecordType } from './records.js';

export interface Server {
  readonly address: string;
  readonly port: number;
  /** Is its AD bit believed? True by default only for a server on this machine. */
  readonly trustAuthenticated: boolean;
}

export type Transport = 'udp' | 'tcp';

/** Replies for other questions that one socket listens through before it changes to TCP. */
const MAX_FOREIGN = 64;
const MAX_MESSAGE = 65_535;

export interface Exchange<T extends RecordType> {
  readonly server: Server;
  readonly question: Question & { readonly type: T };
  readonly signal: AbortSignal;
  readonly onTransport: (transport: Transport) => void;
}

export async function exchange<T extends RecordType>(request: Exchange<T>): Promise<Reply<T>> {
  request.onTransport('udp');
  const reading = await overUdp(request);
  if (reading.kind === 'reply') return reading.reply;
  request.onTransport('tcp');
  return overTcp(request);
}

function overUdp<T extends RecordType>({ server, question, signal }: Exchange<T>): Promise<Reading<T>> {
  return new Promise((resolve) => {
    const socket = createSocket(server.address.includes(':') ? 'udp6' : 'udp4');
    let foreign = 0;
    let open = true;
    const finish = (reading: Reading<T>): void => {
      if (!open) return;
      open = false;
      signal.removeEventListener('abort', onAbort);
      socket.close();
      resolve(reading);
    };
    const fail = (error: NodeJS.ErrnoException): void =>
      finish({ kind: 'reply', reply: { kind: 'unreachable', reason: error.code ?? 'socket error' } });
    const onAbort = (): void => finish({ kind: 'reply', reply: { kind: 'aborted' } });
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort);
    socket.on('error', fail);
    socket.on('message', (octets) => {
      const reading = readReply(octets, question, server.trustAuthenticated);
      if (reading.kind !== 'foreign') finish(reading);
      else if (++foreign >= MAX_FOREIGN) finish({ kind: 'truncated' });
    });
    socket.connect(server.port, server.address, (error?: Error) => {
      if (!open) return;
      if (error !== undefined && error !== null) fail(error);
      else socket.send(encodeQuestion(question), (sendError) => sendError !== null && fail(sendError));
    });
  });
}

function overTcp<T extends RecordType>({ server, question, signal }: Exchange<T>): Promise<Reply<T>> {
  return new Promise((resolve) => {
    const socket = connect({ host: server.address, port: server.port });
    const chunks: Buffer[] = [];
    let received = 0;
    let open = true;
    const finish = (reply: Reply<T>): void => {
      if (!open) return;
      open = false;
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(reply);
    };
    const onAbort = (): void => finish({ kind: 'aborted' });
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort);
    socket.on('error', (error: NodeJS.ErrnoException) =>
      finish({ kind: 'unreachable', reason: error.code ?? 'socket error' }),
    );
    socket.on('close', () => finish({ kind: 'servfail', reason: 'connection closed' }));
    socket.on('connect', () => {
      const body = encodeQuestion(question);
      const message = Buffer.allocUnsafe(body.length + 2);
      message.writeUInt16BE(body.length, 0);
      body.copy(message, 2);
      socket.write(message);
    });
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      received += chunk.length;
      if (received < 2) return;
      const all = chunks.length === 1 ? chunk : Buffer.concat(chunks);
      chunks.length = 1;
      chunks[0] = all;
      const length = all.readUInt16BE(0);
      if (received < length + 2 && received <= MAX_MESSAGE + 2) return;
      const reading = readReply(all.subarray(2, 2 + length), question, server.trustAuthenticated);
      finish(reading.kind === 'reply' ? reading.reply : { kind: 'servfail', reason: `${reading.kind} over tcp` });
    });
  });
}
