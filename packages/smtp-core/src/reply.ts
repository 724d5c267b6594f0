/**
 * A reply as the server says it, and its form on the wire. RFC 5321 §4.2, RFC 2034 §3.
 * Text that came from elsewhere can never begin a new line: only the array form makes lines, and every control
 * character becomes a space. Every 4xx and 5xx ends with the session id, so a user's screenshot finds our log.
 */
import { asciiText } from './ascii-text.js';
import type { EnhancedCode } from './enhanced-code.js';
import { SMTP_LIMITS } from './limits.js';

export interface Reply {
  readonly code: number;
  /** Absent on greetings, EHLO, 334 and 354: RFC 2034 §4. */
  readonly enhanced?: EnhancedCode;
  readonly text: string | readonly string[];
}

export interface ReplyFormat {
  /** False where ENHANCEDSTATUSCODES is switched off. */
  readonly enhancedCodes?: boolean;
  /** Octets beyond ASCII pass: only inside an SMTPUTF8 transaction, RFC 6531 §3.7.4. */
  readonly utf8?: boolean;
}

/** One line of reply text: no control characters, no octets a 7-bit client cannot read: those are written in ASCII. */
export function cleanReplyText(text: string, utf8 = false): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this is what removes control characters
  const oneLine = text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]+/g, ' ').trim();
  return utf8 ? oneLine : asciiText(oneLine);
}

/** `text`, cut so that it has at most `octets` octets and no split character. */
function cut(text: string, octets: number): string {
  if (Buffer.byteLength(text) <= octets) return text;
  return Buffer.from(text, 'utf8')
    .subarray(0, octets)
    .toString('utf8')
    .replace(/\ufffd+$/, '');
}

export function formatReply(reply: Reply, sessionId?: string, format: ReplyFormat = {}): string {
  const lines = typeof reply.text === 'string' ? [reply.text] : reply.text;
  const enhanced = reply.enhanced === undefined || format.enhancedCodes === false ? '' : `${reply.enhanced} `;
  const suffix = sessionId === undefined || reply.code < 400 ? '' : ` (${cleanReplyText(sessionId)})`;
  const room = SMTP_LIMITS.replyLine - 6 - enhanced.length;
  const count = Math.max(1, lines.length);
  let wire = '';
  for (let index = 0; index < count; index += 1) {
    const last = index === count - 1;
    const tail = last ? suffix : '';
    const text = cut(cleanReplyText(lines[index] ?? '', format.utf8), room - tail.length);
    wire += `${reply.code}${last ? ' ' : '-'}${enhanced}${text}${tail}\r\n`;
  }
  return wire;
}
