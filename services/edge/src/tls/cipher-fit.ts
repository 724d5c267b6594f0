/**
 * Can any certificate of a listener be used with its cipher list? In TLS 1.2 a suite names the kind of key that signs (RFC 5246 §7.4.2, RFC 8422 §5.3),
 * so that suites of RSA alone and keys of ECDSA alone end every handshake; suites of TLS 1.3 go with both. Only what certainly cannot work is a fault:
 * a word of the list that is not known here is taken for suites of every kind. Pure.
 */
import type { KeyObject } from 'node:crypto';

export interface CipherBounds {
  readonly maxVersion: string;
  /** OpenSSL cipher list; empty = the default. */
  readonly ciphers: string;
}

const suiteKinds = ['RSA', 'ECDSA'] as const;
/** Keys that sign for suites of a kind; Ed25519 and Ed448 go with those of ECDSA. */
export type SuiteKind = (typeof suiteKinds)[number];

const kindsOfKeys: Readonly<Record<string, SuiteKind>> = {
  rsa: 'RSA',
  'rsa-pss': 'RSA',
  ec: 'ECDSA',
  ed25519: 'ECDSA',
  ed448: 'ECDSA',
};

/** Undefined = a key of which nothing is known. */
export const suiteKindOf = ({ asymmetricKeyType: type }: KeyObject): SuiteKind | undefined =>
  type === undefined ? undefined : kindsOfKeys[type];

const words: Readonly<Record<SuiteKind, readonly string[]>> = {
  RSA: ['RSA', 'aRSA', 'kRSA'],
  ECDSA: ['ECDSA', 'aECDSA'],
};
const named: Readonly<Record<SuiteKind, RegExp>> = { RSA: /^(?:ECDHE|DHE)-RSA-/, ECDSA: /^ECDHE-ECDSA-/ };

/** Kinds a word of the list may stand for: all where it is not known. `A+B` is what both stand for. */
function kindsOf(word: string): readonly SuiteKind[] {
  return suiteKinds.filter((kind) =>
    word.split('+').every((part) => {
      const others = suiteKinds.filter((other) => other !== kind);
      return !others.some((other) => words[other].includes(part) || named[other].test(part));
    }),
  );
}

/** Kinds of key the suites of TLS 1.2 in the list may need. */
function kindsWanted(list: readonly string[]): ReadonlySet<SuiteKind> {
  const left = new Set(list.filter((word) => !/^[!@+-]/.test(word)).flatMap(kindsOf));
  for (const word of list)
    for (const kind of suiteKinds)
      if (words[kind].some((one) => one !== 'kRSA' && word === `!${one}`)) left.delete(kind);
  return left;
}

/** `keys`: kinds of the certificates that may be used; undefined = one nothing is known of. What is wrong, below `tls.ciphers`. */
export function cipherFault(
  { maxVersion, ciphers }: CipherBounds,
  keys: readonly (SuiteKind | undefined)[],
): string | undefined {
  const list = ciphers.split(/[:, ]+/).filter((word) => word !== '');
  const older = list.filter((word) => !word.startsWith('TLS_'));
  // Where TLS 1.3 is spoken it is so with suites the list does not name, too.
  if (maxVersion !== 'TLSv1.2' || older.length === 0 || keys.length === 0) return undefined;
  const wanted = kindsWanted(older);
  if (wanted.size === 0 || keys.some((key) => key === undefined || wanted.has(key))) return undefined;
  const [need, have] = [[...wanted].join(' or '), [...new Set(keys)].join(' and ')];
  return `names suites for ${need} only, but the certificates are of ${have}: every handshake would fail; expected suites for ${have}, or a certificate of ${need}`;
}
