/**
 * Text in pieces, handed on in blocks so that no link is cut in two: a block ends at a line end, a space or a tag, and its end is read again with the next one,
 * since the value of an attribute goes on over line ends. Lines without anything are one. Holds a block.
 */
const block = 16_384;
/** More than a value that is read (found-hosts.ts). */
const again = 2_048;
const blankLine = /^[\t\r\n]{1,16}$/;

export class JoinedText {
  #held = '';
  /** Characters in front that were handed on before. */
  #told = 0;
  #isLineEnd = false;
  readonly #found: (text: string) => void;

  constructor(found: (text: string) => void) {
    this.#found = found;
  }

  add(piece: string): void {
    if (this.#isLineEnd && piece.length <= 16 && blankLine.test(piece)) return;
    this.#isLineEnd = piece === '' ? this.#isLineEnd : piece.endsWith('\n');
    this.#held += piece;
    if (this.#held.length >= block) this.#handOn();
  }

  #handOn(): void {
    const text = withoutBlankLines(this.#held);
    this.#held = text;
    if (text.length < block) return;
    const parted = Math.max(text.lastIndexOf('\n'), text.lastIndexOf(' '), text.lastIndexOf('>')) + 1;
    // With nothing to part it at, what may be cut in two is read twice.
    const end = text.length - parted < again ? parted : text.length;
    this.#found(text.slice(0, end));
    this.#held = text.slice(end - again);
    this.#told = this.#held.length - (text.length - end);
  }

  end(): void {
    if (this.#held.length > this.#told) this.#found(withoutBlankLines(this.#held));
    this.#held = '';
    this.#told = 0;
    this.#isLineEnd = false;
  }
}

/** Browsers leave line ends out of a URL, however many. */
const withoutBlankLines = (text: string): string =>
  /\n[\t\r]{0,8}\n/.test(text) ? text.replace(/\n[\t\r\n]+/g, '\n') : text;
