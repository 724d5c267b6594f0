/**
 * Applies header edits to a message that streams by: only the header section is held, the body passes uncopied.
 * A header section beyond the limit is refused, not passed on half edited: a forged field could stand in the rest.
 */
import { Transform, type TransformCallback } from 'node:stream';
import { applyHeaderEdits, type HeaderEdit } from './header-edit.js';
import { findBodyOffset, HEADER_LIMITS } from './header-section.js';

export class HeaderSectionTooLarge extends Error {
  override readonly name = 'HeaderSectionTooLarge';
  constructor(maxBytes: number) {
    super(`header section is larger than ${maxBytes} bytes`);
  }
}

/** Collects bytes until the header section is whole. */
class HeaderCollector {
  readonly #maxBytes: number;
  #held: Buffer = Buffer.alloc(0);

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The header section with what came behind it, or null while it is not whole. */
  add(chunk: Buffer): { readonly header: Buffer; readonly rest: Buffer } | null {
    const from = Math.max(0, this.#held.length - 3);
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const bodyOffset = findBodyOffset(this.#held, from);
    const size = bodyOffset === -1 ? this.#held.length : bodyOffset;
    if (size > this.#maxBytes) throw new HeaderSectionTooLarge(this.#maxBytes);
    if (bodyOffset === -1) return null;
    return { header: this.#held.subarray(0, bodyOffset), rest: this.#held.subarray(bodyOffset) };
  }

  /** What is held of a message that ended inside its header section. */
  get held(): Buffer {
    return this.#held;
  }
}

export interface HeaderEditLimits {
  readonly maxBytes?: number;
}

/** Async iterable form: the cheapest. Throws HeaderSectionTooLarge. */
export async function* editHeaders(
  source: AsyncIterable<Buffer> | Iterable<Buffer>,
  edits: readonly HeaderEdit[],
  limits: HeaderEditLimits = {},
): AsyncGenerator<Buffer, void, undefined> {
  if (edits.length === 0) {
    yield* source;
    return;
  }
  const collector = new HeaderCollector(limits.maxBytes ?? HEADER_LIMITS.maxBytes);
  let inBody = false;
  for await (const chunk of source) {
    if (inBody) {
      yield chunk;
      continue;
    }
    const whole = collector.add(chunk);
    if (whole === null) continue;
    inBody = true;
    yield applyHeaderEdits(whole.header, edits);
    if (whole.rest.length > 0) yield whole.rest;
  }
  if (!inBody) yield applyHeaderEdits(collector.held, edits);
}

/** Stream form of the same. Destroyed with HeaderSectionTooLarge. */
export class HeaderEditTransform extends Transform {
  readonly #edits: readonly HeaderEdit[];
  readonly #collector: HeaderCollector;
  #inBody: boolean;

  constructor(edits: readonly HeaderEdit[], limits: HeaderEditLimits = {}) {
    super();
    this.#edits = edits;
    this.#collector = new HeaderCollector(limits.maxBytes ?? HEADER_LIMITS.maxBytes);
    this.#inBody = edits.length === 0;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#inBody) {
      done(null, chunk);
      return;
    }
    try {
      const whole = this.#collector.add(chunk);
      if (whole !== null) {
        this.#inBody = true;
        this.push(applyHeaderEdits(whole.header, this.#edits));
        if (whole.rest.length > 0) this.push(whole.rest);
      }
      done();
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  }

  override _flush(done: TransformCallback): void {
    if (this.#inBody) done();
    else done(null, applyHeaderEdits(this.#collector.held, this.#edits));
  }
}
