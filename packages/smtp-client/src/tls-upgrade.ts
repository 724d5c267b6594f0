/**
 * TLS on a socket that is connected: by STARTTLS or from the first octet. RFC 3207, RFC 8314.
 * Whether a certificate must be good follows from the mode; what was seen is recorded either way.
 */
import { isIP, type Socket } from 'node:net';
import { type ConnectionOptions, TLSSocket, connect as tlsConnect } from 'node:tls';
import { type ConnectionFailure, failureOf, unmet } from './failure.js';
import type { TlsSettings } from './options.js';
import type { Wire } from './wire.js';

export interface TlsInfo {
  readonly version: string;
  readonly cipher: string;
  /** Chain and name checked out, whatever the mode. */
  readonly authorized: boolean;
  /** Why not, or null. */
  readonly authorizationError: string | null;
  /** The caller's own check (DANE) was there and had no objection. */
  readonly peerChecked: boolean;
}

function handshakeOptions(settings: TlsSettings, socket: Socket): ConnectionOptions {
  const name = settings.serverName;
  return {
    minVersion: 'TLSv1.2',
    ...settings.context,
    socket,
    // RFC 6066 §3: no address in SNI
    ...(name === undefined || isIP(name) !== 0 ? {} : { servername: name }),
    ...(name === undefined ? {} : { host: name }),
    rejectUnauthorized: settings.mode === 'verified',
  };
}

/** Does the handshake; null = the wire is secure. */
export async function secure(wire: Wire, settings: TlsSettings, timeoutMs: number): Promise<ConnectionFailure | null> {
  if (settings.mode === 'verified' && settings.serverName === undefined) {
    return unmet('tls', 'certificate', 'no name to verify the certificate against');
  }
  const fault = await wire.upgrade((socket) => tlsConnect(handshakeOptions(settings, socket)), timeoutMs);
  if (fault !== null) {
    const failure = failureOf('tls', fault);
    const certificate = settings.mode === 'verified' && isCertificateError(fault.code);
    return certificate ? { ...failure, reason: 'certificate' } : failure;
  }
  if (settings.checkPeer === undefined || !(wire.socket instanceof TLSSocket)) return null;
  const objection = await settings.checkPeer(wire.socket);
  return objection === null ? null : unmet('tls', 'certificate', objection);
}

function isCertificateError(code: string | null): boolean {
  return code !== null && (code.includes('CERT') || code.includes('SIGNATURE') || code.startsWith('HOSTNAME'));
}

/** What TLS the wire has, or null. */
export function tlsInfo(wire: Wire, settings: TlsSettings): TlsInfo | null {
  const socket = wire.socket;
  if (!(socket instanceof TLSSocket)) return null;
  const error: unknown = socket.authorizationError;
  return {
    version: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher().name,
    authorized: socket.authorized,
    authorizationError: socket.authorized ? null : error instanceof Error ? error.message : String(error),
    peerChecked: settings.checkPeer !== undefined,
  };
}
