/**
 * Reads message bytes as they come from the wire: finds the end of data, takes out stuffed dots, judges line ends.
 * Only CRLF ends a line (RFC 5321 §2.3.8); a bare CR or LF, a NUL or an endless line is a violation, and from the first one on no byte goes
 * downstream, while reading goes on to the true end (RFC 5321 §4.1.1.4: CRLF.CRLF and nothing else).
 * One pass, no copy where no dot was stuffed; dots are taken out in place, so a chunk belongs to the reader.
 * Invariant: the same bytes give the same content and the same violation, however they are cut into chunks.
 */

export type LineViolation = 'bareNewline' | 'nul' | 'lineTooLong';

/** Bytes of a message as they come: where they end, what of them is content, what is wrong with them. */
export interface ContentReader {
  readonly violation: LineViolation | undefined;
  /** Octets of content so far. */
  readonly size: number;
  /** After `feed`: content of that chunk. */
  readonly content: Buffer;
  /** Takes a chunk; returns the offset behind the end, or -1 where it goes on. */
  feed(chunk: Buffer): number;
}

const LINE_START = 0;
/** A dot at a line start: stuffing, or the end. */
const DOT = 1;
const DOT_CR = 2;
const TEXT = 3;
const CR_SEEN = 4;

const NUL = 0x00;
const LF = 0x0a;
const CR = 0x0d;
const PERIOD = 0x2e;
/** Below this a moved segment is copied by hand: cheaper than a call. */
const shortSegment = 24;

const nothing = Buffer.alloc(0);

function move(chunk: Buffer, to: number, from: number, end: number): number {
  if (to !== from) {
    if (end - from > shortSegment) chunk.copyWithin(to, from, end);
    else for (let at = from, out = to; at < end; at++, out++) chunk[out] = chunk[at] ?? 0;
  }
  return to + end - from;
}

export class DataReader implements ContentReader {
  /** First violation seen. */
  violation: LineViolation | undefined;
  /** Content bytes so far, dots taken out; the bytes after a violation are counted too. */
  size = 0;
  /** After `feed`: content of that chunk, a view into it. Empty after a violation. */
  content: Buffer = nothing;
  #state = LINE_START;
  /** Octets of the present line in earlier chunks. */
  #line = 0;
  readonly #maxLine: number;
  readonly #tolerant: boolean;
  /** No bare CR, bare LF or NUL so far. */
  isRegular = true;
  /** After `feed`: a CR that was held back as part of an end of data was none, and stands before the content. Of use to a tolerant reader only. */
  owesCr = false;

  /** `maxLine`: octets of a line without its CRLF. `tolerant`: only a line that is too long is a violation. */
  constructor(maxLine: number, mode: 'strict' | 'tolerant' = 'strict') {
    this.#maxLine = maxLine;
    this.#tolerant = mode === 'tolerant';
  }

  #irregular(violation: LineViolation): void {
    this.isRegular = false;
    if (!this.#tolerant) this.violation ??= violation;
  }

  /** Takes a chunk; returns the offset behind the end of data, or -1 where it goes on. */
  feed(chunk: Buffer): number {
    const length = chunk.length;
    let state = this.#state;
    let at = 0;
    let segment = 0;
    let base = 0;
    let out = 0;
    let lineStart = -this.#line;
    let end = -1;
    this.owesCr = false;
    while (at < length) {
      let octet = chunk[at] ?? 0;
      if (state === TEXT) {
        while (octet > CR && ++at < length) octet = chunk[at] ?? 0;
        if (at === length) break;
      }
      if (octet === LF) {
        if (state === CR_SEEN) {
          if (at - lineStart - 1 > this.#maxLine) this.violation ??= 'lineTooLong';
          lineStart = at + 1;
          state = LINE_START;
        } else if (state === DOT_CR) {
          end = at + 1;
          break;
        } else {
          this.#irregular('bareNewline');
          state = TEXT;
        }
      } else if (state === CR_SEEN || state === DOT_CR) {
        this.#irregular('bareNewline');
        if (state === DOT_CR && at === 0) this.owesCr = true;
        state = octet === CR ? CR_SEEN : TEXT;
        if (octet === NUL) this.#irregular('nul');
      } else if (octet === CR) {
        state = state === DOT ? DOT_CR : CR_SEEN;
      } else if (octet === PERIOD && state === LINE_START) {
        if (at === base && segment === base) base = out = segment = at + 1;
        else {
          out = move(chunk, out, segment, at);
          segment = at + 1;
        }
        state = DOT;
      } else {
        if (octet === NUL) this.#irregular('nul');
        state = TEXT;
      }
      at++;
    }
    // The CR of a final `.CRLF` is not content; it may have come with an earlier chunk.
    const stop = end === -1 ? length : Math.max(segment, end - 2);
    const held = end === -1 && state === DOT_CR && segment < length ? 1 : 0;
    out = move(chunk, out, segment, stop - held);
    this.#state = state;
    this.#line = length - lineStart;
    if (end === -1 && state !== LINE_START && this.#line > this.#maxLine + 2) this.violation ??= 'lineTooLong';
    this.size += out - base;
    this.content = this.violation === undefined ? chunk.subarray(base, out) : nothing;
    return end;
  }
}
