/**
 * The parts of a message: types, encodings, file names, offsets. RFC 2045, RFC 2046 §5.1. Nothing is decoded or copied.
 * One pass over the delimiter lines, an explicit stack in place of recursion, bounded in depth, parts and delimiter
 * lines; behind a limit nothing is looked into and `problem` says so. A boundary inside a header section ends it.
 */
import { fieldsNamed, HEADER_LIMITS, type HeaderField, readHeaderSection } from './header-section.js';
import { type Parameterized, parseParameterized } from './parameterized.js';

export interface MimePart {
  /** Index of the part around it; -1 for the message itself. */
  readonly parent: number;
  readonly depth: number;
  /** Lower case; `text/plain` where none is given. */
  readonly contentType: string;
  readonly parameters: ReadonlyMap<string, string>;
  /** `attachment`, `inline`, or '' where none is given. */
  readonly disposition: string;
  readonly filename: string | null;
  readonly transferEncoding: string;
  readonly bodyStart: number;
  /** Without the line end that belongs to the delimiter. */
  readonly bodyEnd: number;
}

export type MimeProblem = 'tooDeep' | 'tooManyParts' | 'tooManyDelimiters' | 'headerTooLarge';

export interface MimeStructure {
  readonly parts: readonly MimePart[];
  readonly problem: MimeProblem | null;
}

export interface MimeLimits {
  readonly maxDepth?: number;
  readonly maxParts?: number;
  readonly maxDelimiters?: number;
}

const LF = 0x0a;
const CR = 0x0d;
const DASHES = Buffer.from('\n--');

type OpenPart = { -readonly [Key in keyof MimePart]: MimePart[Key] };

interface Level {
  readonly delimiter: Buffer;
  /** Index of its multipart. */
  readonly part: number;
}

interface Delimiter {
  readonly level: number;
  readonly closing: boolean;
  readonly lineStart: number;
  readonly lineEnd: number;
}

function described(fields: readonly HeaderField[], name: string): Parameterized {
  return parseParameterized(fieldsNamed(fields, name)[0]?.value ?? '');
}

class Walker {
  readonly #message: Buffer;
  readonly #limits: Required<MimeLimits>;
  readonly parts: OpenPart[] = [];
  readonly #stack: Level[] = [];
  problem: MimeProblem | null = null;
  #delimiters = 0;

  constructor(message: Buffer, limits: MimeLimits) {
    this.#message = message;
    this.#limits = { maxDepth: 50, maxParts: 1_000, maxDelimiters: 50_000, ...limits };
  }

  walk(): void {
    let at = this.#open(0, -1, 0);
    for (;;) {
      const found = this.#stack.length === 0 ? null : this.#nextDelimiter(at, this.#message.length);
      if (found === null) return;
      at = this.#take(found);
    }
  }

