/**
 * The reader of DATA under the line policy `normalise`: the end and the stuffed dots as `DataReader` sees them (CRLF.CRLF and nothing else), the
 * content with whole lines. Regular mail passes uncopied. A line beyond the limit is refused here too.
 */
import { type ContentReader, DataReader, type LineViolation } from './line-policy.js';
import { LineRepair } from './line-repair.js';

export class NormalisingReader implements ContentReader {
  content: Buffer = Buffer.alloc(0);
  readonly #data: DataReader;
  readonly #repair = new LineRepair();

  constructor(maxLine: number) {
    this.#data = new DataReader(maxLine, 'tolerant');
  }

  get violation(): LineViolation | undefined {
    return this.#data.violation;
  }

  get size(): number {
    return this.#data.size;
  }

  get changed(): boolean {
    return this.#repair.changed;
  }

  feed(chunk: Buffer): number {
    const end = this.#data.feed(chunk);
    const { content, isRegular, owesCr } = this.#data;
    if (isRegular) this.content = this.#repair.pass(content);
    else {
      const parts = owesCr ? [this.#repair.feed(Buffer.from('\r'))] : [];
      parts.push(this.#repair.feed(content));
      if (end !== -1) parts.push(this.#repair.finish());
      this.content = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
    }
    return end;
  }
}
