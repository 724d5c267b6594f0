/**
 * Looks into the parts of a message while its body streams by: how many, of which types, which attachments, and the hosts its text links to.
 * RFC 2045, RFC 2046 §5.1. Holds one line and the header section of one part; text is read up to a bound, other parts are only measured.
 * Parts, depth and header sections of parts are bounded, and where a bound ends the looking it is said.
 */
import { fieldsNamed, type HeaderSection, parseParameterized, readHeaderSection } from '@postern/mail-message';
import { LinkReader } from './link-reader.js';
import type { Incomplete, MimeFacts } from './mime-facts.js';

interface Part {
  readonly type: string;
  readonly encoding: string;
  readonly isText: boolean;
  readonly isAttachment: boolean;
  readonly filename: string;
  size: number;
}

const LF = 0x0a;
const longestLine = 8_192;
const longestHeader = 65_536;
/** No mail program writes as many or nests as deep (docs/checks.md says what happens beyond). */
const mostParts = 1_000;
const mostListed = 1_000;
const deepest = 50;
const delimiterStart = Buffer.from('\n--');

export class BodyScan {
  readonly #boundaries: string[] = [];
  readonly #parts: Part[] = [];
  readonly #links = new LinkReader();
  #part: Part | undefined;
  #header: Buffer[] | undefined;
  #headerSize = 0;
  #held: Buffer = Buffer.alloc(0);
  #lineBegins = true;
  #incomplete: Incomplete | undefined;

  constructor(section: HeaderSection) {
    this.#open(section);
  }

  write(chunk: Buffer): void {
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = Buffer.alloc(0);
    while (rest.length > 0) {
      const skipped = this.#skip(rest);
      if (skipped > 0) {
        rest = rest.subarray(skipped);
        continue;
      }
      const end = rest.indexOf(LF) + 1;
      if (end === 0 && rest.length < longestLine) {
        this.#held = Buffer.from(rest);
        return;
      }
      const line = rest.subarray(0, end === 0 ? rest.length : end);
      this.#line(line);
      this.#lineBegins = end !== 0;
      rest = rest.subarray(line.length);
    }
  }

  end(): void {
    if (this.#held.length > 0) this.#line(this.#held);
    this.#held = Buffer.alloc(0);
    if (this.#header !== undefined) this.#openHeld();
    this.#links.finish();
  }

  get facts(): MimeFacts {
    const attachments = this.#parts.filter(({ isAttachment }) => isAttachment);
    return {
      parts: this.#parts.length,
      types: [...new Set(this.#parts.map(({ type }) => type))].slice(0, mostListed),
      attachments: attachments.map(({ filename }) => filename).slice(0, mostListed),
      largestAttachment: attachments.reduce((largest, part) => Math.max(largest, decodedSize(part)), 0),
      incomplete: this.#incomplete,
    };
  }

  get hosts(): ReadonlySet<string> {
    return this.#links.hosts;
  }

  /** Octets of a part nobody reads, up to the next line that may be a delimiter; 0 = the next line has to be looked at. */
  #skip(rest: Buffer): number {
    if (this.#header !== undefined || this.#part?.isText === true || rest.length < 3) return 0;
    if (this.#lineBegins && rest[0] === 0x2d && rest[1] === 0x2d) return 0;
    const found = this.#boundaries.length === 0 ? -1 : rest.indexOf(delimiterStart);
    // Two octets stay: a delimiter may begin in them.
    const length = found === -1 ? rest.length - 2 : found + 1;
    if (length <= 0) return 0;
    if (this.#part !== undefined) this.#part.size += length;
    this.#lineBegins = rest[length - 1] === LF;
    return length;
  }

  #line(line: Buffer): void {
    if (this.#lineBegins && line[0] === 0x2d && line[1] === 0x2d && this.#delimiter(line)) return;
    if (this.#header !== undefined) {
      this.#header.push(Buffer.from(line));
      this.#headerSize += line.length;
      if (line.length <= 2 && /^\r?\n$/.test(line.toString('latin1'))) this.#openHeld();
      else if (this.#headerSize > longestHeader) {
        this.#incomplete ??= 'part header';
        this.#openHeld();
      }
      return;
    }
    const part = this.#part;
    if (part === undefined) return;
    part.size += line.length;
    if (part.isText) this.#links.read(line, part.encoding);
  }

  #delimiter(line: Buffer): boolean {
    if (this.#boundaries.length === 0) return false;
    const text = line
      .toString('latin1')
      .replace(/[ \t\r\n]+$/, '')
      .slice(2);
    const begins = this.#boundaries.lastIndexOf(text);
    const ends = text.endsWith('--') ? this.#boundaries.lastIndexOf(text.slice(0, -2)) : -1;
    const level = Math.max(begins, ends);
    if (level === -1) return false;
    const isOpen = level === begins;
    if (this.#header !== undefined) this.#openHeld();
    this.#links.end();
    // RFC 2046 §5.1.1: the line end before a delimiter belongs to it.
    if (this.#part !== undefined) this.#part.size = Math.max(0, this.#part.size - 2);
    this.#part = undefined;
    this.#boundaries.length = isOpen ? level + 1 : level;
    if (isOpen) this.#startHeader();
    return true;
  }

  #startHeader(): void {
    const isOver = this.#parts.length >= mostParts;
    if (isOver) this.#incomplete ??= 'parts';
    this.#header = isOver ? undefined : [];
    this.#headerSize = 0;
  }

  #openHeld(): void {
    const section = readHeaderSection(Buffer.concat(this.#header ?? []));
    this.#header = undefined;
    this.#open(section);
  }

  #open({ fields }: HeaderSection): void {
    const described = (name: string) => parseParameterized(fieldsNamed(fields, name)[0]?.value ?? '');
    const contentType = described('content-type');
    const disposition = described('content-disposition');
    const type = contentType.value === '' ? 'text/plain' : contentType.value;
    const filename = disposition.parameters.get('filename') ?? contentType.parameters.get('name') ?? '';
    const encoding = described('content-transfer-encoding').value;
    const isAttachment = disposition.value === 'attachment' || filename !== '';
    this.#part = { type, encoding, filename, isAttachment, isText: type.startsWith('text/') && !isAttachment, size: 0 };
    this.#parts.push(this.#part);
    const boundary = contentType.parameters.get('boundary');
    if (type.startsWith('multipart/') && boundary !== undefined) {
      if (this.#boundaries.length < deepest) this.#boundaries.push(boundary);
      else this.#incomplete ??= 'depth';
    } else if (/^message\/(rfc822|global)$/.test(type) && !/^(base64|quoted-printable)$/.test(encoding))
      this.#startHeader();
  }
}

/** Decoded octets, without decoding: four characters are three octets, and 76 characters a line have a line end of two. */
function decodedSize({ encoding, size }: Part): number {
  return encoding === 'base64' ? Math.floor(((size - 2 * Math.floor(size / 78)) * 3) / 4) : size;
}
