/** What is known of a connection once it is on TLS: version, cipher, and the certificate the client showed, verified or not. */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ClientCertificate } from '@postern/proto/policy/v1/policy_service';
import type { TlsFacts } from '../session.js';
import { certificateFault } from './tls-failure.js';

const maxNames = 50;

function clientCertificateOf(socket: TLSSocket): ClientCertificate | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const names = [...(certificate.subjectAltName ?? '').matchAll(/(?:DNS|email):([^,\s"]+)/g)]
    .slice(0, maxNames)
    .map(([, name = '']) => name.toLowerCase());
  const oneLine = (name: string): string => name.replaceAll('\n', ', ').slice(0, 1_024);
  return {
    verified: socket.authorized,
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    names,
  };
}

/** Undefined for a plain connection. */
export function tlsFactsOf(socket: Socket | TLSSocket): TlsFacts | undefined {
  if (!('getCipher' in socket)) return undefined;
  const cipher = socket.getCipher();
  const clientCertificate = clientCertificateOf(socket);
  return {
    version: socket.getProtocol() ?? '',
    cipher: cipher?.standardName ?? cipher?.name ?? '',
    ...(clientCertificate === undefined ? {} : { clientCertificate }),
    ...(clientCertificate?.verified === false ? { certificateFault: certificateFault(socket.authorizationError) } : {}),
  };
}
