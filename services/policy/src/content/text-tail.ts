/**
 * The last lines of a long text, whole parts of which may have gone by: bounded in octets and lines. Of base64 the first line kept begins at a group of four,
 * however long the lines before it were (RFC 4648 §4).
 */
import { isDecoded } from './transfer-decoder.js';

const mostOctets = 262_144;
const mostLines = 16_384;
/** Gone lines are let go of in so many. */
const batch = 4_096;

/** How the text of a part is written. */
export interface TextForm {
  readonly encodings: readonly string[];
  readonly charset: string;
}

interface Kept {
  readonly line: Buffer;
  readonly form: TextForm;
  /** Characters of base64 before it in its part, modulo four. */
  readonly phase: number;
  /** A part ends behind it. */
  isLast: boolean;
}

const lettersOf = (text: string): string => text.replace(/[^A-Za-z0-9+/]/g, '');
const isBase64 = ({ encodings }: TextForm): boolean => encodings.find(isDecoded) === 'base64';

/** Behind padding a new group begins. */
function phaseBehind(line: Buffer, phase: number): number {
  const text = line.toString('latin1');
  const padding = text.lastIndexOf('=');
  return ((padding === -1 ? phase : 0) + lettersOf(text.slice(padding + 1)).length) % 4;
}

/** Its text behind the first letters, or behind padding that comes sooner. */
function withoutLetters(line: Buffer, count: number): string {
  const text = line.toString('latin1').replace(/[^A-Za-z0-9+/=]/g, '');
  const padding = text.indexOf('=');
  return text.slice(padding === -1 ? count : Math.min(count, padding));
}

export class TextTail {
  #kept: Kept[] = [];
  #from = 0;
  #octets = 0;
  /** Undefined = nothing of this part was kept. */
  #phase: number | undefined;

  /** `read`: characters of base64 read before in this part that are no whole group. */
  keep(line: Buffer, form: TextForm, read: number): void {
    const phase = this.#phase ?? read;
    this.#kept.push({ line: Buffer.from(line), form, phase, isLast: false });
    this.#octets += line.length;
    this.#phase = isBase64(form) ? phaseBehind(line, phase) : 0;
    while (this.#octets > mostOctets || this.#kept.length - this.#from > mostLines) {
      this.#octets -= this.#kept[this.#from]?.line.length ?? 0;
      this.#from += 1;
    }
    if (this.#from < batch) return;
    this.#kept = this.#kept.slice(this.#from);
    this.#from = 0;
  }

  endPart(): void {
    this.#phase = undefined;
    const last = this.#kept.at(-1);
    if (last !== undefined) last.isLast = true;
  }

  *lines(): Iterable<Pick<Kept, 'line' | 'form' | 'isLast'>> {
    for (const [at, one] of this.#kept.slice(this.#from).entries()) {
      const { line, form, phase, isLast } = one;
      const skipped = at === 0 && isBase64(form) ? (4 - phase) % 4 : 0;
      yield { line: skipped === 0 ? line : Buffer.from(withoutLetters(line, skipped)), form, isLast };
    }
  }
}
