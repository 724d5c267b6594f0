/** One gRPC request as raw HTTP/2, so that its bytes may be wrong in every layer. Every wait has an end. */
import { type ClientHttp2Session, connect, constants, type OutgoingHttpHeaders } from 'node:http2';

export interface RawCall {
  readonly headers: OutgoingHttpHeaders;
  /** Written one after the other. */
  readonly parts: readonly Buffer[];
  /** What the client does behind the last part. */
  readonly ending: 'end' | 'reset' | 'abandon';
}

export type RawAnswer =
  | { readonly kind: 'status'; readonly grpc: number; readonly http: number }
  /** The stream or the connection was ended without a status. */
  | { readonly kind: 'reset' }
  | { readonly kind: 'silence' };

const patienceMs = 15_000;
/** A call that was abandoned is waited for shortly, then cancelled. */
const abandonedMs = 300;

export function openSession(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  return session;
}

export function rawCall(session: ClientHttp2Session, call: RawCall): Promise<RawAnswer> {
  return new Promise((resolve) => {
    let stream: ReturnType<ClientHttp2Session['request']>;
    try {
      stream = session.request({ ':method': 'POST', te: 'trailers', ...call.headers }, { endStream: false });
    } catch {
      resolve({ kind: 'reset' });
      return;
    }
    let grpc = -1;
    let http = 0;
    const wait = call.ending === 'abandon' ? abandonedMs : patienceMs;
    const timer = setTimeout(() => finish({ kind: 'silence' }), wait);
    const finish = (answer: RawAnswer): void => {
      clearTimeout(timer);
      resolve(answer);
      if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
    };
    const look = (headers: Readonly<Record<string, unknown>>): void => {
      if (headers[':status'] !== undefined) http = Number(headers[':status']);
      if (headers['grpc-status'] !== undefined) grpc = Number(headers['grpc-status']);
    };
    stream.on('response', look);
    stream.on('trailers', look);
    stream.on('error', () => undefined);
    stream.on('data', () => undefined);
    stream.on('close', () => finish(http === 0 ? { kind: 'reset' } : { kind: 'status', grpc, http }));
    for (const part of call.parts) stream.write(part);
    if (call.ending === 'end') stream.end();
    else if (call.ending === 'reset') setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), 20);
  });
}

/** The five octets before a message. */
export function frame(message: Buffer, length = message.length, compressed = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = compressed;
  head.writeUInt32BE(length >>> 0, 1);
  return Buffer.concat([head, message]);
}

export async function isServing(port: number): Promise<boolean> {
  const session = openSession(port);
  const answer = await rawCall(session, {
    headers: { ':path': '/grpc.health.v1.Health/Check', 'content-type': 'application/grpc' },
    parts: [frame(Buffer.alloc(0))],
    ending: 'end',
  });
  session.destroy();
  return answer.kind === 'status' && answer.grpc === 0;
}
