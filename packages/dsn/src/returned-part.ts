/**
 * The part that gives the message back, whole or its header section. RFC 3461 §4.3, RFC 3462 §2, RFC 6533 §6.3.
 * Whole only for failures, only up to a size. Headers are always made 7-bit; a whole message keeps its octets, so an
 * 8-bit one asks for 8BITMIME. An SMTPUTF8 one goes as message/global, which may be encoded (RFC 6532 §3.7).
 */
import { encodeQuotedPrintable } from '@postern/mail-message';
import type { ReportFacts } from './report.js';

const DEFAULT_MAX_BYTES = 262_144;
const MAX_HEADER_BYTES = 65_536;

export interface ReturnedPart {
  readonly returned: 'full' | 'headers';
  readonly body: '7BIT' | '8BITMIME';
  /** Header section of the part, with its empty line. */
  readonly head: string;
  readonly content: () => AsyncGenerator<Buffer, void, undefined>;
}

/** Bare line ends never leave with a report: the original may have come in before the line policy was strict. */
function wholeLines(text: string): string {
  return text.replace(/\r\n|\r|\n/g, '\r\n');
}

/** The header section, cut at a line end where it is too long. */
function returnedHeader(header: Buffer): string {
  const whole = header.length <= MAX_HEADER_BYTES;
  const end = whole ? header.length : header.lastIndexOf(0x0a, MAX_HEADER_BYTES) + 1;
  return wholeLines(header.toString('latin1', 0, end)).replace(/(?:\r\n)+$/, '\r\n');
}

function headersOnly(facts: ReportFacts): ReturnedPart {
  const latin1 = returnedHeader(facts.original.header);
  const octets = Buffer.from(latin1, 'latin1');
  const plain = /^[\r\n\t -~]*$/.test(latin1) && !/[^\r\n]{999}/.test(latin1);
  const type = facts.original.smtputf8 ? 'message/global-headers' : 'text/rfc822-headers';
  const head = plain
    ? 'Content-Type: text/rfc822-headers\r\n\r\n'
    : `Content-Type: ${type}${facts.original.smtputf8 ? '' : '; charset=utf-8'}\r\n` +
      'Content-Transfer-Encoding: quoted-printable\r\n\r\n';
  const content = plain ? octets : Buffer.from(encodeQuotedPrintable(octets), 'latin1');
  return {
    returned: 'headers',
    body: '7BIT',
    head,
    async *content() {
      yield content;
    },
  };
}

/** Base64 of a stream in lines of 76 characters. */
async function* base64Lines(source: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const whole = held.length - (held.length % 57);
    if (whole > 0) yield encodeLines(held.subarray(0, whole));
    held = held.subarray(whole);
  }
  if (held.length > 0) yield encodeLines(held);
}

function encodeLines(octets: Buffer): Buffer {
  return Buffer.from(octets.toString('base64').replace(/.{1,76}/g, '$&\r\n'), 'latin1');
}

export function returnedPart(facts: ReportFacts): ReturnedPart {
  const { original } = facts;
  const source = original.content;
  const failure = facts.recipients.some((recipient) => recipient.action === 'failed');
  const wanted = failure && facts.ret !== 'HDRS' && original.size <= (facts.maxReturnedBytes ?? DEFAULT_MAX_BYTES);
  if (!wanted || source === null) return headersOnly(facts);
  if (original.smtputf8) {
    const head = 'Content-Type: message/global\r\nContent-Transfer-Encoding: base64\r\n\r\n';
    return { returned: 'full', body: '7BIT', head, content: () => base64Lines(source()) };
  }
  const encoding = original.eightBit ? '8bit' : '7bit';
  return {
    returned: 'full',
    body: original.eightBit ? '8BITMIME' : '7BIT',
    head: `Content-Type: message/rfc822\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n`,
    async *content() {
      yield* source();
    },
  };
}
