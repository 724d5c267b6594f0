/**
 * What is wrong with the TLS files of a pod, said of the field that names them, before anything starts. A file that is not there yet is no
 * fault here: `npm start` makes some, and the start itself refuses one that is missing.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Fault, FieldPath } from '@postern/config';
import type { Choosable } from './certificate-choice.js';
import { namesOf, shortestSeed } from './certificate-files.js';
import { soonMs } from './certificate-standing.js';

interface Pair {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface TlsFiles {
  readonly tls?: Pair | undefined;
  readonly certificates: readonly (Pair & { readonly name: string })[];
  readonly ticketKeyFile?: string | undefined;
}

function contentOf(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

function pairFaults({ certFile, keyFile }: Pair, at: FieldPath): Fault[] {
  const [cert, key] = [contentOf(certFile), contentOf(keyFile)];
  if (cert === undefined || key === undefined) return [];
  const fault = (field: keyof Pair, file: string, what: string): Fault[] => [
    { path: [...at, field], message: `${JSON.stringify(file)} ${what}` },
  ];
  const certificate = attempt(() => new X509Certificate(cert));
  if (certificate === undefined) return fault('certFile', certFile, 'holds no certificate; expected a chain in PEM');
  const privateKey = attempt(() => createPrivateKey(key));
  if (privateKey === undefined)
    return fault('keyFile', keyFile, 'holds no private key without a passphrase; expected one in PEM');
  if (!certificate.checkPrivateKey(privateKey))
    return fault('keyFile', keyFile, `is not the key of ${JSON.stringify(certFile)}; expected the two to fit together`);
  if (attempt(() => createSecureContext({ cert, key })) === undefined)
    return fault('certFile', certFile, 'cannot be used by OpenSSL; expected a chain in PEM and a strong enough key');
  return [];
}

export function tlsFaults({ tls, certificates, ticketKeyFile }: TlsFiles): Fault[] {
  const names = [...(tls === undefined ? [] : ['default']), ...certificates.map(({ name }) => name)];
  const before = names.length - certificates.length;
  const twice = certificates.flatMap(({ name }, index): Fault[] => {
    if (names.indexOf(name) === before + index) return [];
    const whose = name === 'default' && before === 1 ? 'is the name of edge.tls' : 'is given twice';
    const message = `${JSON.stringify(name)} ${whose}; expected a name of its own`;
    return [{ path: ['edge', 'certificates', index, 'name'], message }];
  });
  const seed = ticketKeyFile === undefined ? undefined : contentOf(ticketKeyFile);
  const short: Fault[] =
    seed === undefined || seed.length >= shortestSeed
      ? []
      : [
          {
            path: ['edge', 'ticketKeyFile'],
            message: `${JSON.stringify(ticketKeyFile)} holds ${seed.length} bytes; expected at least ${shortestSeed} random ones`,
          },
        ];
  return [
    ...(tls === undefined ? [] : pairFaults(tls, ['edge', 'tls'])),
    ...certificates.flatMap((pair, index) => pairFaults(pair, ['edge', 'certificates', index])),
    ...twice,
    ...short,
  ];
}

/** What each certificate can be chosen for, by its name; nothing is known of one whose files are not there yet. */
export function choosables({ tls, certificates }: TlsFiles): ReadonlyMap<string, Choosable> {
  const pairs = [...(tls === undefined ? [] : [{ name: 'default', ...tls }]), ...certificates];
  return new Map(
    pairs.map(({ name, certFile, keyFile }) => {
      const [cert, key] = [contentOf(certFile), contentOf(keyFile)];
      const names = cert === undefined ? undefined : attempt(() => namesOf(cert));
      const keyType = key === undefined ? undefined : attempt(() => createPrivateKey(key).asymmetricKeyType);
      return [name, { names: names ?? [], keyType: keyType ?? '' }];
    }),
  );
}

/** Certificates that are over or soon will be: no fault, since a pod serves with them, but worth a word before it starts. */
export function endingNotes({ tls, certificates }: TlsFiles, nowMs: number): Fault[] {
  const note = ({ certFile }: Pair, at: FieldPath): Fault[] => {
    const cert = contentOf(certFile);
    const end = cert === undefined ? undefined : attempt(() => Date.parse(new X509Certificate(cert).validTo));
    if (end === undefined || end - nowMs >= soonMs) return [];
    const day = new Date(end).toISOString().slice(0, 10);
    const what = end <= nowMs ? `expired on ${day}: clients that verify refuse it` : `expires on ${day}`;
    return [{ path: [...at, 'certFile'], message: `${JSON.stringify(certFile)} ${what}` }];
  };
  return [
    ...(tls === undefined ? [] : note(tls, ['edge', 'tls'])),
    ...certificates.flatMap((pair, index) => note(pair, ['edge', 'certificates', index])),
  ];
}
