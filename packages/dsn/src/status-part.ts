/**
 * The machine-readable part: message/delivery-status, RFC 3464 §2.1-2.3. ASCII always: UTF-8 addresses go in the
 * utf-8-addr-xtext form of RFC 6533 §3, so the part passes any next hop. What a next hop said is cleaned and cut.
 */
import { formatDate, formatHeaderField } from '@postern/mail-message';
import {
  cleanReplyText,
  encodeUtf8AddressXtext,
  isAscii,
  type OriginalRecipient,
  type ServerReply,
} from '@postern/smtp-core';
import type { ReportedRecipient, ReportFacts } from './report.js';

const MAX_DIAGNOSTIC = 900;

function typedAddress(address: string): string {
  const clean = cleanReplyText(address, true);
  return isAscii(clean) ? `rfc822;${clean}` : `utf-8;${encodeUtf8AddressXtext(clean)}`;
}

function originalAddress(original: OriginalRecipient): string {
  const { addressType, address } = original;
  if (addressType === 'rfc822' || addressType === 'utf-8') return typedAddress(address);
  return `${addressType};${cleanReplyText(address)}`;
}

/** `smtp; 550 5.1.1 no such user`, RFC 3464 §2.3.6. */
export function diagnostic(reply: ServerReply): string {
  const enhanced = reply.enhanced === null ? '' : `${reply.enhanced} `;
  return `smtp; ${cleanReplyText(`${reply.code} ${enhanced}${reply.lines.join(' ')}`).slice(0, MAX_DIAGNOSTIC)}`;
}

/** Of a type of its own: `smtp` stands for words of a server (RFC 3464 §2.3.6). */
const ownDiagnostic = (text: string): string => `x-postern; ${cleanReplyText(text).slice(0, MAX_DIAGNOSTIC)}`;

function recipientFields(recipient: ReportedRecipient): readonly (readonly [name: string, value: string])[] {
  const fields: [string, string][] = [];
  if (recipient.originalRecipient !== null) {
    fields.push(['Original-Recipient', originalAddress(recipient.originalRecipient)]);
  }
  fields.push(['Final-Recipient', typedAddress(recipient.finalRecipient)]);
  fields.push(['Action', recipient.action], ['Status', recipient.status]);
  if (recipient.remoteMta !== null) fields.push(['Remote-MTA', `dns;${cleanReplyText(recipient.remoteMta)}`]);
  if (recipient.reply !== null) fields.push(['Diagnostic-Code', diagnostic(recipient.reply)]);
  else if (recipient.diagnosis !== undefined) fields.push(['Diagnostic-Code', ownDiagnostic(recipient.diagnosis)]);
  if (recipient.lastAttemptAt !== null) fields.push(['Last-Attempt-Date', formatDate(recipient.lastAttemptAt)]);
  if (recipient.action === 'delayed' && recipient.retryUntil !== null) {
    fields.push(['Will-Retry-Until', formatDate(recipient.retryUntil)]);
  }
  return fields;
}

export function statusPart(facts: ReportFacts): string {
  const message: [string, string][] = [];
  // RFC 3464 §2.2.1: the identifier as the sender gave it, decoded.
  if (facts.envelopeId !== null) message.push(['Original-Envelope-Id', cleanReplyText(facts.envelopeId)]);
  message.push(['Reporting-MTA', `dns;${facts.reportingMta}`]);
  message.push(['X-Postern-Queue-Id', cleanReplyText(facts.queueId)]);
  message.push(['Arrival-Date', formatDate(facts.arrivedAt)]);
  return [message, ...facts.recipients.map(recipientFields)]
    .map((fields) => fields.map(([name, value]) => formatHeaderField(name, value).toString('latin1')).join(''))
    .join('\r\n');
}
