/** Does a key confirm a signature over canonical text? Both algorithms, never throws. RFC 6376 §3.3, RFC 8463 §3. */
import { createHash, type KeyObject, sign, verify } from 'node:crypto';
import type { SignatureAlgorithm } from './signature.js';

export function confirms(algorithm: SignatureAlgorithm, key: KeyObject, text: string, signature: Buffer): boolean {
  const octets = Buffer.from(text, 'latin1');
  try {
    if (algorithm === 'rsa-sha256') return verify('sha256', octets, key, signature);
    return verify(null, createHash('sha256').update(octets).digest(), key, signature);
  } catch {
    return false;
  }
}

export function makeSignature(algorithm: SignatureAlgorithm, key: KeyObject, text: string): Buffer {
  const octets = Buffer.from(text, 'latin1');
  if (algorithm === 'rsa-sha256') return sign('sha256', octets, key);
  return sign(null, createHash('sha256').update(octets).digest(), key);
}
