/**
 * Does a PostgreSQL accept connections? Asked with a start-up packet of the wire protocol, without a password: a server
 * that serves asks for one (message `R`); one that is starting or recovering answers 57P03. Nothing is logged in.
 */
import { connect } from 'node:net';

function startupPacket(): Buffer {
  const parameters = Buffer.from('user\0postgres\0database\0postgres\0\0', 'latin1');
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + parameters.length, 0);
  head.writeInt32BE(196_608, 4);
  return Buffer.concat([head, parameters]);
}

/** True if the server on this loopback port takes logins now. */
export function pgIsReady(port: number, withinMs = 1000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const finish = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(withinMs, () => finish(false));
    socket.once('error', () => finish(false));
    socket.once('close', () => finish(false));
    socket.once('connect', () => socket.write(startupPacket()));
    socket.once('data', (chunk: Buffer) => finish(chunk[0] === 0x52));
  });
}
