/**
 * Words put before or behind the value of a field that is text for people, such as Subject. Its own octets stay: folds, encoded words and what is not
 * ASCII. RFC 2047 §5, §6.2: an encoded word stands apart by white space, which is shown beside plain text and not beside another encoded word; so the new
 * words are encoded where they meet one without a space, and together with a plain word they are to touch. Values are octets as latin1 text.
 */
import { decodeHeaderText, encodeHeaderText, encodeWords } from './encoded-word.js';

const beginsEncoded = /^=\?[^?\s]{1,60}\?[BbQq]\?[^?\s]*\?=(?=\s|$)/;
const endsEncoded = /(?:^|\s)=\?[^?\s]{1,60}\?[BbQq]\?[^?\s]*\?=$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII
const ascii = /^[\u0000-\u007f]*$/;

/** As UTF-8; undefined = it is something else. */
function textOf(octets: string): string | undefined {
  const text = Buffer.from(octets, 'latin1').toString('utf8');
  return text.includes('\ufffd') ? undefined : text;
}

/** Already there, as people read it. */
const shown = (value: string): string =>
  decodeHeaderText(textOf(value) ?? value)
    .replaceAll(/\s+/g, ' ')
    .trim();

export function withWordsBefore(value: string, words: string): string {
  const old = value.trimStart();
  const meant = words.trim().replaceAll(/\s+/g, ' ');
  if (meant === '' || shown(old).startsWith(meant)) return value;
  if (old === '') return encodeHeaderText(words.trimEnd());
  const isApart = /\s$/.test(words);
  if (beginsEncoded.test(old)) return isApart && ascii.test(words) ? words + old : `${encodeWords(words)} ${old}`;
  if (ascii.test(words)) return words + old;
  if (isApart) return `${encodeWords(words.trimEnd())} ${old}`;
  const [first = ''] = /^\S+/.exec(old) ?? [];
  const text = textOf(first);
  return text === undefined ? `${encodeWords(words)} ${old}` : encodeWords(words + text) + old.slice(first.length);
}

export function withWordsBehind(value: string, words: string): string {
  const old = value.trimEnd();
  const meant = words.trim().replaceAll(/\s+/g, ' ');
  if (meant === '' || shown(old).endsWith(meant)) return value;
  if (old === '') return encodeHeaderText(words.trimStart());
  const isApart = /^\s/.test(words);
  if (endsEncoded.test(old)) return isApart && ascii.test(words) ? old + words : `${old} ${encodeWords(words)}`;
  if (ascii.test(words)) return old + words;
  if (isApart) return `${old} ${encodeWords(words.trimStart())}`;
  const [last = ''] = /\S+$/.exec(old) ?? [];
  const text = textOf(last);
  if (text === undefined) return `${old} ${encodeWords(words)}`;
  return old.slice(0, old.length - last.length) + encodeWords(text + words);
}
