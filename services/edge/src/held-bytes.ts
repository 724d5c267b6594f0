/**
 * The bytes of one message while they are held in memory. A client chooses how it cuts them: every octet may come in a segment of its own, and a segment
 * costs hundreds of octets beside its content, or keeps the whole read alive it is a view of. So only what comes in one piece is kept as it came; from the
 * second segment on they are copied together. Invariant: memory is at most twice the bytes held plus one small block, however they are cut.
 */

/** Size of the first block: most messages that come in pieces fit. */
const firstBlock = 16 * 1024;
const nothing = Buffer.alloc(0);

export class HeldBytes {
  #bytes: Buffer = nothing;
  /** Octets of `#bytes` in use where it is a block of ours; undefined = kept as it came. */
  #used: number | undefined;

  /** `expected`: octets that are held at most, give or take the last segment. */
  constructor(readonly expected: number) {}

  get size(): number {
    return this.#used ?? this.#bytes.length;
  }

  add(segment: Buffer): void {
    const before = this.size;
    if (before === 0 && this.#used === undefined && fillsItsMemory(segment)) {
      this.#bytes = segment;
      return;
    }
    const needed = before + segment.length;
    if (this.#used === undefined || needed > this.#bytes.length) this.#grow(needed);
    segment.copy(this.#bytes, before);
    this.#used = needed;
  }

  /** All of them, as one; a view that later additions leave as it is. */
  whole(): Buffer {
    return this.#used === undefined ? this.#bytes : this.#bytes.subarray(0, this.#used);
  }

  clear(): void {
    this.#bytes = nothing;
    this.#used = undefined;
  }

  #grow(needed: number): void {
    const roomy = Math.min(Math.max(2 * needed, firstBlock), Math.max(this.expected, needed));
    const block = Buffer.allocUnsafeSlow(roomy);
    this.whole().copy(block);
    this.#bytes = block;
  }
}

/** Whether to keep it keeps not much else alive. */
function fillsItsMemory(segment: Buffer): boolean {
  return 2 * segment.length >= segment.buffer.byteLength;
}
