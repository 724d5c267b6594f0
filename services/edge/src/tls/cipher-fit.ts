/**
 * Can the certificates of a listener be used with its cipher list, whatever name a client asks for? In TLS 1.2 a suite names the kind of key that signs
 * (RFC 5246 §7.4.2, RFC 8422 §5.3), so that suites of RSA alone and keys of ECDSA alone end every handshake; those of shared keys (PSK, SRP) nobody here
 * speaks; suites of TLS 1.3 go with all. Only what certainly cannot work is a fault: a word of the list that is not known here is taken for suites of every
 * kind. Pure.
 */
import { getCiphers } from 'node:tls';
import { type Choosable, certificateChoice } from './certificate-choice.js';

export interface CipherBounds {
  readonly maxVersion: string;
  /** OpenSSL cipher list; empty = the default. */
  readonly ciphers: string;
}

const suiteKinds = ['RSA', 'ECDSA'] as const;
/** Keys that sign for suites of a kind; Ed25519 and Ed448 go with those of ECDSA. */
type SuiteKind = (typeof suiteKinds)[number];

/** Undefined = a key of which nothing is known. */
const kindsOfKeys: Readonly<Record<string, SuiteKind>> = {
  rsa: 'RSA',
  'rsa-pss': 'RSA',
  ec: 'ECDSA',
  ed25519: 'ECDSA',
  ed448: 'ECDSA',
};

const words: Readonly<Record<SuiteKind, readonly string[]>> = {
  RSA: ['RSA', 'aRSA', 'kRSA'],
  ECDSA: ['ECDSA', 'aECDSA'],
};
const sharedKey = /^(?:(?:RSA-|DHE-|ECDHE-)?PSK-.*|[ak]?PSK|k(?:DHE|ECDHE|RSA)PSK|[ak]?SRP|SRP-.*)$/;
const signed: Readonly<Record<SuiteKind, RegExp>> = { RSA: /^(?:ECDHE|DHE)-RSA-/, ECDSA: /^ECDHE-ECDSA-/ };
/** Suites that name no key exchange are those of RSA. */
const exchanged = /^(?:ECDHE?|DHE?|EDH|ADH|AECDH)-/;
const suites: ReadonlySet<string> = new Set(getCiphers().map((name) => name.toUpperCase()));

/** Kinds one part of a word may stand for: all where it is not known. */
function kindsOfPart(part: string): readonly SuiteKind[] {
  if (sharedKey.test(part)) return [];
  const kind = suiteKinds.find((one) => words[one].includes(part) || signed[one].test(part));
  if (kind !== undefined) return [kind];
  return suites.has(part) && !exchanged.test(part) ? ['RSA'] : suiteKinds;
}

/** `A+B` is what both stand for. */
const kindsOf = (word: string): readonly SuiteKind[] =>
  suiteKinds.filter((kind) => word.split('+').every((part) => kindsOfPart(part).includes(kind)));

/** Kinds of key the suites of TLS 1.2 in the list may need. */
function kindsWanted(list: readonly string[]): ReadonlySet<SuiteKind> {
  const left = new Set(list.filter((word) => !/^[!@+-]/.test(word)).flatMap(kindsOf));
  for (const word of list)
    for (const kind of suiteKinds)
      if (words[kind].some((one) => one !== 'kRSA' && word === `!${one}`)) left.delete(kind);
  return left;
}

/** `certificates`: those the listener may use. What is wrong, below `tls.ciphers`. */
export function cipherFault(
  { maxVersion, ciphers }: CipherBounds,
  certificates: readonly Choosable[],
): string | undefined {
  const list = ciphers.split(/[:, ]+/).filter((word) => word !== '');
  const older = list.filter((word) => !word.startsWith('TLS_'));
  // Where TLS 1.3 is spoken it is so with suites the list does not name, too.
  if (maxVersion !== 'TLSv1.2' || older.length === 0 || certificates.length === 0) return undefined;
  const wanted = kindsWanted(older);
  // Suites without any key are for whoever lowered the level.
  if (wanted.size === 0 && older.includes('@SECLEVEL=0')) return undefined;
  if (wanted.size === 0)
    return 'names no suite that a certificate can be used with: every handshake would fail; expected suites for RSA or ECDSA';
  const { fallback, byName } = certificateChoice(certificates);
  const cases = [['clients that ask for no name', fallback] as const, ...byName];
  const kindsIn = (chosen: readonly Choosable[]) => new Set(chosen.map(({ keyType }) => kindsOfKeys[keyType]));
  const unfit = cases.filter(([, chosen]) =>
    [...kindsIn(chosen)].every((kind) => kind !== undefined && !wanted.has(kind)),
  );
  const [first] = unfit;
  if (first === undefined) return undefined;
  const [whom, chosen] = first;
  const [need, have] = [[...wanted].join(' or '), [...kindsIn(chosen)].join(' and ')];
  const [whose, which] = unfit.length === cases.length ? ['', 'every'] : [` for ${whom}`, 'every such'];
  return `names suites for ${need} only, but the certificates${whose} are of ${have}: ${which} handshake would fail; expected suites for ${have}, or a certificate of ${need}`;
}
