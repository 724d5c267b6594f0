/**
 * Octets of one part as text, in pieces: UTF-8 unless its charset, a byte order mark or zeros between the letters say otherwise. What is not plain text is read
 * in two ways, as its charset and as what is left without zeros, since mail programs differ in which they believe; only ASCII matters much,
 * since links are made of it. WHATWG Encoding labels.
 */
import { StringDecoder } from 'node:string_decoder';
import { TextDecoder } from 'node:util';
import { namesUtf7, Utf7Decoder } from './utf7.js';

const LF = 0x0a;
/** Octets of these, as far as links go, are what UTF-8 makes of them. */
const plain = /^(?:|utf-?8|us-ascii|ascii|iso-8859-\d{1,2}|latin1|windows-125\d)$/;
const wide = /^(?:utf-?(?:16|32)|ucs-?[24]|unicode|iso-10646|csunicode)/;

interface Decoder {
  readonly decode: (octets: Buffer, options: { readonly stream: true }) => string;
}

export class CharsetText {
  readonly #charset: string;
  #own: Decoder | undefined;
  #isBegun = false;
  #isOpen = false;
  readonly #rest = new StringDecoder('utf8');

  constructor(charset: string) {
    this.#charset = charset;
  }

  /** As plain text. */
  plain(octets: Buffer): string {
    if (!this.#isBegun) this.#begin(octets);
    const letters = octets.includes(0) ? Buffer.from(octets.filter((octet) => octet !== 0)) : octets;
    // A whole line ends no letter in its middle.
    const isWhole = !this.#isOpen && letters.at(-1) === LF;
    this.#isOpen = !isWhole;
    return isWhole ? letters.toString() : this.#rest.write(letters);
  }

  /** The same octets as their charset; '' where that is plain text. */
  own(octets: Buffer): string {
    return this.#own === undefined ? '' : this.#own.decode(octets, { stream: true });
  }

  #begin(octets: Buffer): void {
    this.#isBegun = octets.length > 0;
    const mark = octets.length > 1 ? octets.readUInt16BE(0) : 0;
    if (mark === 0xfe_ff || mark === 0xff_fe) this.#own = decoderOf(mark === 0xfe_ff ? 'utf-16be' : 'utf-16le');
    else if (wide.test(this.#charset)) {
      const isBig = this.#charset.endsWith('be') || (!this.#charset.endsWith('le') && octets[0] === 0);
      this.#own = decoderOf(isBig ? 'utf-16be' : 'utf-16le');
    } else if (!plain.test(this.#charset)) this.#own = decoderOf(this.#charset);
  }
}

function decoderOf(label: string): Decoder | undefined {
  if (namesUtf7(label)) return new Utf7Decoder();
  try {
    return new TextDecoder(label);
  } catch {
    return undefined;
  }
}
