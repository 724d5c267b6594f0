/**
 * Makes whole lines of what a client of another age sends (line policy `normalise`): a bare CR or LF becomes CRLF, a NUL goes. What leaves here holds
 * no bare CR or LF, so nothing downstream can read an end of data in it that the edge did not (RFC 5321 §2.3.8). Where the message ends is decided
 * before, on the bytes as they came. Invariant: the same bytes give the same content, however they are cut.
 */
const NUL = 0x00;
const LF = 0x0a;
const CR = 0x0d;

export class LineRepair {
  #previous = LF;
  /** Something had to be changed. */
  changed = false;

  /** Content whose lines are known to be whole. */
  pass(content: Buffer): Buffer {
    this.#previous = content.at(-1) ?? this.#previous;
    return content;
  }

  feed(content: Buffer): Buffer {
    // Every octet may become two, and one may be owed to the chunk before.
    const out = Buffer.allocUnsafe(2 * content.length + 1);
    let length = 0;
    let previous = this.#previous;
    for (const octet of content) {
      if (octet === NUL) {
        this.changed = true;
        continue;
      }
      if (previous === CR && octet !== LF) {
        out[length++] = LF;
        this.changed = true;
      } else if (octet === LF && previous !== CR) {
        out[length++] = CR;
        this.changed = true;
      }
      out[length++] = octet;
      previous = octet;
    }
    this.#previous = previous;
    return out.subarray(0, length);
  }

  /** After the last octet. */
  finish(): Buffer {
    if (this.#previous !== CR) return Buffer.alloc(0);
    this.changed = true;
    return Buffer.from('\n');
  }
}