  /** Opens the part whose header begins at `start`; returns where to look on. Nested messages open too. */
  #open(start: number, parent: number, depth: number): number {
    let at = start;
    let around = parent;
    for (let level = depth; ; level += 1) {
      if (this.parts.length >= this.#limits.maxParts) {
        this.problem ??= 'tooManyParts';
        return at;
      }
      if (level > this.#limits.maxDepth) {
        this.problem ??= 'tooDeep';
        return at;
      }
      const part = this.#readPart(at, around, level);
      this.parts.push(part);
      around = this.parts.length - 1;
      at = part.bodyStart;
      const boundary = part.parameters.get('boundary');
      if (part.contentType.startsWith('multipart/') && boundary) {
        this.#stack.push({ delimiter: Buffer.from(`--${boundary}`), part: around });
        return at;
      }
      const nested = part.contentType === 'message/rfc822' || part.contentType === 'message/global';
      const readable = !/^(base64|quoted-printable)$/.test(part.transferEncoding);
      if (!nested || !readable) return at;
    }
  }

  #readPart(start: number, parent: number, depth: number): OpenPart {
    const most = Math.min(this.#message.length, start + HEADER_LIMITS.maxBytes);
    const edge = this.#stack.length === 0 ? null : this.#nextDelimiter(start, this.#headerEnd(start, most));
    const section = readHeaderSection(this.#message.subarray(start, edge === null ? most : edge.lineStart));
    if (section.end === 'tooLarge' || section.end === 'tooManyFields') this.problem ??= 'headerTooLarge';
    const type = described(section.fields, 'content-type');
    const disposition = described(section.fields, 'content-disposition');
    return {
      parent,
      depth,
      contentType: type.value === '' ? 'text/plain' : type.value,
      parameters: type.parameters,
      disposition: disposition.value,
      filename: disposition.parameters.get('filename') ?? type.parameters.get('name') ?? null,
      transferEncoding: described(section.fields, 'content-transfer-encoding').value,
      bodyStart: start + section.bodyOffset,
      bodyEnd: this.#message.length,
    };
  }

  /** Where the header section ends as far as empty lines tell. */
  #headerEnd(start: number, most: number): number {
    return start + readHeaderSection(this.#message.subarray(start, most)).bodyOffset;
  }

  /** The next line that is a delimiter of an open multipart, begun in [at, end). */
  #nextDelimiter(at: number, end: number): Delimiter | null {
    const message = this.#message;
    let line = at === 0 || message[at - 1] === LF ? at : -1;
    if (line === -1 || message[line] !== 0x2d || message[line + 1] !== 0x2d) line = this.#nextDashes(at);
    for (; line !== -1 && line < end; line = this.#nextDashes(line)) {
      this.#delimiters += 1;
      if (this.#delimiters > this.#limits.maxDelimiters) {
        this.problem ??= 'tooManyDelimiters';
        return null;
      }
      const newline = message.indexOf(LF, line);
      const lineEnd = newline === -1 ? message.length : newline + 1;
      const level = this.#stack.findLastIndex(({ delimiter }) => this.#startsWith(line, delimiter, lineEnd));
      const delimiter = this.#stack[level]?.delimiter;
      if (delimiter !== undefined) {
        const behind = line + delimiter.length;
        const closing = message[behind] === 0x2d && message[behind + 1] === 0x2d;
        return { level, closing, lineStart: line, lineEnd };
      }
    }
    return null;
  }

  #nextDashes(at: number): number {
    const found = this.#message.indexOf(DASHES, at);
    return found === -1 ? -1 : found + 1;
  }

  /** The line is this delimiter, `--` and white space aside. RFC 2046 §5.1.1. */
  #startsWith(line: number, delimiter: Buffer, lineEnd: number): boolean {
    const behind = line + delimiter.length;
    if (behind > lineEnd || this.#message.compare(delimiter, 0, delimiter.length, line, behind) !== 0) return false;
    return /^(?:--)?[ \t]*\r?\n?$/.test(this.#message.toString('latin1', behind, Math.min(lineEnd, behind + 80)));
  }

  #take(found: Delimiter): number {
    const level = this.#stack[found.level];
    if (level === undefined) return found.lineEnd;
    let end = found.lineStart;
    if (this.#message[end - 1] === LF) end -= this.#message[end - 2] === CR ? 2 : 1;
    for (const [index, part] of this.parts.entries()) {
      // Parts come in order of their start: all after this multipart are inside it.
      if (index > level.part && part.bodyEnd === this.#message.length) part.bodyEnd = Math.max(part.bodyStart, end);
    }
    this.#stack.length = found.closing ? found.level : found.level + 1;
    if (found.closing) return found.lineEnd;
    return this.#open(found.lineEnd, level.part, (this.parts[level.part]?.depth ?? 0) + 1);
  }
}

export function readMimeStructure(message: Buffer, limits: MimeLimits = {}): MimeStructure {
  const walker = new Walker(message, limits);
  walker.walk();
  return { parts: walker.parts, problem: walker.problem };
}
