/**
 * Hosts that the text of a message links to, found line by line in whatever transfer encoding: `http(s)://`, `www.` and `mailto:`. How much
 * text is read and how many hosts are kept is bounded; a link broken over a soft line break is joined again.
 */
import { domainToASCII } from 'node:url';
import { decodeTransferEncoding } from '@postern/mail-message';

const mostText = 1_048_576;
const mostHosts = 500;
const longestCarry = 2_048;
/** Scheme or www, credentials, then the host as far as a host can go. */
const link =
  /(?:\bhttps?:(?:\/\/|&#47;&#47;|\\\/\\\/)(?:[^\s"'<>@/]{0,256}@)?|\bmailto:[^\s"'<>@?]{1,128}@|(?=\bwww\.[a-z0-9]))([^\s"'<>/?#:()\\,;&=%]{3,253})/gi;

export class LinkReader {
  readonly hosts = new Set<string>();
  #read = 0;
  #carry = '';
  #base64 = '';

  read(line: Buffer, encoding: string): void {
    if (this.#read >= mostText || this.hosts.size >= mostHosts) return;
    this.#read += line.length;
    if (encoding === 'base64') this.#readBase64(line.toString('latin1').replace(/[^A-Za-z0-9+/]/g, ''));
    else if (encoding === 'quoted-printable') this.#readQuoted(line);
    else this.#find(line.toString('utf8'));
  }

  /** The end of a part: what is held is a line of its own. */
  end(): void {
    if (this.#base64 !== '') this.#find(this.#carry + Buffer.from(this.#base64, 'base64').toString('utf8'));
    else if (this.#carry !== '') this.#find(this.#carry);
    this.#carry = '';
    this.#base64 = '';
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
    for (const [, found = ''] of text.matchAll(link)) {
      const host = domainToASCII(
        found
          .toLowerCase()
          .replace(/[.\]]+$/, '')
          .replace(/^\[/, ''),
      );
      if (host !== '' && host.includes('.')) this.hosts.add(host);
      if (this.hosts.size >= mostHosts) return;
    }
  }
}
