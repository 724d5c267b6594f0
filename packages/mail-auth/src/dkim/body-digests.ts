/**
 * The digests of one body, each canonical form once however many signatures want it, DKIM and ARC alike. `want` before the first octet; `finish`
 * after the last. Whoever has threads puts another one in its place; a digest that could not be made is absent, which is a temporary error.
 */
import { BodyHash } from './body-hash.js';
import type { Canonicalization } from './canonical-header.js';

export interface BodyForm {
  readonly form: Canonicalization;
  /** l=; undefined = the whole body. */
  readonly limit: number | undefined;
}

export interface BodyDigest {
  readonly octets: Uint8Array;
  /** Canonical octets of the whole body. */
  readonly length: number;
}

/** By `keyOf`. */
export type DigestsByForm = ReadonlyMap<string, BodyDigest>;

export interface BodyDigests {
  /** False: nobody wants the body. */
  readonly wanted: boolean;
  want(form: BodyForm): void;
  /** The next octets, the empty line not among them. A promise: wait for it before the next ones. */
  update(chunk: Uint8Array): Promise<void> | undefined;
  /** The same answer to all who ask. */
  finish(): DigestsByForm | Promise<DigestsByForm>;
  /** Nobody will ask any more. */
  drop(): void;
}

export const keyOf = ({ form, limit }: BodyForm): string => `${form} ${limit ?? ''}`;

export class OwnDigests implements BodyDigests {
  readonly #hashes = new Map<string, BodyHash>();
  #digests: Map<string, BodyDigest> | undefined;

  get wanted(): boolean {
    return this.#hashes.size > 0;
  }

  want(form: BodyForm): void {
    const key = keyOf(form);
    if (!this.#hashes.has(key)) this.#hashes.set(key, new BodyHash(form.form, 'sha256', form.limit));
  }

  update(chunk: Uint8Array): undefined {
    for (const hash of this.#hashes.values()) hash.update(chunk);
  }

  drop(): void {
    this.#hashes.clear();
  }

  finish(): DigestsByForm {
    if (this.#digests !== undefined) return this.#digests;
    this.#digests = new Map();
    for (const [key, hash] of this.#hashes) {
      const octets = hash.digest();
      this.#digests.set(key, { octets, length: hash.length });
    }
    return this.#digests;
  }
}
