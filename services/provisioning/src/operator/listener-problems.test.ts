import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@postern/config';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compileSnapshot } from '../snapshot/compile.js';
import { parseOperatorDocument } from './document.js';

const x942 = `-----BEGIN X9.42 DH PARAMETERS-----
MIICKQKCAQEAkM5km9BuCXBpgmNnjqFVdW9fLwXR75nVDrKA7vox7mgNZWhpGblU
zSHnQfuNwRenl7qjVXaBubAy+OlhFBqtytXZxItxmLJVzFQ5uNczYR55GOaCJPxR
uwdrkjf9JCuLotBdfVY4KEtIt6p/1N/k0ohVW9HJvzMI4uSTAH4x1TltqKuA3Zhl
zNrZmJ4gjrkm4jysFeS1J+lPGeiR5QWp/589Hm9Lo308fSCUKjryySwvlNH6UdYZ
N0ekcJxk4Iu+sR+AnhZBeaB4Ts0AVk9+GNYQrQjQL5kEMGHjjhoVr5xTIRiBZ9wh
xBKcjQzIqbH3V29ymHrP/b1qPmNy8KOSfQKCAQEAgUlgDYSSKw1NXgf/v6wxCBxD
0zlzZGCZH0Js3ysFIBbanTuO9W07rrefHjHNjl+j5EHa4wRmRr/Rej53RJay3jcD
dPVqK2a3RUrRFBhf4Fo300tdoM3BVqsZxX1awharRRaUcM/2BOQIYPFkiOOJaaQe
251s9pP5aKe19YPeDZtBHY4OqTmHe9fGPQlzy4ZN+Vht4Me/JnbMj4CFrUsS1LzR
vKg1vCh9gQj8cEtM5JflWnlsX0ftJgh3gDdrsaNMKzpQY0WmaUXhzYdVh1CF2Fd4
MH519LNFiFS/8pPIIDONbjinCJAM69G3OGD0x0o5jymoP5WwedItiXw3vfP9MQId
ANDD6/Ez7qeUyEC52b25T6pANgIhEvfSVI924Lk=
-----END X9.42 DH PARAMETERS-----
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-listeners-'));
  writeFileSync(join(folder, 'noise.pem'), 'no PEM at all');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const parse = (listeners: string) =>
  parseOperatorDocument([{ file: 'op.yaml', text: `listeners:\n  ${listeners.replaceAll('{folder}', folder)}\n` }]);
const none = {
  tenants: [],
  domains: [],
  oldest_domain: null,
  routes: [],
  rules: [],
  check_settings: [],
  users_set_checks: false,
};

test.each<[string, RegExp]>([
  ['mx: { tls: { minVersion: TLSv1.1 } }', /listeners\.mx\.tls\.minVersion: .*TLSv1\.1.*TLSv1\.2/],
  ['mx: { tls: { minVersion: TLSv1.3, maxVersion: TLSv1.2 } }', /listeners\.mx\.tls\.minVersion: .*above maxVersion/],
  ['mx: { tls: { ciphers: NO-SUCH } }', /listeners\.mx\.tls\.ciphers: "NO-SUCH"/],
  ['mx: { tls: { curves: P-999 } }', /listeners\.mx\.tls\.curves: "P-999"/],
  ['mx: { tls: { clientCertificates: require } }', /listeners\.mx\.tls\.clientCaFile: missing/],
  ['mx: { tls: { clientCaFile: "/nowhere/ca.pem" } }', /listeners\.mx\.tls\.clientCaFile: .*cannot be read/],
  ['mx: { tls: { clientCaFile: "{folder}/noise.pem" } }', /listeners\.mx\.tls\.clientCaFile: .*no certificate/],
  ['mx: { tls: { dhParametersFile: "{folder}/noise.pem" } }', /listeners\.mx\.tls\.dhParametersFile: .*2,048 bits/],
  ['mx: { tls: { dhParameters: 1024 } }', /listeners\.mx\.tls\.dhParameters: .*none, auto/],
  ['mx: { linePolicy: allow } ', /listeners\.mx\.linePolicy: .*allow.*refuse, normalise/],
  ['mx: { extensions: { chunkng: false } }', /listeners\.mx\.extensions\.chunkng: .*chunking/],
  ['mx: { extensions: { chunking: maybe } }', /listeners\.mx\.extensions\.chunking: .*maybe/],
  ['mx: { xclient: [10.0.0.0/99] }', /listeners\.mx\.xclient\[0\]: .*10\.0\.0\.0\/99/],
  ['mx: { access: [{ network: nowhere, action: deny }] }', /listeners\.mx\.access\[0\]\.network: .*nowhere/],
  ['mx: { hostname: "not a name" }', /listeners\.mx\.hostname: .*not a name/],
  [
    `mx: { banner: ${'x'.repeat(2_000)} }`,
    /listeners\.mx\.banner: text of 2000 characters is not allowed; expected at most 400/,
  ],
  ['mx: { banner: grüße }', /listeners\.mx\.banner: .*expected printable ASCII of at most 400 characters/],
  ['mx: { enabled: perhaps }', /listeners\.mx\.enabled: .*perhaps/],
  [
    'submission: { extensions: { starttls: false } }',
    /listeners\.submission\.requireTls: is on by the default of role submission while extensions\.starttls is off/,
  ],
  ['mx: { extensions: { binaryMime: true, chunking: false } }', /listeners\.mx\.extensions\.binaryMime: is on while/],
  [
    'submissions: { extensions: { auth: false } }',
    /listeners\.submissions\.requireAuth: is on by the default of role submissions while/,
  ],
  ['partners: { banner: hello }', /listeners\.partners\.role: missing/],
  [
    'mx: { requireAuth: true, extensions: { auth: false } }',
    /listeners\.mx\.requireAuth: is on while extensions\.auth/,
  ],
  [
    'mx: { requireAuth: true }',
    /listeners\.mx\.authMechanismsTls: is empty by the default of role mx while requireAuth is on; expected a mechanism/,
  ],
  [
    'submission: { authMechanismsTls: [] }',
    /listeners\.submission\.authMechanismsTls: is empty while requireAuth is on by the default of role submission; expected/,
  ],
  [
    'submission: { authMechanismsTls: [], authMechanismsPlain: [PLAIN], requireAuth: true }',
    /authMechanismsTls: is empty while requireAuth is on \(TLS is demanded: those of authMechanismsPlain are never offered\)/,
  ],
  ['mx: { proxyProtocol: true }', /listeners\.mx\.proxyProtocol: is on while trustedProxies is empty/],
  ['submission: { authMechanismsTls: [PLAIN, LOGIN, PLAIN] }', /authMechanismsTls\[2\]: "PLAIN" is named twice/],
  ['submission: { authMechanismsPlain: [SCRAM-SHA-256-PLUS] }', /authMechanismsPlain\[0\]: .* binds to TLS/],
  [
    'mx: { tls: { maxVersion: TLSv1.2, ciphers: "TLS_AES_256_GCM_SHA384:!aNULL" } }',
    /listeners\.mx\.tls\.ciphers: names suites of TLS 1\.3 only/,
  ],
  [
    'mx: { tls: { maxVersion: TLSv1.2, ciphers: "DHE-RSA-AES256-GCM-SHA384:!aNULL" } }',
    /listeners\.mx\.tls\.ciphers: names suites of DHE only, which dhParameters: none leaves out/,
  ],
  [
    'mx: { tls: { minVersion: TLSv1.3, ciphers: "ECDHE-RSA-AES256-GCM-SHA384" } }',
    /listeners\.mx\.tls\.ciphers: names none of TLS 1\.3/,
  ],
])('%s is refused with its field', (text, expected) => {
  expect(() => parse(text)).toThrow(ConfigError);
  expect(() => parse(text)).toThrow(expected);
});

/** DER of DH parameters with a prime of so many bits; it is not looked at whether it is one. */
function dhPem(label: string, bits: number): string {
  const integer = (content: Buffer): Buffer => Buffer.concat([Buffer.from([0x02, 0x82]), length(content), content]);
  const length = ({ length: octets }: Buffer): Buffer => Buffer.from([octets >> 8, octets & 0xff]);
  const prime = Buffer.concat([Buffer.from([0, 0x80]), Buffer.alloc(bits / 8 - 2, 0x55), Buffer.from([0x57])]);
  const body = Buffer.concat([integer(prime), integer(Buffer.alloc(200, 2))]);
  const der = Buffer.concat([Buffer.from([0x30, 0x82]), length(body), body]);
  return `-----BEGIN ${label}-----\n${der.toString('base64')}\n-----END ${label}-----\n`;
}

test.each([
  ['PKCS #3', 'DH PARAMETERS', 2_048, true],
  ['PKCS #3, short', 'DH PARAMETERS', 1_536, false],
  // What `openssl dhparam -dsaparam` writes; its group order does not make up for a short prime.
  ['X9.42, short', 'X9.42 DH PARAMETERS', 1_536, false],
])('DH parameters: %s', (_name, label, bits, isTaken) => {
  writeFileSync(join(folder, 'dh.pem'), dhPem(label, bits));
  const taken = () => parse('mx: { tls: { dhParametersFile: "{folder}/dh.pem" } }');
  if (isTaken) expect(taken().listeners.mx?.tls.dhParametersFile).toContain('dh.pem');
  else expect(taken).toThrow(/listeners\.mx\.tls\.dhParametersFile: .*at least 2,048 bits/);
});

test('DH parameters as `openssl dhparam -dsaparam 2048` writes them', () => {
  writeFileSync(join(folder, 'x942.pem'), x942);
  expect(parse('mx: { tls: { dhParametersFile: "{folder}/x942.pem" } }').listeners.mx?.tls.dhParametersFile).toContain(
    'x942',
  );
});

test('a listener of any name reaches the snapshot with everything it says', () => {
  const document = parse(
    `partners: { role: mx, hostname: in.example.net, enabled: false, linePolicy: normalise, xclient: [10.0.0.0/8],
    extensions: { chunking: false, smtpUtf8: false }, access: [{ network: 192.0.2.0/24, action: deny, priority: 3 }],
    tls: { minVersion: TLSv1.3, curves: X25519, dhParameters: auto, certificates: [main], clientCertificates: request } }`,
  );
  const snapshot = compileSnapshot(document, 'mx.test', none);
  expect(snapshot.listeners.find(({ name }) => name === 'partners')).toMatchObject({
    hostname: 'in.example.net',
    disabled: true,
    linePolicy: 'normalise',
    xclientNetworks: ['10.0.0.0/8'],
    extensionsOff: ['CHUNKING', 'BINARYMIME', 'SMTPUTF8'],
    tls: { minVersion: 'TLSv1.3', curves: 'X25519', dhParameters: 'auto', certificates: ['main'] },
  });
  expect(snapshot.accessRules).toEqual([
    { level: 'listener', target: 'partners', priority: 3, network: '192.0.2.0/24', allow: false },
  ]);
});
