/**
 * Hosts that the text of a message links to, found line by line in whatever transfer encoding (found-hosts.ts). The first MiB of text is read and the last
 * 256 KiB, so that padding in front of a link does not hide it; hosts of both are told in turn, so that many in front do not either. A link broken over a soft line
 * break is joined again.
 */
import { decodeTransferEncoding } from '@postern/mail-message';
import { hostsIn } from './found-hosts.js';
import { TextTail } from './text-tail.js';

const mostText = 1_048_576;
/** Of the beginning, and of the end. */
const mostHosts = 500;
const longestCarry = 2_048;

export class LinkReader {
  readonly #first = new Set<string>();
  readonly #last = new Set<string>();
  readonly #tail = new TextTail();
  #into = this.#first;
  #read = 0;
  #carry = '';
  #base64 = '';

  /** From the beginning and from the end in turn, each once. */
  get hosts(): ReadonlySet<string> {
    if (this.#last.size === 0) return this.#first;
    const ends = [...this.#last].toReversed();
    const turns = [...this.#first].flatMap((host, at) => ends.slice(at, at + 1).concat(host));
    return new Set([...turns, ...ends.slice(this.#first.size)]);
  }

  read(line: Buffer, encoding: string): void {
    if (this.#read >= mostText) this.#tail.keep(line, encoding, this.#base64.length);
    else {
      this.#read += line.length;
      this.#readLine(line, encoding);
    }
  }

  /** The end of a part: what is held is a line of its own. */
  end(): void {
    this.#tail.endPart();
    this.#flush();
  }

  /** The end of the message. */
  finish(): void {
    this.end();
    this.#into = this.#last;
    for (const { line, encoding, isLast } of this.#tail.lines()) {
      this.#readLine(line, encoding);
      if (isLast) this.#flush();
    }
    this.#flush();
  }

  #flush(): void {
    if (this.#base64 !== '') this.#find(this.#carry + Buffer.from(this.#base64, 'base64').toString('utf8'));
    else if (this.#carry !== '') this.#find(this.#carry);
    this.#carry = '';
    this.#base64 = '';
  }

  #readLine(line: Buffer, encoding: string): void {
    if (this.#into.size >= mostHosts) return;
    if (encoding === 'base64') this.#readBase64(line.toString('latin1').replace(/[^A-Za-z0-9+/]/g, ''));
    else if (encoding === 'quoted-printable') this.#readQuoted(line);
    else this.#find(line.toString('utf8'));
  }

  #readBase64(characters: string): void {
    const all = this.#base64 + characters;
    const whole = all.length - (all.length % 4);
    this.#base64 = all.slice(whole);
    const text = this.#carry + Buffer.from(all.slice(0, whole), 'base64').toString('utf8');
    const lineEnd = Math.max(text.lastIndexOf('\n'), text.lastIndexOf(' '));
    const cut = lineEnd === -1 ? Math.max(0, text.length - longestCarry) : lineEnd;
    this.#find(text.slice(0, cut));
    this.#carry = text.slice(cut);
  }

  #readQuoted(line: Buffer): void {
    const soft = /=\r?\n$/.test(line.toString('latin1', Math.max(0, line.length - 3)));
    const text = this.#carry + decodeTransferEncoding(line, 'quoted-printable').toString('utf8');
    if (soft && text.length < longestCarry) {
      this.#carry = text;
      return;
    }
    this.#carry = '';
    this.#find(text);
  }

  #find(text: string): void {
    for (const host of hostsIn(text)) {
      this.#into.add(host);
      if (this.#into.size >= mostHosts) return;
    }
  }
}
