/**
 * How much of what a client sends ahead a socket may hold in our memory, where the rest waits in its kernel. Node's own mark is 64 KiB, which as pieces of
 * one octet is some 25 MiB for one connection, since each piece costs hundreds of octets. Reads are as large as before: the mark counts only while nobody reads.
 * Node takes no such mark for a TLS socket, so it is set where its streams keep it.
 */
import type { Socket } from 'node:net';

const mostHeld = 1_024;

export function holdLittle(socket: Socket): void {
  const state: unknown = Reflect.get(socket, '_readableState');
  if (typeof state === 'object' && state !== null) Reflect.set(state, 'highWaterMark', mostHeld);
}
