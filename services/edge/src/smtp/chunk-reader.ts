/**
 * Reads message bytes that are counted instead of ended by a dot (BDAT, RFC 3030 §2): nothing in them is a command or an end, whatever they hold.
 * Text keeps the line policy of DATA, since it leaves by DATA. Binary (BODY=BINARYMIME, RFC 3030 §3) may hold anything behind its header section;
 * `isText` says whether it did not, and the message can go where binary ones cannot.
 * Invariant: the same bytes give the same content and the same violation, however they are cut into chunks and segments.
 */
import type { ContentReader, LineViolation } from './line-policy.js';
import { LineRepair } from './line-repair.js';

/** `repaired` = text under the line policy `normalise`. */
export type ChunkContent = 'text' | 'repaired' | 'binary';

const LF = 0x0a;
const CR = 0x0d;
const NUL = 0x00;
const nothing = Buffer.alloc(0);

export class ChunkReader implements ContentReader {
  violation: LineViolation | undefined;
  size = 0;
  content: Buffer = nothing;
  /** No octet so far that DATA could not carry. */
  isText = true;
  #left = 0;
  #previous = LF;
  /** Octets of the present line. */
  #line = 0;
  #inHeader = true;
  readonly #repair: LineRepair | undefined;

  constructor(
    readonly kind: ChunkContent,
    readonly maxLine: number,
  ) {
    this.#repair = kind === 'repaired' ? new LineRepair() : undefined;
  }

  get changed(): boolean {
    return this.#repair?.changed === true;
  }

  /** A chunk of so many octets comes. */
  expect(octets: number): void {
    this.#left = octets;
  }

  feed(chunk: Buffer): number {
    const taken = chunk.length > this.#left ? chunk.subarray(0, this.#left) : chunk;
    this.#left -= taken.length;
    this.size += taken.length;
    const content = this.#repair?.feed(taken) ?? taken;
    if (this.isText) this.#scan(content);
    this.content = this.violation === undefined ? content : nothing;
    return this.#left === 0 ? taken.length : -1;
  }

  /** After the last chunk: octets the message lacks to be whole lines. */
  finish(): Buffer {
    const owed = this.#repair?.finish() ?? nothing;
    if (this.isText) this.#scan(owed);
    if (this.isText && this.#previous === CR) this.#fail('bareNewline');
    if (this.violation !== undefined) return nothing;
    const isOpen = this.#previous !== LF && (this.kind !== 'binary' || this.#inHeader);
    return isOpen ? Buffer.from('\r\n') : owed;
  }

  #fail(violation: LineViolation): void {
    this.isText = false;
    if (this.kind !== 'binary' || this.#inHeader) this.violation ??= violation;
  }

  #scan(chunk: Buffer): void {
    let previous = this.#previous;
    let line = this.#line;
    for (let at = 0; at < chunk.length && this.isText; at++) {
      const octet = chunk[at] ?? 0;
      if (previous === CR ? octet !== LF : octet === LF) this.#fail('bareNewline');
      else if (octet === LF) {
        if (line === 1) this.#inHeader = false;
        line = -1;
      } else if (octet === NUL) this.#fail('nul');
      if (++line > this.maxLine + 1) this.#fail('lineTooLong');
      previous = octet;
    }
    this.#previous = chunk.at(-1) ?? this.#previous;
    this.#line = line;
  }
}

/** Takes so many octets and keeps none: a chunk nobody wants still has to be read (RFC 3030 §2). */
export class DiscardReader implements ContentReader {
  readonly violation = undefined;
  readonly content = nothing;
  size = 0;

  constructor(readonly octets: number) {}

  feed(chunk: Buffer): number {
    const left = this.octets - this.size;
    this.size += Math.min(left, chunk.length);
    return chunk.length >= left ? left : -1;
  }
}
