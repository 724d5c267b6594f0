/**
 * Hosts that the text of a message links to, found line by line in whatever transfer encoding and charset (found-hosts.ts). The first MiB of text is read and the
 * last 256 KiB, so that padding in front of a link does not hide it; hosts of both are told in turn, so that many in front do not either. A link broken over a
 * soft line break is joined again.
 */
import { CharsetText } from './charset-text.js';
import { hostsIn } from './found-hosts.js';
import { JoinedText } from './joined-text.js';
import { type TextForm, TextTail } from './text-tail.js';
import { isDecoded, TransferDecoder } from './transfer-decoder.js';

const mostText = 1_048_576;
/** Of the beginning, and of the end. */
const mostHosts = 500;

/** One part while its lines come. */
interface Reading {
  readonly decoder: TransferDecoder | undefined;
  readonly charset: CharsetText;
}

export class LinkReader {
  readonly #first = new Set<string>();
  readonly #last = new Set<string>();
  readonly #tail = new TextTail();
  readonly #text = new JoinedText((text) => this.#find(text));
  readonly #own = new JoinedText((text) => this.#find(text));
  #reading: Reading | undefined;
  #into = this.#first;
  #read = 0;

  /** From the beginning and from the end in turn, each once. */
  get hosts(): ReadonlySet<string> {
    if (this.#last.size === 0) return this.#first;
    const ends = [...this.#last].toReversed();
    const turns = [...this.#first].flatMap((host, at) => ends.slice(at, at + 1).concat(host));
    return new Set([...turns, ...ends.slice(this.#first.size)]);
  }

  read(line: Buffer, form: TextForm): void {
    if (this.#read >= mostText) this.#tail.keep(line, form, this.#reading?.decoder?.phase ?? 0);
    else {
      this.#read += line.length;
      this.#readLine(line, form);
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
    for (const { line, form, isLast } of this.#tail.lines()) {
      this.#readLine(line, form);
      if (isLast) this.#flush();
    }
    this.#flush();
  }

  #flush(): void {
    const rest = this.#reading?.decoder?.end();
    if (rest !== undefined) this.#readText(rest);
    this.#text.end();
    this.#own.end();
    this.#reading = undefined;
  }

  #readLine(line: Buffer, { encodings, charset }: TextForm): void {
    if (this.#into.size >= mostHosts) return;
    if (this.#reading === undefined) {
      const encoding = encodings.find(isDecoded);
      const decoder = encoding === undefined ? undefined : new TransferDecoder(encoding);
      this.#reading = { decoder, charset: new CharsetText(charset) };
    }
    this.#readText(this.#reading.decoder?.write(line) ?? line);
  }

  #readText(octets: Buffer): void {
    if (this.#reading === undefined) return;
    const { charset } = this.#reading;
    this.#text.add(charset.plain(octets));
    const own = charset.own(octets);
    if (own !== '') this.#own.add(own);
  }

  #find(text: string): void {
    for (const host of hostsIn(text)) {
      this.#into.add(host);
      if (this.#into.size >= mostHosts) return;
    }
  }
}
