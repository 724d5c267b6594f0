/**
 * Encoded words as lenient mail programs read them: with spaces and question marks inside, and with characters cut in two by the end of a word. Only for
 * looking at what may be shown; encoded-word.ts is RFC 2047. One pass.
 */
import { decodeCharset } from './encoded-word.js';

const longestCharset = 60;

interface Word {
  readonly charset: string;
  readonly octets: Buffer;
  readonly end: number;
}

function octetsOf(encoding: string, text: string): Buffer {
  if (encoding === 'b') return Buffer.from(text, 'base64');
  const plain = text
    .replaceAll('_', ' ')
    .replace(/=([0-9A-Fa-f]{2})/g, (_match, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(plain, 'latin1');
}

/** `close`: where the last `?=` of the text is, so that a word without an end is not looked for again and again. */
function wordAt(text: string, at: number, close: number): Word | undefined {
  const mark = text.indexOf('?', at + 2);
  const encoding = text.charAt(mark + 1).toLowerCase();
  if (mark === -1 || mark - at > longestCharset || text.charAt(mark + 2) !== '?') return undefined;
  if ((encoding !== 'b' && encoding !== 'q') || mark + 3 > close) return undefined;
  const end = text.indexOf('?=', mark + 3);
  const charset = text
    .slice(at + 2, mark)
    .replace(/\*.*$/, '')
    .toLowerCase();
  return { charset, octets: octetsOf(encoding, text.slice(mark + 3, end)), end: end + 2 };
}

export function decodeLooseWords(text: string): string {
  const close = text.lastIndexOf('?=');
  let out = '';
  let held: Buffer[] = [];
  let charset = '';
  let at = 0;
  const release = (): void => {
    if (held.length > 0) out += decodeCharset(Buffer.concat(held), charset);
    held = [];
  };
  for (let next = text.indexOf('=?'); next !== -1; next = text.indexOf('=?', next)) {
    const word = wordAt(text, next, close);
    if (word === undefined) {
      next += 2;
      continue;
    }
    const between = text.slice(at, next);
    if (held.length === 0 || between.trim() !== '' || word.charset !== charset) {
      release();
      out += at > 0 && between.trim() === '' ? '' : between;
    }
    charset = word.charset;
    held.push(word.octets);
    at = word.end;
    next = word.end;
  }
  release();
  return out + text.slice(at);
}
