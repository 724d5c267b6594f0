/**
 * What the schema cannot see of a listener: settings that do not fit together, ciphers and groups OpenSSL does not know. Looked at when the document
 * is taken, so that no pod is given TLS settings it cannot use. Its PEM files are looked at in `named-files.ts`.
 */
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Fault, FieldPath } from '@postern/config';
import { weakSuites } from './cipher-list.js';
import type { OperatorDocument } from './schema.js';

type Listener = OperatorDocument['listeners'][string];

/** Does OpenSSL take these settings? */
function isKnown(settings: SecureContextOptions): boolean {
  try {
    createSecureContext(settings);
    return true;
  } catch {
    return false;
  }
}

/** How many of an OpenSSL cipher list are suites of TLS 1.3, or are not; what it takes out again is no suite. */
function suites(ciphers: string, ofTls13: boolean): number {
  const named = ciphers.split(/[:, ]+/).filter((cipher) => cipher !== '' && !/^[!@-]/.test(cipher));
  return named.filter((cipher) => cipher.startsWith('TLS_') === ofTls13).length;
}

function* tlsProblems({ tls }: Listener, at: FieldPath): Generator<Fault> {
  const field = (name: string, message: string): Fault => ({ path: [...at, 'tls', name], message });
  if (tls.minVersion > tls.maxVersion)
    yield field('minVersion', `"${tls.minVersion}" is above maxVersion; expected at most "${tls.maxVersion}"`);
  const { ciphers, curves } = tls;
  if (ciphers !== '' && !isKnown({ ciphers }))
    yield field('ciphers', `${JSON.stringify(ciphers)} names no cipher OpenSSL knows; expected an OpenSSL cipher list`);
  const weak = weakSuites(ciphers);
  if (weak !== undefined) yield field('ciphers', weak);
  const [newer, older] = [suites(ciphers, true), suites(ciphers, false)];
  if (tls.maxVersion === 'TLSv1.2' && newer > 0 && older === 0)
    yield field('ciphers', 'names suites of TLS 1.3 only, but maxVersion is TLSv1.2; expected one of TLS 1.2 too');
  const dheOnly = older > 0 && ciphers.split(/[:, ]+/).every((one) => /^(?:DHE-|TLS_|[!@-])/.test(one));
  if (tls.maxVersion === 'TLSv1.2' && dheOnly && tls.dhParameters === 'none' && tls.dhParametersFile === undefined)
    yield field(
      'ciphers',
      'names suites of DHE only, which dhParameters: none leaves out; expected dhParameters: auto',
    );
  if (tls.minVersion === 'TLSv1.3' && older > 0 && newer === 0)
    yield field(
      'ciphers',
      'names none of TLS 1.3, but minVersion is TLSv1.3; expected one such as TLS_AES_128_GCM_SHA256',
    );
  if (curves !== '' && !isKnown({ ecdhCurve: curves }))
    yield field('curves', `${JSON.stringify(curves)} is not known; expected names such as X25519:P-256`);
  if (tls.clientCertificates === 'require' && tls.clientCaFile === undefined)
    yield field('clientCaFile', 'missing; expected the authorities of required client certificates');
}

/** A setting nobody wrote is not blamed as if somebody had. */
const byDefault = (written: unknown, role: string): string =>
  written === undefined ? ` by the default of role ${role}` : '';

export function listenerProblems(document: OperatorDocument): Fault[] {
  return Object.entries(document.listeners).flatMap(([name, listener]) => {
    const at = ['listeners', name];
    const problems = [...tlsProblems(listener, at)];
    const { starttls, auth, binaryMime, chunking } = listener.extensions;
    const role = listener.role ?? name;
    if ((listener.requireTls ?? role === 'submission') && !starttls && role !== 'submissions') {
      const on = `is on${byDefault(listener.requireTls, role)}`;
      const message = `${on} while extensions.starttls is off; expected false, or STARTTLS offered`;
      problems.push({ path: [...at, 'requireTls'], message });
    }
    const authOn = `on${byDefault(listener.requireAuth, role)}`;
    if ((listener.requireAuth ?? role !== 'mx') && !auth) {
      const message = `is ${authOn} while extensions.auth is off; expected false, or AUTH offered`;
      problems.push({ path: [...at, 'requireAuth'], message });
    }
    const needsTls = role === 'submissions' || (listener.requireTls ?? role === 'submission');
    const onPlain = needsTls ? 0 : listener.authMechanismsPlain.length;
    const onTls = listener.authMechanismsTls?.length ?? (role === 'mx' ? 0 : 1);
    if ((listener.requireAuth ?? role !== 'mx') && auth && onTls + onPlain === 0) {
      const empty = `is empty${byDefault(listener.authMechanismsTls, role)}`;
      const inVain =
        listener.authMechanismsPlain.length > 0
          ? ' (TLS is demanded: those of authMechanismsPlain are never offered)'
          : '';
      const message = `${empty} while requireAuth is ${authOn}${inVain}; expected a mechanism, or requireAuth: false`;
      problems.push({ path: [...at, 'authMechanismsTls'], message });
    }
    for (const name of ['authMechanismsTls', 'authMechanismsPlain'] as const)
      listener[name]?.forEach((mechanism, index, all) => {
        if (all.indexOf(mechanism) < index)
          problems.push({ path: [...at, name, index], message: `"${mechanism}" is named twice; expected it once` });
        else if (name === 'authMechanismsPlain' && mechanism.endsWith('-PLUS')) {
          const message = `"${mechanism}" binds to TLS, which a plain connection has not; expected it in authMechanismsTls only`;
          problems.push({ path: [...at, name, index], message });
        }
      });
    if (listener.proxyProtocol && document.trustedProxies.length === 0) {
      const message =
        'is on while trustedProxies is empty, so that every connection would be dropped; expected proxies there';
      problems.push({ path: [...at, 'proxyProtocol'], message });
    }
    if (binaryMime && !chunking) {
      const message = 'is on while extensions.chunking is off; expected false, or CHUNKING offered';
      problems.push({ path: [...at, 'extensions', 'binaryMime'], message });
    }
    return problems;
  });
}

/** The PEM files listeners name, by file. */
export function readListenerFiles(document: OperatorDocument): ReadonlyMap<string, string> {
  const files = Object.values(document.listeners).flatMap(({ tls }) => [tls.clientCaFile, tls.dhParametersFile]);
  return new Map(files.filter((file) => file !== undefined).map((file) => [file, readFileSync(file, 'utf8')]));
}
