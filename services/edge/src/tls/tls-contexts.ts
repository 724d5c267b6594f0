/**
 * What a listener answers a ClientHello with: one context per certificate, all with the listener's bounds, chosen by the name the client asks for
 * (RFC 6066 §3): the exact name, then a wildcard of one label, then the first certificate. With the first go those of other kinds of key (RSA beside
 * ECDSA) for its name: the client's signature algorithms decide. Node hands over one certificate where a context is chosen by name, so for other names
 * the first of each counts. Versions below TLS 1.2 are never spoken (RFC 8996).
 */
import { createHash, createPrivateKey } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions, type SecureVersion } from 'node:tls';
import type { ListenerTls } from '@postern/proto/config/v1/snapshot';
import type { Certificate, TlsMaterial } from './certificate-files.js';
import { ticketKeys } from './ticket-keys.js';

export interface TlsContexts {
  readonly fallback: SecureContext;
  /** Certificates of clients: never asked for, asked for, or no handshake without a valid one. */
  readonly clientCertificates: 'none' | 'request' | 'require';
  /** Undefined = the fallback, with all its certificates. */
  find(serverName: string): SecureContext | undefined;
}

const versionOf = (text: string | undefined, otherwise: SecureVersion): SecureVersion =>
  text === 'TLSv1.2' || text === 'TLSv1.3' ? text : otherwise;

function boundsOf(settings: ListenerTls | undefined, listener: string): SecureContextOptions {
  const { ciphers = '', curves = '', dhParameters = '', clientCa = '' } = settings ?? {};
  const identity = `${listener}\0${settings?.clientCertificates ?? ''}\0${clientCa}`;
  return {
    minVersion: versionOf(settings?.minVersion, 'TLSv1.2'),
    maxVersion: versionOf(settings?.maxVersion, 'TLSv1.3'),
    honorCipherOrder: true,
    // A session begun under one demand for client certificates is not taken up under another.
    sessionIdContext: createHash('sha256').update(identity).digest('hex').slice(0, 32),
    ...(ciphers === '' ? {} : { ciphers }),
    ...(curves === '' ? {} : { ecdhCurve: curves }),
    ...(dhParameters === '' ? {} : { dhparam: dhParameters }),
    // Never the public authorities: whom they certify is no client of ours.
    ca: clientCa === '' ? [] : clientCa,
  };
}

function clientCertificatesOf(settings: ListenerTls | undefined): TlsContexts['clientCertificates'] {
  const wanted = settings?.clientCertificates;
  return wanted === 'request' || wanted === 'require' ? wanted : 'none';
}

/** The certificates a listener may use; all where it names none that is here. */
function usable(all: readonly Certificate[], settings: ListenerTls | undefined): readonly Certificate[] {
  const named = (settings?.certificates ?? []).flatMap((name) =>
    all.filter((certificate) => certificate.name === name),
  );
  return named.length > 0 ? named : all;
}

/** The first certificate, and of each other kind of key the first that is good for all its names. */
function togetherWith(main: Certificate, certificates: readonly Certificate[]): readonly Certificate[] {
  const kinds = new Map<string, Certificate>();
  for (const certificate of certificates) {
    if (
      certificate !== main &&
      (main.names.length === 0 || !main.names.every((name) => certificate.names.includes(name)))
    )
      continue;
    const kind = createPrivateKey(certificate.key).asymmetricKeyType ?? '';
    if (!kinds.has(kind)) kinds.set(kind, certificate);
  }
  return [...kinds.values()];
}

/** Undefined without a certificate. Throws where OpenSSL does not take the settings. */
export function createTlsContexts(
  material: TlsMaterial,
  settings: ListenerTls | undefined,
  listener: string,
  epoch: number,
): TlsContexts | undefined {
  const bounds = boundsOf(settings, listener);
  const tickets = material.ticketSeed === undefined ? {} : { ticketKeys: ticketKeys(material.ticketSeed, epoch) };
  const certificates = usable(material.certificates, settings);
  const [main] = certificates;
  if (main === undefined) return undefined;
  const contextOf = (chosen: readonly Certificate[]): SecureContext =>
    createSecureContext({
      ...bounds,
      ...tickets,
      cert: chosen.map(({ cert }) => cert),
      key: chosen.map(({ key }) => key),
    });
  const together = togetherWith(main, certificates);
  const byName = new Map<string, SecureContext | undefined>(main.names.map((name) => [name, undefined]));
  for (const certificate of certificates) {
    const fresh = certificate.names.filter((name) => !byName.has(name));
    const context = fresh.length === 0 ? undefined : contextOf([certificate]);
    for (const name of fresh) byName.set(name, context);
  }
  return {
    fallback: contextOf(together),
    clientCertificates: clientCertificatesOf(settings),
    find(serverName) {
      const name = serverName.toLowerCase().replace(/\.$/, '');
      return byName.has(name) ? byName.get(name) : byName.get(`*${name.slice(name.indexOf('.'))}`);
    },
  };
}
