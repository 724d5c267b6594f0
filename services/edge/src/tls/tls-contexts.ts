/**
 * What a listener answers a ClientHello with: one context per set of certificates, all with the listener's bounds, chosen by the name the client asks for
 * (RFC 6066 §3): the exact name, then a wildcard of one label, then the first certificate. Certificates of other kinds of key (RSA beside ECDSA) for a name
 * go together: what the client can verify decides. Versions below TLS 1.2 are never spoken (RFC 8996).
 */
import { createHash, createPrivateKey } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions, type SecureVersion } from 'node:tls';
import { pathText } from '@postern/config';
import type { ListenerTls } from '@postern/proto/config/v1/snapshot';
import type { Certificate, TlsMaterial } from './certificate-files.js';
import { cipherFault, suiteKindOf } from './cipher-fit.js';
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

const kindOf = ({ key }: Certificate): string => createPrivateKey(key).asymmetricKeyType ?? '';

/** Of each kind of key the first. */
function firstOfEachKind(certificates: readonly Certificate[]): readonly Certificate[] {
  const kinds = new Map<string, Certificate>();
  for (const certificate of certificates) {
    const kind = kindOf(certificate);
    if (!kinds.has(kind)) kinds.set(kind, certificate);
  }
  return [...kinds.values()];
}

/** The first certificate, and those that are good for all its names. */
function mainOnes(certificates: readonly Certificate[]): readonly Certificate[] {
  const [main] = certificates;
  const names = main?.names ?? [];
  return certificates.filter(
    (one) => one === main || (names.length > 0 && names.every((name) => one.names.includes(name))),
  );
}

const wildcardOf = (name: string): string => `*${name.slice(name.indexOf('.'))}`;

/** Those of exactly that name before those whose wildcard it falls under. */
const goodFor = (name: string, certificates: readonly Certificate[]): readonly Certificate[] => [
  ...certificates.filter(({ names }) => names.includes(name)),
  ...certificates.filter(({ names }) => !names.includes(name) && names.includes(wildcardOf(name))),
];

/** Throws where no client could come through. */
function demandFit(certificates: readonly Certificate[], settings: ListenerTls | undefined, listener: string): void {
  const { ciphers = '', maxVersion = '' } = settings ?? {};
  if (ciphers === '') return;
  const kinds = certificates.map(({ key }) => suiteKindOf(createPrivateKey(key)));
  const fault = cipherFault({ ciphers, maxVersion }, kinds);
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
  const certificates = usable(material.certificates, settings);
  const [main] = certificates;
  if (main === undefined) return undefined;
  demandFit(certificates, settings, listener);
  const contextOf = (chosen: readonly Certificate[]): SecureContext =>
    createSecureContext({
      ...bounds,
      ...tickets,
      cert: chosen.map(({ cert }) => cert),
      key: chosen.map(({ key }) => key),
    });
  const together = firstOfEachKind(mainOnes(certificates));
  const contexts = new Map<string, SecureContext | undefined>();
  const markOf = (chosen: readonly Certificate[]): string =>
    chosen
      .map((one) => certificates.indexOf(one))
      .sort((one, other) => one - other)
      .join();
  contexts.set(markOf(together), undefined);
  const byName = new Map<string, SecureContext | undefined>();
  let chosenAt: TlsContexts['chosenAt'] = 'name';
  for (const name of new Set(certificates.flatMap(({ names }) => names))) {
    const chosen = firstOfEachKind(goodFor(name, certificates));
    const mark = markOf(chosen);
    if (!contexts.has(mark)) {
      contexts.set(mark, contextOf(chosen));
      if (chosen.length > 1) chosenAt = 'hello';
    }
    byName.set(name, contexts.get(mark));
  }
  return {
    fallback: contextOf(together),
    clientCertificates: clientCertificatesOf(settings),
    chosenAt,
    find(serverName) {
      const name = serverName.toLowerCase().replace(/\.$/, '');
      return byName.get(byName.has(name) ? name : wildcardOf(name));
    },
  };
}
