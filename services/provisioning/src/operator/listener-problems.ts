/**
 * What the schema cannot see of a listener: settings that do not fit together, and PEM files that are none. Looked at when the document is taken, so
 * that no pod is given TLS settings it cannot use.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { ReferenceProblem } from './references.js';
import type { OperatorDocument } from './schema.js';

type Listener = OperatorDocument['listeners'][string];
type Path = readonly (string | number)[];

const reasonOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'not understood';

/** Undefined where `use` takes it. */
function refused(use: () => unknown): string | undefined {
  try {
    use();
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/** The certificates of a PEM file with several. */
function certificatesOf(pem: string): X509Certificate[] {
  return (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    (part) => new X509Certificate(part),
  );
}

function* tlsProblems({ tls }: Listener, at: Path): Generator<ReferenceProblem> {
  const field = (name: string, message: string): ReferenceProblem => ({ path: [...at, 'tls', name], message });
  if (tls.minVersion > tls.maxVersion)
    yield field('minVersion', `"${tls.minVersion}" is above maxVersion; expected at most "${tls.maxVersion}"`);
  const { ciphers, curves, clientCaFile, dhParametersFile } = tls;
  if (ciphers !== '' && refused(() => createSecureContext({ ciphers })) !== undefined)
    yield field('ciphers', `${JSON.stringify(ciphers)} names no cipher OpenSSL knows; expected an OpenSSL cipher list`);
  if (curves !== '' && refused(() => createSecureContext({ ecdhCurve: curves })) !== undefined)
    yield field('curves', `${JSON.stringify(curves)} is not known; expected names such as X25519:P-256`);
  if (tls.clientCertificates === 'require' && clientCaFile === undefined)
    yield field('clientCaFile', 'missing; expected the authorities of required client certificates');
  // A file that cannot be read is told by `named-files.ts`.
  if (clientCaFile !== undefined && refused(() => readFileSync(clientCaFile)) === undefined) {
    const wrong = refused(() => {
      if (certificatesOf(readFileSync(clientCaFile, 'utf8')).length === 0) throw new Error('none');
    });
    if (wrong !== undefined)
      yield field('clientCaFile', `${JSON.stringify(clientCaFile)} holds no certificate; expected PEM`);
  }
  if (dhParametersFile !== undefined && refused(() => readFileSync(dhParametersFile)) === undefined) {
    const wrong = refused(() => createSecureContext({ dhparam: readFileSync(dhParametersFile) }));
    if (wrong !== undefined)
      yield field(
        'dhParametersFile',
        `${JSON.stringify(dhParametersFile)} cannot be used (${wrong}); expected DH parameters in PEM of at least 2,048 bits`,
      );
  }
}

export function listenerProblems(document: OperatorDocument): ReferenceProblem[] {
  return Object.entries(document.listeners).flatMap(([name, listener]) => {
    const at = ['listeners', name];
    const problems = [...tlsProblems(listener, at)];
    const { starttls, auth } = listener.extensions;
    const role = listener.role ?? name;
    if (listener.requireTls === true && !starttls && role !== 'submissions') {
      const message = 'is on while extensions.starttls is off; expected false, or STARTTLS offered';
      problems.push({ path: [...at, 'requireTls'], message });
    }
    if ((listener.requireAuth ?? role !== 'mx') && !auth) {
      const message = 'is on while extensions.auth is off; expected false, or AUTH offered';
      problems.push({ path: [...at, 'requireAuth'], message });
    }
    return problems;
  });
}

/** The PEM files listeners name, by file. */
export function readListenerFiles(document: OperatorDocument): ReadonlyMap<string, string> {
  const files = Object.values(document.listeners).flatMap(({ tls }) => [tls.clientCaFile, tls.dhParametersFile]);
  return new Map(files.filter((file) => file !== undefined).map((file) => [file, readFileSync(file, 'utf8')]));
}
