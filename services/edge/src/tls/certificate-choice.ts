/**
 * Which certificates answer which client: by the name it asks for (RFC 6066 §3) the exact name, then a wildcard of one label, else the first certificate.
 * Certificates of other kinds of key (RSA beside ECDSA) for a name go together: what the client can verify decides. Pure.
 */

export interface Choosable {
  /** Names it is good for, lower case. */
  readonly names: readonly string[];
  /** As Node names it; empty = not known. */
  readonly keyType: string;
}

export interface CertificateChoice<T extends Choosable> {
  /** For clients that ask for no name, or for one that no certificate has. */
  readonly fallback: readonly T[];
  readonly byName: ReadonlyMap<string, readonly T[]>;
}

/** Of each kind of key the first. */
function firstOfEachKind<T extends Choosable>(certificates: readonly T[]): readonly T[] {
  const kinds = new Map<string, T>();
  for (const certificate of certificates)
    if (!kinds.has(certificate.keyType)) kinds.set(certificate.keyType, certificate);
  return [...kinds.values()];
}

/** The first certificate, and those that are good for all its names. */
function mainOnes<T extends Choosable>(certificates: readonly T[]): readonly T[] {
  const [main] = certificates;
  const names = main?.names ?? [];
  return certificates.filter(
    (one) => one === main || (names.length > 0 && names.every((name) => one.names.includes(name))),
  );
}

export const wildcardOf = (name: string): string => `*${name.slice(name.indexOf('.'))}`;

/** Those of exactly that name before those whose wildcard it falls under. */
const goodFor = <T extends Choosable>(name: string, certificates: readonly T[]): readonly T[] => [
  ...certificates.filter(({ names }) => names.includes(name)),
  ...certificates.filter(({ names }) => !names.includes(name) && names.includes(wildcardOf(name))),
];

export function certificateChoice<T extends Choosable>(certificates: readonly T[]): CertificateChoice<T> {
  const names = new Set(certificates.flatMap((one) => one.names));
  return {
    fallback: firstOfEachKind(mainOnes(certificates)),
    byName: new Map([...names].map((name) => [name, firstOfEachKind(goodFor(name, certificates))])),
  };
}
