/**
 * Dot-stuffing of a message that streams by, RFC 5321 §4.5.2, and the guard against outbound smuggling: a CR without LF
 * or an LF without CR stops the message before the chunk holding it is handed on (RFC 5321 §2.3.8).
 * One pass with one comparison per octet; a chunk without leading dots is handed on uncopied.
 */

export type Stuffed =
  | { readonly ok: true; readonly bytes: Buffer }
  | { readonly ok: false; readonly problem: 'bareNewline' };

const LF = 0x0a;
const CR = 0x0d;
const DOT = 0x2e;
const BARE = { ok: false, problem: 'bareNewline' } as const;
const END_AT_LINE_START = Buffer.from('.\r\n');
const END_IN_LINE = Buffer.from('\r\n.\r\n');

export class DotStuffer {
  #previous: number = LF;

  /** The chunk as it goes on the wire. After a problem the stuffer must not be used again. */
  push(chunk: Buffer): Stuffed {
    if (chunk.length === 0) return { ok: true, bytes: chunk };
    if (this.#previous === CR && chunk[0] !== LF) return BARE;
    let dots: number[] | null = chunk[0] === DOT && this.#previous === LF ? [0] : null;
    const last = chunk.length - 1;
    for (let at = 0; at <= last; at += 1) {
      const octet = chunk[at] ?? 0;
      if (octet > CR) continue;
      if (octet === LF) {
        if ((at === 0 ? this.#previous : chunk[at - 1]) !== CR) return BARE;
        if (chunk[at + 1] === DOT) {
          dots ??= [];
          dots.push(at + 1);
        }
      } else if (octet === CR && at < last && chunk[at + 1] !== LF) {
        return BARE;
      }
    }
    this.#previous = chunk[last] ?? 0;
    return { ok: true, bytes: dots === null ? chunk : insertDots(chunk, dots) };
  }

  /** End of data: what has to follow the last chunk. A message without a last CRLF gets one. */
  finish(): Stuffed {
    if (this.#previous === CR) return BARE;
    return { ok: true, bytes: this.#previous === LF ? END_AT_LINE_START : END_IN_LINE };
  }
}

function insertDots(chunk: Buffer, positions: readonly number[]): Buffer {
  const out = Buffer.allocUnsafe(chunk.length + positions.length);
  let from = 0;
  let to = 0;
  for (const position of positions) {
    to += chunk.copy(out, to, from, position);
    out[to] = DOT;
    to += 1;
    from = position;
  }
  chunk.copy(out, to, from);
  return out;
}
