/** MAIL and RCPT lines for what the next hop offers, and what a message needs that it does not. RFC 5321, 3461, 6531. */
import { domainToAscii, encodeXtext, isAscii, splitAddress } from '@postern/smtp-core';
import type { Capabilities } from './capabilities.js';
import type { MissingFeature, OutboundMessage, OutboundRecipient } from './outcome.js';
import type { TlsInfo } from './tls-upgrade.js';

/** Without SMTPUTF8 a U-label goes as its A-label: that needs no extension (RFC 5890 §2.3.2.1). */
function path(address: string, smtputf8: boolean): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this is what keeps control characters off the wire
  if (/[\x00-\x1f\x7f]/.test(address)) throw new TypeError('control character in a path');
  if (smtputf8 || isAscii(address)) return `<${address}>`;
  const split = splitAddress(address);
  const domain = split === null ? null : domainToAscii(split.domain);
  return split === null || domain === null ? `<${address}>` : `<${address.slice(0, -split.domain.length)}${domain}>`;
}

/** The first feature that is missing, or null. */
export function missingFeature(
  message: OutboundMessage,
  offered: Capabilities,
  tls: TlsInfo | null,
): MissingFeature | null {
  const paths = [message.reversePath, ...message.recipients.map((recipient) => recipient.forwardPath)];
  const needsUtf8 = message.smtputf8 || !paths.every((address) => isAscii(path(address, false)));
  if (needsUtf8 && !offered.smtputf8) return 'SMTPUTF8';
  if (message.body === 'BINARYMIME' && !(offered.binaryMime && offered.chunking)) return 'BINARYMIME';
  if (message.body === '8BITMIME' && !offered.eightBitMime && message.assume8bit !== true) return '8BITMIME';
  // RFC 8689 §4.2.1: TLS with a verified certificate, and a next hop that goes on requiring it
  const trusted = tls?.authorized === true || tls?.peerChecked === true;
  if (message.requireTls === true && !(trusted && offered.requireTls)) return 'REQUIRETLS';
  const tooBig = message.size !== null && offered.sizeLimit !== null && message.size > offered.sizeLimit;
  return tooBig ? 'SIZE' : null;
}

export function mailLine(message: OutboundMessage, offered: Capabilities): string {
  let line = `MAIL FROM:${path(message.reversePath, message.smtputf8)}`;
  if (offered.size && message.size !== null) line += ` SIZE=${message.size}`;
  if (offered.eightBitMime && message.body === '8BITMIME') line += ' BODY=8BITMIME';
  if (message.body === 'BINARYMIME') line += ' BODY=BINARYMIME';
  if (message.smtputf8) line += ' SMTPUTF8';
  if (message.requireTls === true) line += ' REQUIRETLS';
  if (offered.dsn && message.ret) line += ` RET=${message.ret}`;
  if (offered.dsn && message.envelopeId) line += ` ENVID=${encodeXtext(message.envelopeId)}`;
  return line;
}

export function rcptLine(recipient: OutboundRecipient, message: OutboundMessage, offered: Capabilities): string {
  let line = `RCPT TO:${path(recipient.forwardPath, message.smtputf8)}`;
  if (!offered.dsn) return line;
  if (recipient.notify) line += ` NOTIFY=${recipient.notify.length === 0 ? 'NEVER' : recipient.notify.join(',')}`;
  if (recipient.originalRecipient && (message.smtputf8 || isAscii(recipient.originalRecipient))) {
    if (/[\s\p{Cc}]/u.test(recipient.originalRecipient)) throw new TypeError('malformed ORCPT');
    line += ` ORCPT=${recipient.originalRecipient}`;
  }
  return line;
}
