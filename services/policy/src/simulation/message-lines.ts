/**
 * The line policy of a listener for a message that is simulated: what the edge says of a NUL, a bare CR or LF and a line that is too long, or what it makes of them
 * (services/edge/src/smtp: line-policy, line-repair). RFC 5321 §2.3.8, §4.5.3.1.6. The end of data is no question here.
 */
import type { ListenerPolicy, TermsRefusal } from '@postern/flow-control/session';
import { replies } from '@postern/smtp-core';

export interface LineRules {
  readonly linePolicy: ListenerPolicy['linePolicy'];
  /** Octets of a line without its CRLF. */
  readonly maxLineLength: number;
}

export type WrittenLines =
  | { readonly kind: 'content'; readonly content: Buffer }
  | { readonly kind: 'refused'; readonly refusal: TermsRefusal };

const NUL = 0x00;
const LF = 0x0a;
const CR = 0x0d;

export function messageLines(content: Buffer, { linePolicy, maxLineLength }: LineRules): WrittenLines {
  const violation = firstViolation(content, linePolicy === 'normalise', maxLineLength);
  if (violation !== undefined) return { kind: 'refused', refusal: violation };
  return { kind: 'content', content: linePolicy === 'normalise' ? repaired(content) : content };
}

/** A long line is one where it ends. */
function firstViolation(content: Buffer, isTolerant: boolean, maxLine: number): TermsRefusal | undefined {
  let begin = 0;
  for (const [at, octet] of content.entries()) {
    const isEnd = octet === LF && content[at - 1] === CR;
    if (isEnd && at - 1 - begin > maxLine) return tooLong(maxLine);
    if (isEnd) begin = at + 1;
    else if (isTolerant) continue;
    else if (octet === NUL) return { reply: replies.nulInData, reason: 'nul' };
    else if (octet === LF || (octet === CR && content[at + 1] !== LF))
      return { reply: replies.bareNewlineData, reason: 'bareNewline' };
  }
  return content.length - begin > maxLine ? tooLong(maxLine) : undefined;
}

const tooLong = (maxLine: number): TermsRefusal => ({
  reply: replies.textLineTooLong(maxLine),
  reason: 'lineTooLong',
});

function repaired(content: Buffer): Buffer {
  const text = content.toString('latin1').replaceAll('\0', '');
  return Buffer.from(text.replaceAll(/\r\n|\r|\n/g, '\r\n'), 'latin1');
}
