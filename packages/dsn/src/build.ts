/**
 * Builds a delivery status notification: multipart/report of three parts. RFC 3464 §2, RFC 6522.
 * Null reverse-path, Auto-Submitted (RFC 3834 §2), everything we write ourselves 7-bit. The returned message streams:
 * the report is never held whole. The boundary holds the report's own fresh id, which no returned message can know.
 */
import { encodeHeaderText, encodeQuotedPrintable, formatDate, formatHeaderField } from '@postern/mail-message';
import { cleanReplyText, domainToAscii, isAscii, splitAddress } from '@postern/smtp-core';
import { neverBounce } from './notify.js';
import type { Report, ReportFacts } from './report.js';
import { type ReturnedPart, returnedPart } from './returned-part.js';
import { statusPart } from './status-part.js';
import { subjectOf, textPart } from './text-part.js';

/** With an A-label domain where that makes the address ASCII: then any next hop will do. */
function plainAddress(address: string): string {
  if (isAscii(address)) return address;
  const split = splitAddress(address);
  const domain = split === null ? null : domainToAscii(split.domain);
  return split === null || domain === null ? address : `${address.slice(0, -split.domain.length)}${domain}`;
}

function head(facts: ReportFacts, to: string, boundary: string): string {
  const fields: readonly (readonly [string, string])[] = [
    ['From', `Mail Delivery System <${facts.from ?? `MAILER-DAEMON@${facts.reportingMta}`}>`],
    ['To', `<${to}>`],
    ['Subject', encodeHeaderText(subjectOf(facts))],
    ['Date', formatDate(facts.now)],
    ['Message-ID', `<${facts.id}@${facts.reportingMta}>`],
    ['Auto-Submitted', 'auto-replied'],
    ['MIME-Version', '1.0'],
    ['Content-Type', `multipart/report; report-type=delivery-status;\r\n boundary="${boundary}"`],
  ];
  return fields.map(([name, value]) => formatHeaderField(name, value).toString('utf8')).join('');
}

function textPartWithHead(facts: ReportFacts): string {
  const text = textPart(facts);
  const plain = isAscii(text) && !/[^\r\n]{999}/.test(text);
  if (plain) return `Content-Type: text/plain; charset=us-ascii\r\n\r\n${text}`;
  const type = 'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable';
  return `${type}\r\n\r\n${encodeQuotedPrintable(text)}`;
}

async function* pieces(front: string, part: ReturnedPart, boundary: string): AsyncGenerator<Buffer, void, undefined> {
  yield Buffer.from(`${front}${part.head}`, 'utf8');
  yield* part.content();
  yield Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1');
}

/** Throws where the message must not be reported on at all: callers ask neverBounce first. */
export function buildReport(facts: ReportFacts): Report {
  if (neverBounce(facts.to)) throw new TypeError('a message with the null reverse-path is never reported on');
  if (facts.recipients.length === 0) throw new TypeError('a report needs a recipient to report on');
  const boundary = `=_report_${cleanReplyText(facts.id).replace(/[^A-Za-z0-9]/g, '')}`;
  const to = plainAddress(facts.to);
  const part = returnedPart(facts);
  const front = [
    head(facts, to, boundary),
    'This is a delivery report in MIME format.',
    `--${boundary}\r\n${textPartWithHead(facts)}`,
    `--${boundary}\r\nContent-Type: message/delivery-status\r\n\r\n${statusPart(facts)}`,
    `--${boundary}\r\n`,
  ].join('\r\n');
  return {
    reversePath: '',
    forwardPath: to,
    returned: part.returned,
    body: part.body,
    smtputf8: !isAscii(to),
    content: () => pieces(front, part, boundary),
  };
}
