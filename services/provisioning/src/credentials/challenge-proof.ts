/**
 * CRAM-MD5 (RFC 2195) and DIGEST-MD5 (RFC 2831) against the recovered password. MD5 is what these mechanisms are; a user has them only after asking for
 * a recoverable password. Everyone else is proved against a secret nobody has, so that an answer takes as long.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { VerifyRequest } from '@postern/proto/directory/v1/credential_service';
import type { Proof } from './scram-proof.js';

type Parameters = VerifyRequest['parameters'];

const digestBytes = 16;
const none = Buffer.alloc(0);
const bytesOf = (parameters: Parameters, name: string): Buffer => Buffer.from(parameters[name] ?? none);
const md5 = (data: Buffer): Buffer => createHash('md5').update(data).digest();
const hexOfMd5 = (data: Buffer): string => md5(data).toString('hex');

function equal(expected: Buffer, given: Buffer): boolean {
  return given.length === digestBytes && timingSafeEqual(expected, given);
}

/** Parameters: `challenge`, `digest`. */
export function proveCram(password: string, parameters: Parameters): Proof {
  const expected = createHmac('md5', password).update(bytesOf(parameters, 'challenge')).digest();
  return { right: equal(expected, bytesOf(parameters, 'digest')), cached: false, serverProof: none };
}

/** RFC 2831 section 2.1.2.1: names and passwords that fit ISO 8859-1 are hashed in it, others in UTF-8. */
function octets(text: string): Buffer {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the whole of ISO 8859-1 is meant
  return Buffer.from(text, /^[\x00-\xff]*$/.test(text) ? 'latin1' : 'utf8');
}

/** Parameters: `realm`, `nonce`, `cnonce`, `nc`, `digest-uri`, `authzid`, `response`; `username` as typed. */
export function proveDigest(username: string, password: string, parameters: Parameters): Proof {
  const text = (name: string): string => bytesOf(parameters, name).toString('utf8');
  const colon = Buffer.from(':');
  const secret = md5(Buffer.concat([octets(username), colon, octets(text('realm')), colon, octets(password)]));
  const authzid = text('authzid');
  const session = `:${text('nonce')}:${text('cnonce')}${authzid === '' ? '' : `:${authzid}`}`;
  const key = hexOfMd5(Buffer.concat([secret, Buffer.from(session)]));
  const tail = `${text('nonce')}:${text('nc')}:${text('cnonce')}:auth`;
  const answer = (method: string): Buffer =>
    md5(Buffer.from(`${key}:${tail}:${hexOfMd5(Buffer.from(`${method}:${text('digest-uri')}`))}`));
  const right = equal(answer('AUTHENTICATE'), bytesOf(parameters, 'response'));
  return { right, cached: false, serverProof: right ? answer('') : none };
}
