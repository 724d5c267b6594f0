/**
 * The digests of one body, each canonical form once however many signatures want it, DKIM, ARC and DomainKeys alike. `want` before the first octet; `finish`
 * after the last. Whoever has threads puts another one in its place; a digest that could not be made is absent, which is a temporary error.
 */
import type { DomainKeysForm } from '../domainkeys/canonical-body.js';
import { MessageHash } from '../domainkeys/message-hash.js';
import { BodyHash } from './body-hash.js';
import type { Canonicalization } from './canonical-header.js';

export type BodyForm =
  | {
      readonly form: Canonicalization;
      /** l=; undefined = the whole body. */
      readonly limit: number | undefined;
    }
  /** Of DomainKeys, which hashes header and body in one; a message has one such signature that counts. */
  | {
      readonly form: 'domainkeys';
      readonly body: DomainKeysForm;
      /** Canonical, one octet a character. */
      readonly header: string;
    };

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
  /**
   * The next octets, the empty line not among them. A promise: wait for it before the next ones. `isGiven`: nobody else looks at the chunk again, so
   * that its memory may go to a thread.
   */
  update(chunk: Uint8Array, isGiven?: boolean): Promise<void> | undefined;
  /** The same answer to all who ask. */
  finish(): DigestsByForm | Promise<DigestsByForm>;
  /** Nobody will ask any more. */
  drop(): void;
}

export const keyOf = (wanted: BodyForm): string =>
  wanted.form === 'domainkeys' ? wanted.form : `${wanted.form} ${wanted.limit ?? ''}`;

const hashOf = (wanted: BodyForm): BodyHash | MessageHash =>
  wanted.form === 'domainkeys'
    ? new MessageHash(wanted.body, wanted.header)
    : new BodyHash(wanted.form, 'sha256', wanted.limit);

export class OwnDigests implements BodyDigests {
  readonly #hashes = new Map<string, BodyHash | MessageHash>();
  #digests: Map<string, BodyDigest> | undefined;

  get wanted(): boolean {
    return this.#hashes.size > 0;
  }

  want(form: BodyForm): void {
    const key = keyOf(form);
    if (!this.#hashes.has(key)) this.#hashes.set(key, hashOf(form));
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
