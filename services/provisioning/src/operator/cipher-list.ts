/**
 * What an OpenSSL cipher list (openssl-ciphers(1)) holds that nobody can want: suites without authentication or encryption; and words OpenSSL does not know,
 * which it passes over in silence. OpenSSL itself is asked, by taking out of the list all that is not of the kind in question. Suites of TLS 1.3 are named
 * apart from the list and are none of these.
 */
import { createSecureContext } from 'node:tls';

/** OpenSSL has them no more, or this build has none of their suites; lists for old clients take them out, or name them. */
const formerly =
  /^(?:(?:EXP|EXPORT|EXPORT40|EXPORT56|LOW|MEDIUM|RC2|RC4|IDEA|SEED|DES|3DES|MD5|SSLv2|SSLv3|DSS|aDSS|KRB5|kKRB5|aKRB5|SRP|kSRP|aSRP|DH|kDH|kDHr|kDHd|aDH|ECDH|kECDH|kECDHe|kECDHr|aECDH|PSK|GOST\w*|[ka]GOST\w*|FZA|CAMELLIA\w*|ARIA\w*)$|.*(?:RC4|DES-CBC3?|IDEA|SEED|RC2).*$)/;

function holdsSuites(list: string): boolean {
  try {
    createSecureContext({ ciphers: list });
    return true;
  } catch {
    return false;
  }
}

const isOfTls13 = (word: string): boolean => word.startsWith('TLS_');
const wordsOf = (ciphers: string): string[] =>
  ciphers.split(/[:, ]+/).filter((word) => word !== '' && !isOfTls13(word));
const namedIn = (words: readonly string[]): string[] => words.filter((word) => !/^[!@-]/.test(word));

const weaknesses = [
  {
    what: 'authentication, so that anybody may stand between',
    out: '!aNULL',
    others: '!aRSA:!aECDSA:!aDSS:!aPSK:!aSRP',
  },
  {
    what: 'encryption',
    out: '!eNULL',
    others: '!3DES:!DES:!RC4:!RC2:!IDEA:!AES:!AESGCM:!AESCCM:!CAMELLIA:!ARIA:!SEED:!CHACHA20:!GOST89',
  },
] as const;

/** Undefined = none of them is offered. A general word such as HIGH holds some that OpenSSL offers at @SECLEVEL=0 alone. */
export function weakSuites(ciphers: string): string | undefined {
  const words = wordsOf(ciphers);
  const list = words.join(':');
  const isUnguarded = words.includes('@SECLEVEL=0');
  for (const { what, out, others } of weaknesses) {
    const isNamed = namedIn(words).find((word) => holdsSuites(word) && !holdsSuites(`${word}:${out}`));
    if ((isNamed === undefined && !isUnguarded) || !holdsSuites(`${list}:${others}`)) continue;
    return `names suites without ${what} (${isNamed ?? '@SECLEVEL=0'}); expected them left out, by ${out}`;
  }
  return undefined;
}

/** Words of the list that mean nothing to OpenSSL here. */
export const unknownWords = (ciphers: string): string[] =>
  wordsOf(ciphers)
    .filter((word) => !word.startsWith('@'))
    .flatMap((word) => word.replace(/^[!+-]/, '').split('+'))
    .filter((word) => word !== '' && !formerly.test(word) && !holdsSuites(`${word}:@SECLEVEL=0`));
