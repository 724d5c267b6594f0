import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '@postern/config';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compileSnapshot } from '../snapshot/compile.js';
import { parseOperatorDocument } from './document.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-listeners-'));
  writeFileSync(join(folder, 'noise.pem'), 'no PEM at all');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const parse = (listeners: string) =>
  parseOperatorDocument([{ file: 'op.yaml', text: `listeners:\n  ${listeners.replaceAll('{folder}', folder)}\n` }]);
const none = { tenants: [], domains: [], routes: [], rules: [], check_settings: [], users_set_checks: false };

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
  ['mx: { enabled: perhaps }', /listeners\.mx\.enabled: .*perhaps/],
  ['submission: { extensions: { starttls: false } }', /listeners\.submission\.requireTls: is on while/],
  ['mx: { extensions: { binaryMime: true, chunking: false } }', /listeners\.mx\.extensions\.binaryMime: is on while/],
  ['submissions: { extensions: { auth: false } }', /listeners\.submissions\.requireAuth: is on while/],
  ['partners: { banner: hello }', /listeners\.partners\.role: missing/],
  ['mx: { requireAuth: true }', /listeners\.mx\.authMechanismsTls: is empty while requireAuth is on/],
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
