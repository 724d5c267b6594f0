/**
 * One part's base64 or quoted-printable, decoded line by line however the lines are cut. RFC 2045 §6.7-6.8. Lenient as mail programs are: noise between letters
 * is skipped, behind padding a new group of four begins. Holds at most a group.
 */
import { decodeTransferEncoding } from '@postern/mail-message';

const LF = 0x0a;
const nothing = Buffer.alloc(0);

export const isDecoded = (encoding: string): boolean => encoding === 'base64' || encoding === 'quoted-printable';

export class TransferDecoder {
  readonly #encoding: string;
  #held = '';

  /** `encoding`: one that `isDecoded` knows. */
  constructor(encoding: string) {
    this.#encoding = encoding;
  }

  /** Lines with their line ends, or a piece of one. */
  write(line: Buffer): Buffer {
    return this.#encoding === 'base64' ? this.#group(line) : this.#unquote(line);
  }

  /** Letters of base64 that are no whole group yet. */
  get phase(): number {
    return this.#encoding === 'base64' ? this.#held.length : 0;
  }

  end(): Buffer {
    const rest = this.#held;
    this.#held = '';
    if (rest === '') return nothing;
    return this.#encoding === 'base64' ? Buffer.from(rest, 'base64') : Buffer.from(rest, 'latin1');
  }

  #group(line: Buffer): Buffer {
    const all = this.#held + line.toString('latin1').replace(/[^A-Za-z0-9+/=]/g, '');
    const padding = all.lastIndexOf('=') + 1;
    const whole = padding + (all.length - padding) - ((all.length - padding) % 4);
    this.#held = all.slice(whole);
    if (padding === 0) return Buffer.from(all.slice(0, whole), 'base64');
    return Buffer.concat(
      all
        .slice(0, whole)
        .split(/=+/)
        .map((group) => Buffer.from(group, 'base64')),
    );
  }

  #unquote(line: Buffer): Buffer {
    if (line.at(-1) !== LF) {
      const text = this.#held + line.toString('latin1');
      // What may be half of an octet waits for the rest.
      const open = text.lastIndexOf('=');
      const cut = open >= text.length - 2 && open !== -1 ? open : text.length;
      this.#held = text.slice(cut);
      return decodeTransferEncoding(Buffer.from(text.slice(0, cut), 'latin1'), 'quoted-printable');
    }
    const whole = this.#held === '' ? line : Buffer.concat([Buffer.from(this.#held, 'latin1'), line]);
    this.#held = '';
    return decodeTransferEncoding(withoutPadding(whole), 'quoted-printable');
  }
}

/** White space before a line end is not part of the text, RFC 2045 §6.7 rule 3: behind `=` it hid a soft line break. */
function withoutPadding(lines: Buffer): Buffer {
  const kept: Buffer[] = [];
  let from = 0;
  for (let at = lines.indexOf(LF); at !== -1; at = lines.indexOf(LF, at + 1)) {
    const ending = lines[at - 1] === 0x0d ? at - 1 : at;
    let end = ending;
    while (end > from && (lines[end - 1] === 0x20 || lines[end - 1] === 0x09)) end -= 1;
    if (end === ending) continue;
    kept.push(lines.subarray(from, end));
    from = ending;
  }
  return from === 0 ? lines : Buffer.concat([...kept, lines.subarray(from)]);
}
