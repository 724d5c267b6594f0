/**
 * The last lines of a long text, whole parts of which may have gone by: bounded in octets and lines. Of base64 the first line kept begins at a group of four,
 * however long the lines before it were (RFC 4648 §4).
 */

const mostOctets = 262_144;
const mostLines = 16_384;
/** Gone lines are let go of in so many. */
const batch = 4_096;

interface Kept {
  readonly line: Buffer;
  readonly encoding: string;
  /** Characters of base64 before it in its part, modulo four. */
  readonly phase: number;
  /** A part ends behind it. */
  isLast: boolean;
}

const lettersOf = (line: Buffer): string => line.toString('latin1').replace(/[^A-Za-z0-9+/]/g, '');

export class TextTail {
  #kept: Kept[] = [];
  #from = 0;
  #octets = 0;
  #phase = 0;

  /** `read`: characters of base64 read before in this part that are no whole group. */
  keep(line: Buffer, encoding: string, read: number): void {
    this.#kept.push({ line: Buffer.from(line), encoding, phase: (this.#phase + read) % 4, isLast: false });
    this.#octets += line.length;
    if (encoding === 'base64') this.#phase = (this.#phase + lettersOf(line).length) % 4;
    while (this.#octets > mostOctets || this.#kept.length - this.#from > mostLines) {
      this.#octets -= this.#kept[this.#from]?.line.length ?? 0;
      this.#from += 1;
    }
    if (this.#from < batch) return;
    this.#kept = this.#kept.slice(this.#from);
    this.#from = 0;
  }

  endPart(): void {
    this.#phase = 0;
    const last = this.#kept.at(-1);
    if (last !== undefined) last.isLast = true;
  }

  *lines(): Iterable<Pick<Kept, 'line' | 'encoding' | 'isLast'>> {
    for (const [at, one] of this.#kept.slice(this.#from).entries()) {
      const { line, encoding, phase, isLast } = one;
      const skipped = at === 0 && encoding === 'base64' ? (4 - phase) % 4 : 0;
      yield { line: skipped === 0 ? line : Buffer.from(lettersOf(line).slice(skipped)), encoding, isLast };
    }
  }
}
