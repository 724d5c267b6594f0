/**
 * The SHA-1 of what a DomainKeys signature covers: the header fields, canonical already, then the body as it streams by. RFC 4870 §3.4. Where the
 * digest was made elsewhere, the signature is opened with the key and must hold this digest, exactly as RFC 8017 §9.2 encodes it.
 */
import { constants, createHash, type KeyObject, publicDecrypt } from 'node:crypto';
import { CanonicalBody, type DomainKeysForm } from './canonical-body.js';

export class MessageHash {
  readonly #hash = createHash('sha1');
  readonly #body: CanonicalBody;
  #length = 0;

  /** `header`: one octet a character. */
  constructor(form: DomainKeysForm, header: string) {
    this.#hash.update(header, 'latin1');
    this.#body = new CanonicalBody(form, (octets) => {
      this.#length += octets.length;
      this.#hash.update(octets);
    });
  }

  /** Canonical octets of the body so far. */
  get length(): number {
    return this.#length;
  }

  update(chunk: Uint8Array): void {
    this.#body.update(chunk);
  }

  digest(): Buffer {
    this.#body.end();
    return this.#hash.digest();
  }
}

/** DigestInfo of SHA-1 before its digest (RFC 8017 §9.2, note 1). */
const digestInfo = Buffer.from('3021300906052b0e03021a05000414', 'hex');

export function isSignatureOf(digest: Uint8Array, key: KeyObject, signature: Uint8Array): boolean {
  const padding = constants.RSA_PKCS1_PADDING;
  try {
    return publicDecrypt({ key, padding }, signature).equals(Buffer.concat([digestInfo, digest]));
  } catch {
    // Not of this length, or not padded as a signature: by another key, or none at all.
    return false;
  }
}
