/**
 * What a listener answers a ClientHello with: one context per set of certificates that go together, all with the listener's bounds, chosen by the name
 * the client asks for. Versions below TLS 1.2 are never spoken (RFC 8996).
 */
import { createHash, createPrivateKey } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions, type SecureVersion } from 'node:tls';
import { pathText } from '@postern/config';
import type { ListenerTls } from '@postern/proto/config/v1/snapshot';
import { type Choosable, certificateChoice, wildcardOf } from './certificate-choice.js';
import type { Certificate, TlsMaterial } from './certificate-files.js';
import { cipherFault } from './cipher-fit.js';
import { ticketKeys } from './ticket-keys.js';

export interface TlsContexts {
  readonly fallback: SecureContext;
  /** Certificates of clients: never asked for, asked for, or no handshake without a valid one. */
  readonly clientCertificates: 'none' | 'request' | 'require';
  /**
   * `hello` = the context must be chosen from the ClientHello before TLS begins, since Node takes one certificate of a context that is chosen by name
   * later: where another name than the first certificate's has several.
   */
  readonly chosenAt: 'name' | 'hello';
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
export function usable(all: readonly Certificate[], settings: ListenerTls | undefined): readonly Certificate[] {
  const named = (settings?.certificates ?? []).flatMap((name) =>
    all.filter((certificate) => certificate.name === name),
  );
  return named.length > 0 ? named : all;
}

const choosable = (certificate: Certificate): Certificate & Choosable => ({
  ...certificate,
  keyType: createPrivateKey(certificate.key).asymmetricKeyType ?? '',
});

/** Throws where some clients could never come through. */
function demandFit(certificates: readonly Choosable[], settings: ListenerTls | undefined, listener: string): void {
  const { ciphers = '', maxVersion = '' } = settings ?? {};
  const fault = cipherFault({ ciphers, maxVersion }, certificates);
  if (fault !== undefined) throw new Error(`${pathText(['listeners', listener, 'tls', 'ciphers'])}: ${fault}`);
}

/** Undefined without a certificate. Throws where OpenSSL does not take the settings, or the certificates do not fit them. */
export function createTlsContexts(
  material: TlsMaterial,
  settings: ListenerTls | undefined,
  listener: string,
  epoch: number,
): TlsContexts | undefined {
  const bounds = boundsOf(settings, listener);
  const tickets = material.ticketSeed === undefined ? {} : { ticketKeys: ticketKeys(material.ticketSeed, epoch) };
  const certificates = usable(material.certificates, settings).map(choosable);
  if (certificates.length === 0) return undefined;
  demandFit(certificates, settings, listener);
  const contextOf = (chosen: readonly Certificate[]): SecureContext =>
    createSecureContext({
      ...bounds,
      ...tickets,
      cert: chosen.map(({ cert }) => cert),
      key: chosen.map(({ key }) => key),
    });
  const choice = certificateChoice(certificates);
  const contexts = new Map<string, SecureContext | undefined>();
  const markOf = (chosen: readonly (Certificate & Choosable)[]): string =>
    chosen
      .map((one) => certificates.indexOf(one))
      .sort((one, other) => one - other)
      .join();
  contexts.set(markOf(choice.fallback), undefined);
  const byName = new Map<string, SecureContext | undefined>();
  let chosenAt: TlsContexts['chosenAt'] = 'name';
  for (const [name, chosen] of choice.byName) {
    const mark = markOf(chosen);
    if (!contexts.has(mark)) {
      contexts.set(mark, contextOf(chosen));
      if (chosen.length > 1) chosenAt = 'hello';
    }
    byName.set(name, contexts.get(mark));
  }
  return {
    fallback: contextOf(choice.fallback),
    clientCertificates: clientCertificatesOf(settings),
    chosenAt,
    find(serverName) {
      const name = serverName.toLowerCase().replace(/\.$/, '');
      return byName.get(byName.has(name) ? name : wildcardOf(name));
    },
  };
}
