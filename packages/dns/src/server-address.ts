/** A server as configuration writes it: `192.0.2.1`, `192.0.2.1:53`, `2001:db8::1`, `[2001:db8::1]:53`. */
import { isIP } from 'node:net';
import type { Server } from './exchange.js';

export function parseServer(text: string, trustAuthenticated?: boolean): Server {
  const bracketed = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text);
  const plain = bracketed === null && isIP(text) === 0 ? /^([^:]+):(\d{1,5})$/.exec(text) : null;
  const address = bracketed?.[1] ?? plain?.[1] ?? text;
  const port = Number(bracketed?.[2] ?? plain?.[2] ?? 53);
  if (isIP(address) === 0 || port < 1 || port > 65_535) {
    throw new RangeError(
      `not a DNS server address: ${JSON.stringify(text)} (want an IP address, with or without :port)`,
    );
  }
  const local = address.startsWith('127.') || address === '::1';
  return { address, port, trustAuthenticated: trustAuthenticated ?? local };
}
