/**
 * A value of a rule as a header field may hold it: ASCII, whatever was written or filled in. Text becomes encoded words; in fields with addresses only their
 * names do (RFC 2047 §5), and an address stays no other one: what is not ASCII in it is `?`. In other fields with a form of their own letters lose their marks.
 */
import { encodeHeaderText } from '@postern/mail-message';
import { isStructuredField } from '@postern/rules';
import { asciiText } from '@postern/smtp-core';

const ofAddresses = /^(?:resent-)?(?:from|to|cc|bcc|sender|reply-to)$/i;
/** A quoted name, words of a name up to what ends one, or anything else. */
const pieces = /"((?:[^"\\]|\\.)*)"|[^\s<>@",:;()]+(?:[ \t]+[^\s<>@",:;()]+)*(?![^\s<>@",:;()]*@)|[\s\S]/gu;
const beyond = /[^\0-\x7f]/u;
const beyondAll = /[^\0-\x7f]/gu;

export function headerValue(name: string, value: string): string {
  if (!beyond.test(value)) return value;
  if (!isStructuredField(name)) return encodeHeaderText(value);
  if (!ofAddresses.test(name)) return asciiText(value);
  return value
    .split(/(<[^<>]*>)/)
    .map((part) => (part.startsWith('<') ? part.replace(beyondAll, '?') : part.replace(pieces, encoded)))
    .join('');
}

function encoded(piece: string, quoted: string | undefined): string {
  if (!beyond.test(piece)) return piece;
  if (quoted !== undefined) return encodeHeaderText(quoted.replaceAll(/\\(.)/gu, '$1'));
  return [...piece].length > 1 ? encodeHeaderText(piece) : '?';
}
