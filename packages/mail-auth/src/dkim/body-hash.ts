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
const BLOCK = 2_048;
/** Shared by all: `update` fills and empties it without letting anybody else run. */
const scratch = Buffer.allocUnsafeSlow(SCRATCH);
const crlf = Buffer.from('\r\n');
const manyLineEnds = Buffer.from('\r\n'.repeat(512));

export class BodyHash {
  readonly #hash: Hash;
  readonly #relaxed: boolean;
  readonly #limit: number;
  #length = 0;
  #lineEnds = 0;
  #heldCr = false;
  #space = false;

  /** `limit`: octets of the canonical body that count (l=). */
  constructor(form: Canonicalization, algorithm: 'sha256', limit = Number.POSITIVE_INFINITY) {
    this.#hash = createHash(algorithm);
    this.#relaxed = form === 'relaxed';
    this.#limit = limit;
  }

  /** Canonical octets so far; after `digest`, of the whole body. */
  get length(): number {
    return this.#length;
  }

  update(chunk: Uint8Array): void {
    if (this.#relaxed) this.#updateRelaxed(chunk);
    else this.#updateSimple(chunk);
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

  /** Most text has no space to take away: a block like that is the same in both forms. */
  #updateRelaxed(chunk: Uint8Array): void {
    for (let start = 0; start < chunk.length; ) {
      const end = Math.min(start + BLOCK, chunk.length);
      let plainEnd = end;
      while (plainEnd > start && isSpace(chunk[plainEnd - 1])) plainEnd--;
      if (!this.#space && plainEnd > start && !hasExtraSpace(chunk, start, plainEnd)) {
        this.#updateSimple(chunk.subarray(start, plainEnd));
        start = plainEnd;
      } else {
        this.#relax(chunk.subarray(start, end), scratch);
        start = end;
      }
    }
  }

  /** State lives in locals while the loop runs. */
  #relax(chunk: Uint8Array, out: Buffer): void {
    let used = 0;
    let lineEnds = this.#lineEnds;
    let heldCr = this.#heldCr;
    let space = this.#space;
    for (let i = 0; i < chunk.length; i++) {
      const octet = chunk[i] ?? 0;
      let literal = octet;
      if (heldCr) {
        heldCr = false;
        if (octet === LF) {
          space = false;
          lineEnds++;
          continue;
        }
        // A CR that ends no line is an octet like others; what follows it is looked at again.
        literal = CR;
        i--;
      } else if (octet === CR) {
        heldCr = true;
        continue;
      } else if (octet === SPACE || octet === TAB) {
        space = true;
        continue;
      }
      // Two octets at most follow the line ends: room for all of it is made here.
      if (used + 2 * lineEnds > SCRATCH - 8) {
        this.#write(out.subarray(0, used));
        used = 0;
        this.#lineEnds = lineEnds;
        this.#writeLineEnds();
        lineEnds = 0;
      }
      for (; lineEnds > 0; lineEnds--) {
        out[used++] = CR;
        out[used++] = LF;
      }
      if (space) out[used++] = SPACE;
      space = false;
      out[used++] = literal;
    }
    this.#write(out.subarray(0, used));
    this.#lineEnds = lineEnds;
    this.#heldCr = heldCr;
    this.#space = space;
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

function isSpace(octet: number | undefined): boolean {
  return octet === SPACE || octet === TAB;
}

/** What an octet may not stand before and behind: bit 0, a space before a space or CR; bit 1, a tab anywhere. */
const before = new Uint8Array(256).fill(2);
const behind = new Uint8Array(256);
before[SPACE] = 3;
behind[SPACE] = 1;
behind[CR] = 1;
behind[TAB] = 3;

/** Is there a space that the relaxed form takes away, or a tab? Without a branch per octet. The last octet is no space. */
function hasExtraSpace(chunk: Uint8Array, start: number, end: number): boolean {
  let found = 0;
  let previous = 0;
  for (let i = start; i < end; i++) {
    const octet = chunk[i] ?? 0;
    found |= (before[previous] ?? 0) & (behind[octet] ?? 0);
    previous = octet;
  }
  return found !== 0;
}
