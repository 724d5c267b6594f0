/**
 * Reads a server's replies from a byte stream, in any segmentation. RFC 5321 §4.2.1.
 * Next hops may be hostile: length and number of lines are bounded, and no byte beyond the bounds is kept. A line may
 * end in a bare LF (seen in the wild, harmless on the reading side). Control characters in texts become spaces.
 */
import { type EnhancedCode, parseEnhancedCode } from './enhanced-code.js';
import { cleanReplyText } from './reply.js';

export interface ServerReply {
  readonly code: number;
  readonly enhanced: EnhancedCode | null;
  /** One entry a line, without code and without enhanced code. */
  readonly lines: readonly string[];
}

export interface ReplyParserLimits {
  readonly maxLineBytes?: number;
  readonly maxLines?: number;
}

export type ReplyProblem = 'lineTooLong' | 'tooManyLines' | 'syntax' | 'codeChanged';

export type ReplyFeed =
  | { readonly ok: true; readonly replies: readonly ServerReply[] }
  /** `replies` came whole before the fault. The parser takes nothing more. */
  | { readonly ok: false; readonly problem: ReplyProblem; readonly replies: readonly ServerReply[] };

const LINE = /^([2-5][0-9][0-9])(?:([ -])(.*))?$/s;

export class ReplyParser {
  readonly #maxLineBytes: number;
  readonly #maxLines: number;
  #pending: Buffer = Buffer.alloc(0);
  #lines: string[] = [];
  #code = 0;
  #enhanced: EnhancedCode | null = null;
  #problem: ReplyProblem | null = null;

  constructor(limits: ReplyParserLimits = {}) {
    this.#maxLineBytes = limits.maxLineBytes ?? 2048;
    this.#maxLines = limits.maxLines ?? 128;
  }

  /** True between two replies: nothing half read. */
  get idle(): boolean {
    return this.#pending.length === 0 && this.#lines.length === 0;
  }

  feed(chunk: Buffer): ReplyFeed {
    const replies: ServerReply[] = [];
    let at = 0;
    while (this.#problem === null && at < chunk.length) {
      const newline = chunk.indexOf(0x0a, at);
      const end = newline === -1 ? chunk.length : newline;
      if (this.#pending.length + end - at > this.#maxLineBytes) {
        this.#problem = 'lineTooLong';
        break;
      }
      const part = chunk.subarray(at, end);
      if (newline === -1) {
        this.#pending = Buffer.concat([this.#pending, part]);
        break;
      }
      const line = this.#pending.length === 0 ? part : Buffer.concat([this.#pending, part]);
      this.#pending = Buffer.alloc(0);
      at = newline + 1;
      const reply = this.#takeLine(line);
      if (reply !== null) replies.push(reply);
    }
    if (this.#problem === null) return { ok: true, replies };
    this.#pending = Buffer.alloc(0);
    return { ok: false, problem: this.#problem, replies };
  }

  #takeLine(line: Buffer): ServerReply | null {
    const length = line.length > 0 && line[line.length - 1] === 0x0d ? line.length - 1 : line.length;
    const match = LINE.exec(line.toString('utf8', 0, length));
    if (match === null) {
      this.#problem = 'syntax';
      return null;
    }
    const code = Number(match[1]);
    if (this.#lines.length === 0) {
      this.#code = code;
      this.#enhanced = null;
    } else if (code !== this.#code) {
      this.#problem = 'codeChanged';
      return null;
    }
    if (this.#lines.length >= this.#maxLines) {
      this.#problem = 'tooManyLines';
      return null;
    }
    const text = match[3] ?? '';
    const enhanced = parseEnhancedCode(text);
    // RFC 2034 §4: the class of the enhanced code must be that of the reply.
    if (enhanced !== null && enhanced.code.charAt(0) === String(code).charAt(0)) {
      this.#enhanced ??= enhanced.code;
      this.#lines.push(cleanReplyText(enhanced.rest, true));
    } else {
      this.#lines.push(cleanReplyText(text, true));
    }
    if (match[2] === '-') return null;
    const reply = { code, enhanced: this.#enhanced, lines: this.#lines };
    this.#lines = [];
    return reply;
  }
}
