/** Certificates for one test: an authority nobody trusts but the test, and what it signs. */
import { makeCertificate } from '@postern/local';

export interface TestAuthority {
  /** Its certificate, PEM. */
  readonly certificate: string;
  issue(names: readonly string[], keyType?: 'ec' | 'rsa'): { readonly key: string; readonly cert: string };
}

export function testAuthority(name = 'test authority'): TestAuthority {
  const now = new Date();
  const own = makeCertificate({ subject: name, days: 30, now });
  return {
    certificate: own.certificatePem,
    issue: (names, keyType = 'ec') => {
      const server = { issuer: name, issuerKey: own.key, names };
      const made = makeCertificate({ subject: names[0] ?? name, days: 30, now, server, keyType });
      return { key: made.keyPem, cert: made.certificatePem };
    },
  };
}
