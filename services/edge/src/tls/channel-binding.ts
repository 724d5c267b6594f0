/**
 * Channel binding data of a TLS connection: `tls-exporter` (RFC 9266), of this connection alone, and `tls-server-end-point` (RFC 5929 section 4.1), the hash of
 * the certificate the client was shown. Undefined where there is none, so that nothing is bound to nothing.
 */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { BindingType } from '../sasl/mechanism.js';

const exporterLabel = 'EXPORTER-Channel-Binding';
const exporterBytes = 32;

/** MD5 and SHA-1 are replaced by SHA-256; any other is the hash of the certificate's signature. */
function hashOf(signatureAlgorithm: string | undefined): string {
  const [, bits] = /sha-?(384|512)/i.exec(signatureAlgorithm ?? '') ?? [];
  return `sha${bits ?? '256'}`;
}

export function channelBinding(socket: Socket, type: BindingType): Buffer | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  try {
    if (type === 'tls-exporter') return socket.exportKeyingMaterial(exporterBytes, exporterLabel, Buffer.alloc(0));
    const certificate = socket.getX509Certificate();
    if (certificate === undefined) return undefined;
    return createHash(hashOf(certificate.signatureAlgorithm)).update(certificate.raw).digest();
  } catch {
    // Before the handshake has ended, or TLS 1.2 without extended master secret.
    return undefined;
  }
}
