/**
 * Text in pieces, handed on so that no link is cut in two: up to a line end or a space, the rest waits for the next piece. The value of an attribute is held over
 * its line end, which browsers leave out of a URL. Holds a bounded text.
 */
const longest = 2_048;

export class JoinedText {
  #held = '';
  readonly #found: (text: string) => void;

  constructor(found: (text: string) => void) {
    this.#found = found;
  }

  add(piece: string): void {
    const text = this.#held === '' ? piece : this.#held + piece;
    if (!piece.endsWith('\n')) this.#hold(text);
    else if (text.length < longest && isOpenValue(text)) this.#held = text.replace(/[\r\n]+$/, '');
    else {
      this.#held = '';
      this.#found(text);
    }
  }

  #hold(text: string): void {
    this.#held = text;
    if (text.length < longest) return;
    const end = Math.max(text.lastIndexOf('\n'), text.lastIndexOf(' '), text.lastIndexOf('>')) + 1;
    const isParted = end > 0 && text.length - end < longest;
    // With nothing to part it at, what may be cut in two is read twice.
    this.#held = isParted ? text.slice(end) : text.slice(-longest / 2);
    this.#found(isParted ? text.slice(0, end) : text);
  }

  end(): void {
    if (this.#held !== '') this.#found(this.#held);
    this.#held = '';
  }
}

/** It ends within a quoted value that may be a URL. */
function isOpenValue(text: string): boolean {
  if (!text.includes('=')) return false;
  const quote = Math.max(text.lastIndexOf('"'), text.lastIndexOf("'"));
  if (quote < 1 || !/=\s{0,8}$/.test(text.slice(Math.max(0, quote - 9), quote))) return false;
  return /^\s{0,8}[\\/a-z&%][^\s<>]{0,500}[\t\r\n]{0,8}$/i.test(text.slice(quote + 1));
}
