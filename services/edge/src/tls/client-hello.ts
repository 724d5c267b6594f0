/**
 * The name a client asks for, read from its ClientHello before TLS begins: Node lets a context be chosen by name later, but takes one certificate of it
 * only. Reads, decides nothing, and gives every byte back. What is no whole ClientHello within a record's length has no name; TLS will say what is wrong.
 * RFC 8446 §4.1.2 and §5.1, RFC 6066 §3.
 */
import type { Socket } from 'node:net';

export type HelloName = { readonly kind: 'incomplete' } | { readonly kind: 'read'; readonly serverName?: string };

const recordHeader = 5;
const handshakeRecord = 22;
const clientHello = 1;
/** RFC 8446 §5.1: the most one record carries; a longer hello is not waited for. */
const longestHello = 16_384;
const longestRecords = longestHello + 16 * recordHeader;

const incomplete: HelloName = { kind: 'incomplete' };
const unnamed: HelloName = { kind: 'read' };

/** What the records carry, as far as it has come; undefined where it is no handshake. */
function handshakeOf(bytes: Buffer): Buffer | undefined {
  const fragments: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] !== handshakeRecord) return undefined;
    if (at + recordHeader > bytes.length) break;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > longestHello) return undefined;
    fragments.push(bytes.subarray(at + recordHeader, at + recordHeader + length));
    at += recordHeader + length;
  }
  return fragments.length === 1 ? fragments[0] : Buffer.concat(fragments);
}

/** Walks fields with a length before them; a read beyond the end throws RangeError. */
class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isOver(): boolean {
    return this.#at >= this.#bytes.length;
  }

  number(octets: number): number {
    const value = this.#bytes.readUIntBE(this.#at, octets);
    this.#at += octets;
    return value;
  }

  take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new RangeError('a field ends beyond its message');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** A field whose length stands before it in so many octets. */
  field(octets: number): Buffer {
    return this.take(this.number(octets));
  }
}

function nameIn(body: Buffer): string | undefined {
  const hello = new Fields(body);
  hello.take(2 + 32);
  hello.field(1);
  hello.field(2);
  hello.field(1);
  if (hello.isOver) return undefined;
  const extensions = new Fields(hello.field(2));
  while (!extensions.isOver) {
    const type = extensions.number(2);
    const content = extensions.field(2);
    if (type !== 0) continue;
    const names = new Fields(new Fields(content).field(2));
    return names.number(1) === 0 ? names.field(2).toString('latin1') : undefined;
  }
  return undefined;
}

export function serverNameOf(bytes: Buffer): HelloName {
  const handshake = handshakeOf(bytes);
  if (handshake === undefined) return unnamed;
  if (handshake.length > 0 && handshake[0] !== clientHello) return unnamed;
  if (handshake.length < 4) return incomplete;
  const length = handshake.readUIntBE(1, 3);
  if (length > longestHello) return unnamed;
  if (handshake.length < 4 + length) return incomplete;
  try {
    const serverName = nameIn(handshake.subarray(4, 4 + length));
    return serverName === undefined ? unnamed : { kind: 'read', serverName };
  } catch {
    return unnamed;
  }
}

export interface HelloWait {
  /** Undefined = it asked for none, or sent what is no ClientHello. */
  onRead(serverName: string | undefined): void;
  /** The connection ended first. */
  onGone(): void;
}

/** Calls back in the turn in which the hello is whole. Who waits for TLS has the deadline. */
export function readServerName(socket: Socket, wait: HelloWait): void {
  let held: Buffer = Buffer.alloc(0);
  const finish = (): void => {
    socket.off('readable', onReadable);
    socket.off('close', onClose);
    socket.off('error', onError);
  };
  // 'close' follows.
  const onError = (): void => undefined;
  const onClose = (): void => {
    finish();
    wait.onGone();
  };
  const onReadable = (): void => {
    for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read())
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const hello = serverNameOf(held);
    if (hello.kind === 'incomplete' && held.length <= longestRecords) return;
    finish();
    socket.unshift(held);
    wait.onRead(hello.kind === 'read' ? hello.serverName : undefined);
  };
  socket.on('readable', onReadable);
  socket.on('close', onClose);
  socket.on('error', onError);
}
