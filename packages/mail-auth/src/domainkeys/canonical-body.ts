/**
 * The canonical forms of DomainKeys as octets stream by: simple drops empty lines at the end, nofws all white space inside lines besides. The empty
 * line before the body belongs to it, so that it goes too where there is nothing behind it. RFC 4870 §3.4.2. Holds no body.
 */
export type DomainKeysForm = 'simple' | 'nofws';

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const crlf = Buffer.from('\r\n');

export class CanonicalBody {
  readonly #form: DomainKeysForm;
  readonly #write: (octets: Uint8Array) => void;
  /** Not written yet; the empty line behind the header section is the first. */
  #lineEnds = 1;
  #heldCr = false;
  #open = false;

  constructor(form: DomainKeysForm, write: (octets: Uint8Array) => void) {
    this.#form = form;
    this.#write = write;
  }

  update(chunk: Uint8Array): void {
    const out = Buffer.allocUnsafe(chunk.length + 1);
    let used = 0;
    const put = (octet: number): void => {
      for (; this.#lineEnds > 0; this.#lineEnds--) {
        if (used > 0) this.#write(Buffer.from(out.subarray(0, used)));
        used = 0;
        this.#write(crlf);
      }
      this.#open = true;
      out[used++] = octet;
    };
    for (const octet of chunk) {
      if (this.#form === 'nofws') {
        if (octet === LF) this.#lineEnds++;
        else if (octet !== CR && octet !== SPACE && octet !== TAB) put(octet);
        continue;
      }
      if (this.#heldCr && octet === LF) {
        this.#heldCr = false;
        this.#lineEnds++;
        continue;
      }
      if (this.#heldCr) put(CR);
      this.#heldCr = octet === CR;
      if (!this.#heldCr) put(octet);
    }
    if (used > 0) this.#write(out.subarray(0, used));
  }

  /** What was written ends with one line end. */
  end(): void {
    if (this.#heldCr) this.#write(Buffer.from('\r'));
    if (this.#open || this.#heldCr) this.#write(crlf);
  }
}
