/**
 * The digest of a body as it streams by, in either canonical form. RFC 6376 §3.4.3, §3.4.4, §3.4.5.
 * Holds no body: only how many line ends, and whether a space or a CR, wait to see what follows them.
 * Takes octets as they are: a bare LF is no line end, so a message with bare LFs gives another digest.
 */
import { createHash, type Hash } from 'node:crypto';
import type { Canonicalization } from './canonical-header.js';

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const SCRATCH = 65_536;
const crlf = Buffer.from('\r\n');
const manyLineEnds = Buffer.from('\r\n'.repeat(512));

export class BodyHash {
  readonly #hash: Hash;
  readonly #relaxed: boolean;
  readonly #limit: number;
  readonly #scratch: Buffer | undefined;
  #length = 0;
  #lineEnds = 0;
  #heldCr = false;
  #space = false;

  /** `limit`: octets of the canonical body that count (l=). */
  constructor(form: Canonicalization, algorithm: 'sha256', limit = Number.POSITIVE_INFINITY) {
    this.#hash = createHash(algorithm);
    this.#relaxed = form === 'relaxed';
    this.#limit = limit;
    this.#scratch = this.#relaxed ? Buffer.allocUnsafe(SCRATCH) : undefined;
  }

  /** Canonical octets so far; after `digest`, of the whole body. */
  get length(): number {
    return this.#length;
  }

  update(chunk: Uint8Array): void {
    if (this.#scratch === undefined) this.#updateSimple(chunk);
    else this.#updateRelaxed(chunk, this.#scratch);
  }

  digest(): Buffer {
    if (this.#heldCr) {
      this.#writeLineEnds();
      this.#write(Buffer.from(this.#space ? ' \r' : '\r'));
    }
    // An empty body is one line end in simple form and nothing in relaxed form.
    if (!this.#relaxed || this.#length > 0) this.#write(crlf);
    return this.#hash.digest();
  }

  #updateSimple(given: Uint8Array): void {
    let chunk = given;
    if (this.#heldCr && chunk.length > 0) {
      this.#heldCr = false;
      if (chunk[0] === LF) {
        this.#lineEnds++;
        chunk = chunk.subarray(1);
      } else {
        this.#writeLineEnds();
        this.#write(crlf.subarray(0, 1));
      }
    }
    if (chunk.at(-1) === CR) {
      this.#heldCr = true;
      chunk = chunk.subarray(0, -1);
    }
    let end = chunk.length;
    while (end >= 2 && chunk[end - 1] === LF && chunk[end - 2] === CR) end -= 2;
    if (end > 0) {
      this.#writeLineEnds();
      this.#write(chunk.subarray(0, end));
    }
    this.#lineEnds += (chunk.length - end) / 2;
  }

  #updateRelaxed(chunk: Uint8Array, out: Buffer): void {
    let used = 0;
    for (let i = 0; i < chunk.length; i++) {
      const octet = chunk[i] ?? 0;
      if (octet === LF && this.#heldCr) {
        this.#heldCr = false;
        this.#space = false;
        this.#lineEnds++;
        continue;
      }
      if (octet === CR && !this.#heldCr) {
        this.#heldCr = true;
        continue;
      }
      if ((octet === SPACE || octet === TAB) && !this.#heldCr) {
        this.#space = true;
        continue;
      }
      // At most four octets follow the line ends: room for all of it is made here.
      if (used + 2 * this.#lineEnds > SCRATCH - 8) {
        this.#write(out.subarray(0, used));
        used = 0;
        this.#writeLineEnds();
      }
      for (; this.#lineEnds > 0; this.#lineEnds--) {
        out[used++] = CR;
        out[used++] = LF;
      }
      if (this.#space) {
        this.#space = false;
        out[used++] = SPACE;
      }
      if (this.#heldCr) {
        // A CR that ends no line is an octet like others; what follows it is looked at again.
        this.#heldCr = false;
        out[used++] = CR;
        i--;
        continue;
      }
      out[used++] = octet;
    }
    this.#write(out.subarray(0, used));
  }

  #writeLineEnds(): void {
    while (this.#lineEnds > 0) {
      const count = Math.min(this.#lineEnds, 512);
      this.#write(manyLineEnds.subarray(0, count * 2));
      this.#lineEnds -= count;
    }
  }

  #write(octets: Uint8Array): void {
    const room = this.#limit - this.#length;
    this.#length += octets.length;
    if (room > 0 && octets.length > 0) this.#hash.update(room < octets.length ? octets.subarray(0, room) : octets);
  }
}
