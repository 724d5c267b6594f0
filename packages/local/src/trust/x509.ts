/**
 * Just enough X.509 (RFC 5280) to make a local certificate authority and a server certificate without any program but
 * Node: P-256 keys, ECDSA with SHA-256, subject alternative names. Not a certificate library: no requests, no
 * revocation, no parsing.
 */
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';

/** One DER element: tag, length, content. */
function der(tag: number, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const digits = length.subarray(length.findIndex((byte) => byte !== 0));
  return Buffer.concat([Buffer.from([tag, 0x80 | digits.length]), digits, body]);
}

const sequence = (...items: Uint8Array[]) => der(0x30, ...items);
const octets = (content: Uint8Array) => der(0x04, content);
const bits = (content: Uint8Array) => der(0x03, Buffer.from([0]), content);
const boolean = (value: boolean) => der(0x01, Buffer.from([value ? 0xff : 0]));

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return der(0x06, Buffer.from(bytes));
}

/** RFC 5280 §4.1.2.5: dates before 2050 are UTCTime. */
const utcTime = (date: Date) =>
  der(
    0x17,
    Buffer.from(
      `${date
        .toISOString()
        .replaceAll(/[-:T]|\.\d+/g, '')
        .slice(2)}`,
      'ascii',
    ),
  );
const commonName = (name: string) =>
  sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(name, 'utf8')))));
const extension = (id: string, critical: boolean, value: Uint8Array) =>
  sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(value));

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail = ''] = address.split('::');
  const words = (text: string) => (text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16)));
  const [left, right] = [words(head), words(tail)];
  const all = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
  return Buffer.from(all.flatMap((word) => [word >>> 8, word & 0xff]));
}

const alternativeName = (name: string) =>
  isIP(name) === 0 ? der(0x82, Buffer.from(name, 'ascii')) : der(0x87, addressBytes(name));

const publicKeyDer = (key: KeyObject) => createPublicKey(key).export({ type: 'spki', format: 'der' });
const keyIdentifier = (key: KeyObject) => createHash('sha1').update(publicKeyDer(key)).digest();

export interface KeyAndCertificate {
  readonly key: KeyObject;
  readonly keyPem: string;
  readonly certificatePem: string;
}

export interface CertificateRequest {
  readonly subject: string;
  readonly days: number;
  readonly now: Date;
  /** Of its own key; P-256 unless given. An authority's must be P-256. */
  readonly keyType?: 'ec' | 'rsa';
  /** Absent: a certificate authority that signs itself. */
  readonly server?: { readonly issuer: string; readonly issuerKey: KeyObject; readonly names: readonly string[] };
}

function extensionsOf(request: CertificateRequest, key: KeyObject): Buffer {
  const { server } = request;
  const own = extension('2.5.29.14', false, octets(keyIdentifier(key)));
  if (server === undefined) {
    return sequence(
      extension('2.5.29.19', true, sequence(boolean(true))),
      // keyCertSign and cRLSign
      extension('2.5.29.15', true, der(0x03, Buffer.from([1, 0x06]))),
      own,
    );
  }
  return sequence(
    extension('2.5.29.19', true, sequence()),
    // digitalSignature
    extension('2.5.29.15', true, der(0x03, Buffer.from([7, 0x80]))),
    // serverAuth and clientAuth
    extension('2.5.29.37', false, sequence(oid('1.3.6.1.5.5.7.3.1'), oid('1.3.6.1.5.5.7.3.2'))),
    extension('2.5.29.17', false, sequence(...server.names.map(alternativeName))),
    own,
    extension('2.5.29.35', false, sequence(der(0x80, keyIdentifier(server.issuerKey)))),
  );
}

/** Make a key and its certificate, valid from an hour ago (clocks differ) for the given days. */
export function makeCertificate(request: CertificateRequest): KeyAndCertificate {
  const { privateKey } =
    request.keyType === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2_048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const start = request.now.getTime() - 3_600_000;
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    algorithm,
    commonName(request.server?.issuer ?? request.subject),
    sequence(utcTime(new Date(start)), utcTime(new Date(start + request.days * 86_400_000))),
    commonName(request.subject),
    publicKeyDer(privateKey),
    der(0xa3, extensionsOf(request, privateKey)),
  );
  const signature = sign('sha256', body, request.server?.issuerKey ?? privateKey);
  const certificate = sequence(body, algorithm, bits(signature)).toString('base64');
  return {
    key: privateKey,
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificatePem: `-----BEGIN CERTIFICATE-----\n${certificate.replaceAll(/.{64}/g, '$&\n').trimEnd()}\n-----END CERTIFICATE-----\n`,
  };
}
