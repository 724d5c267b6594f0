/** What is said of a cipher list, held against what OpenSSL does with it: refused is exactly what no client gets through. */
import { createPrivateKey } from 'node:crypto';
import { expect, test } from 'vitest';
import { Doubles } from '../testing/doubles.js';
import { certificate, material, shake, withTlsFront } from '../testing/tls-front.js';
import { namesOf } from './certificate-files.js';
import { cipherFault } from './cipher-fit.js';

const { listen } = withTlsFront();
const ec = certificate('ec', ['mx.one.test']);
const other = certificate('other', ['mx.two.test']);
const rsa = certificate('rsa', ['mx.one.test'], 'rsa');
const choosable = ({ cert, key }: typeof ec) => ({
  names: namesOf(cert),
  keyType: createPrivateKey(key).asymmetricKeyType ?? '',
});
const [v12, v13] = ['TLSv1.2', 'TLSv1.3'] as const;
const rsaOnly = 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384';
const ecdsaOnly = 'ECDHE-ECDSA-AES128-GCM-SHA256';

test.each([
  ['suites of RSA, an ECDSA key', { ciphers: rsaOnly, maxVersion: v12 }, [ec], true],
  ['suites of RSA, an RSA key', { ciphers: rsaOnly, maxVersion: v12 }, [rsa], false],
  ['suites of RSA, keys of both kinds', { ciphers: rsaOnly, maxVersion: v12 }, [ec, rsa], false],
  ['suites of ECDSA, an RSA key', { ciphers: ecdsaOnly, maxVersion: v12 }, [rsa], true],
  ['suites of ECDSA, an ECDSA key', { ciphers: ecdsaOnly, maxVersion: v12 }, [ec], false],
  ['suites of both', { ciphers: `${rsaOnly}:${ecdsaOnly}`, maxVersion: v12 }, [ec], false],
  ['TLS 1.3 allowed, none of its suites', { ciphers: rsaOnly, maxVersion: v13 }, [ec], false],
  ['TLS 1.3 with a suite', { ciphers: `${rsaOnly}:TLS_AES_128_GCM_SHA256`, maxVersion: v13 }, [ec], false],
  ['suites of TLS 1.3 only', { ciphers: 'TLS_AES_128_GCM_SHA256', maxVersion: v13 }, [rsa], false],
  ['the default', { ciphers: '', maxVersion: v12 }, [ec], false],
  ['words', { ciphers: 'HIGH:!aNULL', maxVersion: v12 }, [ec], false],
  ['words without ECDSA', { ciphers: 'HIGH:!aNULL:!aECDSA', maxVersion: v12 }, [ec], true],
  ['words without RSA', { ciphers: 'HIGH:!aNULL:!aRSA', maxVersion: v12 }, [rsa], true],
  ['words for RSA', { ciphers: 'ECDHE+aRSA:!aNULL', maxVersion: v12 }, [ec], true],
  ['words for RSA, and that key', { ciphers: 'ECDHE+aRSA:!aNULL', maxVersion: v12 }, [rsa], false],
  ['words for ECDSA behind a word for all', { ciphers: 'ECDHE+AESGCM:aECDSA', maxVersion: v12 }, [rsa], false],
  ['RSA by the plain name of a suite', { ciphers: 'AES128-SHA256', maxVersion: v12 }, [ec], true],
  ['RSA by the plain name, and that key', { ciphers: 'AES128-SHA256', maxVersion: v12 }, [rsa], false],
  ['shared keys alone', { ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: v12 }, [rsa], true],
  ['shared keys by their word', { ciphers: 'ECDHE+PSK:kPSK', maxVersion: v12 }, [ec], true],
  ['shared keys beside a suite', { ciphers: `PSK-AES128-GCM-SHA256:${rsaOnly}`, maxVersion: v12 }, [rsa], false],
  ['no key exchange by RSA', { ciphers: 'HIGH:!aNULL:!kRSA', maxVersion: v12 }, [rsa], false],
])('%s', async (_name, bounds, certificates, isFault) => {
  const fault = cipherFault(bounds, certificates.map(choosable));
  expect(fault !== undefined).toBe(isFault);
  if (isFault)
    expect(fault).toMatch(/^names (no suite|suites for (RSA|ECDSA) only, but the certificates are of (ECDSA|RSA): )/);

  const doubles = new Doubles();
  doubles.tls = material(...certificates);
  const { port } = await listen(doubles, bounds);
  const shaken = await shake(port, { ciphers: 'ALL:TLS_AES_128_GCM_SHA256' }).catch(() => undefined);
  expect(shaken === undefined).toBe(isFault);
  shaken?.socket.destroy();
});

test.each<[string, (typeof rsa)[], RegExp | undefined]>([
  [
    'the first',
    [rsa, other],
    /^names suites for ECDSA only, but the certificates for clients that ask for no name are of RSA: every such/,
  ],
  [
    'another',
    [other, rsa],
    /^names suites for ECDSA only, but the certificates for mx\.one\.test are of RSA: every such handshake/,
  ],
  ['none, both being for one name,', [rsa, ec], undefined],
])('%s certificate does not go with the list', async (_name, certificates, fault) => {
  const bounds = { ciphers: ecdsaOnly, maxVersion: v12 };
  const told = cipherFault(bounds, certificates.map(choosable));
  if (fault === undefined) expect(told).toBeUndefined();
  else expect(told).toMatch(fault);
});
