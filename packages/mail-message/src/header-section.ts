/**
 * Reads the header section of a message as bytes: which fields, where the body begins. RFC 5322 §2.1-2.2.
 * Nothing is changed and nothing throws. Lines that are no field (no colon, a leading continuation) are kept as fields
 * without a name, and reading goes on behind them: a mail program may do the same, so a forged field there must be
 * seen. Size and number of fields are bounded. Line ends: CRLF, and bare LF where a listener lets it through.
 */

export class HeaderField {
  /** As written; '' for a line that is no field. */
  readonly name: string;
  /** Lower case, for comparing. */
  readonly key: string;
  /** The whole field with its folds and its final line end: a view into the message. */
  readonly raw: Buffer;
  readonly #valueStart: number;

  constructor(name: string, raw: Buffer, valueStart: number) {
    this.name = name;
    this.key = name.toLowerCase();
    this.raw = raw;
    this.#valueStart = valueStart;
  }

  /** Unfolded and trimmed, read as UTF-8. */
  get value(): string {
    return this.raw
      .toString('utf8', this.#valueStart)
      .replace(/\r?\n(?=[ \t])/g, '')
      .trim();
  }
}

export interface HeaderLimits {
  readonly maxBytes?: number;
  readonly maxFields?: number;
}

export interface HeaderSection {
  readonly fields: readonly HeaderField[];
  /** Behind the empty line; where none was found, behind the last field read. */
  readonly bodyOffset: number;
  /** `whole`: an empty line ended it. `open`: the bytes ended first. Else the limit that stopped the reading. */
  readonly end: 'whole' | 'open' | 'tooLarge' | 'tooManyFields';
}

export const HEADER_LIMITS = { maxBytes: 262_144, maxFields: 1000 } as const;

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;

function isSpace(octet: number | undefined): boolean {
  return octet === 0x20 || octet === 0x09;
}

/** The name before the colon, '' where the line has none. Space before the colon is RFC 5322 §4.5 (obsolete). */
function readName(line: Buffer): { readonly name: string; readonly valueStart: number } {
  const colon = line.indexOf(COLON);
  let end = colon;
  while (end > 0 && isSpace(line[end - 1])) end -= 1;
  for (let at = 0; at < end; at += 1) {
    const octet = line[at] ?? 0;
    if (octet < 0x21 || octet > 0x7e) return { name: '', valueStart: 0 };
  }
  return end <= 0 ? { name: '', valueStart: 0 } : { name: line.toString('latin1', 0, end), valueStart: colon + 1 };
}

/** Length of the empty line at `at`, or 0. */
function emptyLine(bytes: Buffer, at: number): number {
  if (bytes[at] === LF) return 1;
  return bytes[at] === CR && bytes[at + 1] === LF ? 2 : 0;
}

/**
 * Offset behind the empty line that ends the header section, or -1. `from` is where to look on after a former -1 with
 * fewer bytes; it need not be a line start, but a line end before it must not be lost: give the former length less 3.
 */
export function findBodyOffset(bytes: Buffer, from = 0): number {
  if (from === 0) {
    const empty = emptyLine(bytes, 0);
    if (empty > 0) return empty;
  }
  for (let at = bytes.indexOf(LF, from); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    const empty = emptyLine(bytes, at + 1);
    if (empty > 0) return at + 1 + empty;
  }
  return -1;
}

export function readHeaderSection(bytes: Buffer, limits: HeaderLimits = {}): HeaderSection {
  const maxBytes = limits.maxBytes ?? HEADER_LIMITS.maxBytes;
  const maxFields = limits.maxFields ?? HEADER_LIMITS.maxFields;
  const fields: HeaderField[] = [];
  let at = 0;
  while (at < bytes.length) {
    const empty = emptyLine(bytes, at);
    if (empty > 0) return { fields, bodyOffset: at + empty, end: 'whole' };
    let end = at;
    do {
      const newline = bytes.indexOf(LF, end);
      end = newline === -1 ? bytes.length : newline + 1;
      if (end > maxBytes) return { fields, bodyOffset: at, end: 'tooLarge' };
    } while (isSpace(bytes[end]));
    if (fields.length === maxFields) return { fields, bodyOffset: at, end: 'tooManyFields' };
    const raw = bytes.subarray(at, end);
    const { name, valueStart } = readName(raw);
    fields.push(new HeaderField(name, raw, valueStart));
    at = end;
  }
  return { fields, bodyOffset: at, end: 'open' };
}

export function fieldsNamed(fields: readonly HeaderField[], name: string): readonly HeaderField[] {
  const key = name.toLowerCase();
  return fields.filter((field) => field.key === key);
}
