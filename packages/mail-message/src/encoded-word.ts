/**
 * Text of header fields as a person reads it: encoded words decoded, RFC 2047 §6, and back. Linear, never throws; an encoded
 * word that cannot be decoded stays as it is. Not for addresses: only for phrases, subjects and comments.
 */
import { TextDecoder } from 'node:util';

const WORD = /=\?([!#-'*+0-9A-Z^-~-]{1,60})\?([BbQq])\?([!->@-~]{0,8192})\?=/g;

/** A decoder that cannot fail, or null for a charset this build does not know. */
function decoderFor(charset: string): TextDecoder | null {
  try {
    return new TextDecoder(charset);
  } catch {
    return null;
  }
}

/** Octets in the charset as text; unknown charsets are read as UTF-8. */
export function decodeCharset(octets: Uint8Array, charset: string): string {
  return (decoderFor(charset) ?? new TextDecoder()).decode(octets);
}

function octetsOf(encoding: string, text: string): Buffer {
  if (encoding.toUpperCase() === 'B') return Buffer.from(text, 'base64');
  const hex = /=([0-9A-Fa-f]{2})/g;
  const unhexed = text
    .replace(/_/g, ' ')
    .replace(hex, (_match, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
  return Buffer.from(unhexed, 'latin1');
}

export function decodeHeaderText(text: string): string {
  if (!text.includes('=?')) return text;
  let out = '';
  let end = 0;
  let afterWord = false;
  for (const match of text.matchAll(WORD)) {
    const [whole, charset = '', encoding = '', content = ''] = match;
    const between = text.slice(end, match.index);
    const decoder = decoderFor(charset.replace(/\*.*$/, ''));
    // RFC 2047 §6.2: space between two encoded words is not shown.
    if (!(afterWord && decoder !== null && /^[ \t\r\n]*$/.test(between))) out += between;
    out += decoder === null ? whole : decoder.decode(octetsOf(encoding, content));
    afterWord = decoder !== null;
    end = match.index + whole.length;
  }
  return out + text.slice(end);
}

/** Octets of text in one word: `=?utf-8?B?` and `?=` around its base64 stay below the 75 characters of RFC 2047 §2. */
const mostOctets = 39;

/** Words of UTF-8 for what is not ASCII. */
export function encodeHeaderText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII
  return /^[\u0000-\u007f]*$/.test(text) ? text : encodeWords(text);
}

/** Words of UTF-8, whatever the text. */
export function encodeWords(text: string): string {
  const words: string[] = [];
  let word = '';
  for (const character of text) {
    if (Buffer.byteLength(word + character) > mostOctets) {
      words.push(word);
      word = '';
    }
    word += character;
  }
  return [...words, word].map((part) => `=?utf-8?B?${Buffer.from(part).toString('base64')}?=`).join(' ');
}
