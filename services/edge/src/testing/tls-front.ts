/** A port that begins with TLS, over doubles and certificates of a test's own authority: for tests of handshakes. */
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { testAuthority } from '@postern/testkit';
import type { Listener } from '../listener.js';
import { type Certificate, namesOf, type TlsMaterial } from '../tls/certificate-files.js';
import type { Doubles } from './doubles.js';
import { withFront } from './front.js';

export const authority = testAuthority();

export function certificate(name: string, names: readonly string[], kind: 'ec' | 'rsa' = 'ec'): Certificate {
  const { key, cert } = authority.issue(names, kind);
  const found = namesOf(Buffer.from(cert));
  return { name, key: Buffer.from(key), cert: Buffer.from(cert), names: found, expiresAtMs: Number.POSITIVE_INFINITY };
}

export const material = (...certificates: Certificate[]): TlsMaterial => ({ certificates, ticketSeed: undefined });
export const main = certificate('main', ['mx.one.test']);

/** Use at the top level of a test file. */
export function withTlsFront() {
  const front = withFront();
  return {
    start: front.start,
    listen(doubles: Doubles, tls: object = {}): Promise<Listener> {
      doubles.setSnapshot({ listeners: [{ name: 'submissions', role: 'submissions', tls }] });
      return front.start(doubles, { name: 'submissions', role: 'submissions' });
    },
  };
}

export interface Shaken {
  readonly socket: TLSSocket;
  readonly greeting: string;
  /** A ticket to come back with; that of TLS 1.3 comes after the handshake. */
  readonly ticket: Promise<Buffer>;
}

/** A handshake and the greeting; rejects where either does not come. */
export function shake(port: number, options: ConnectionOptions = {}): Promise<Shaken> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    const ticket = new Promise<Buffer>((taken) => socket.once('session', taken));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
    socket.once('data', (data: Buffer) => resolve({ socket, greeting: data.toString(), ticket }));
  });
}

export const commonName = ({ socket }: Shaken): string => String(socket.getPeerCertificate().subject.CN);
