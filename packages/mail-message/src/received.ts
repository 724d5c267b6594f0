/**
 * The Received field a gateway puts on top of each message. RFC 5321 §4.4, RFC 3848 and RFC 6531 §4.3 (with types).
 * Everything a client said is cleaned: no line of it can begin a field, close a comment or look like a clause.
 */
import { isGreetingName } from '@postern/smtp-core';
import { formatDate } from './date.js';

export interface TransmissionFacts {
  readonly protocol: 'smtp' | 'esmtp' | 'lmtp';
  readonly tls: boolean;
  readonly authenticated: boolean;
  readonly smtputf8: boolean;
}

/** `ESMTPSA`, `UTF8SMTPS`, `LMTP` ... */
export function transmissionType(facts: TransmissionFacts): string {
  if (facts.protocol === 'smtp') return 'SMTP';
  const base = facts.protocol === 'lmtp' ? 'LMTP' : facts.smtputf8 ? 'SMTP' : 'ESMTP';
  return `${facts.smtputf8 ? 'UTF8' : ''}${base}${facts.tls ? 'S' : ''}${facts.authenticated ? 'A' : ''}`;
}

export interface ReceivedFacts extends TransmissionFacts {
  /** Argument of EHLO or HELO, as sent. */
  readonly greeting: string;
  readonly clientAddress: string;
  /** Verified reverse name, or null. */
  readonly clientName: string | null;
  /** Our host name. */
  readonly by: string;
  /** Queue id. */
  readonly id: string;
  /** Only for a message with one recipient: more would disclose blind copies (RFC 5321 §7.6). */
  readonly forAddress: string | null;
  /** `TLSv1.3` and cipher name. */
  readonly tlsDetail: { readonly version: string; readonly cipher: string } | null;
  /** Milliseconds. */
  readonly receivedAt: number;
}

/** Text fit for a comment: no parenthesis, backslash or control character, and not endless. */
function comment(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removes control characters
  return text.replace(/[\x00-\x20\x7f-\x9f()\\"<>;]+/g, '?').slice(0, 255);
}

function literal(address: string): string {
  return address.includes(':') ? `[IPv6:${address}]` : `[${address}]`;
}

/** The value of a Received field, folded. */
export function formatReceived(facts: ReceivedFacts): string {
  const known = isGreetingName(facts.greeting, { lenient: true });
  const from = known ? facts.greeting : literal(facts.clientAddress);
  const said = known ? '' : ` (HELO ${comment(facts.greeting)})`;
  const name = facts.clientName === null ? '' : `${comment(facts.clientName)} `;
  const lines = [`from ${from}${said} (${name}${literal(facts.clientAddress)})`];
  if (facts.tlsDetail !== null) {
    lines.push(`(using ${comment(facts.tlsDetail.version)} with cipher ${comment(facts.tlsDetail.cipher)})`);
  }
  lines.push(`by ${facts.by} with ${transmissionType(facts)} id ${facts.id}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the check for control characters
  if (facts.forAddress !== null && !/[\x00-\x1f\x7f]/.test(facts.forAddress)) lines.push(`for <${facts.forAddress}>`);
  return `${lines.join('\r\n\t')};\r\n\t${formatDate(facts.receivedAt)}`;
}
