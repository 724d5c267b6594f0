/**
 * What people may read in a field, for whoever looks for a forgery: encoded words opened as lenient mail programs open them, full-width and other
 * compatibility forms of letters and signs as the plain ones, characters nobody sees taken out. A second reading has comments, quotes and the space
 * around `@` and `.` taken out too, as an address is read (RFC 5322 §3.2.2, §4.4). Linear, never throws; never for parsing.
 */
import { decodeLooseWords } from './loose-words.js';

/** Soft hyphen, zero-width characters, marks of direction, variation selectors and their like. */
const unseen = /\p{Default_Ignorable_Code_Point}/gu;
/** RFC 3490 §3.1: read as a dot between labels. */
const dots = /[\u3002\uff0e\uff61]/g;

const plain = (text: string): string => text.replaceAll(unseen, '').normalize('NFKC').replaceAll(dots, '.');

/** A comment that is not closed stays. */
function withoutComments(text: string): string {
  let out = '';
  let depth = 0;
  let opened = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    const escaped = character === '\\' && at + 1 < text.length;
    if (depth === 0 && character === '"') isQuoted = !isQuoted;
    else if (!isQuoted && character === '(') {
      if (depth === 0) opened = at;
      depth += 1;
    } else if (depth > 0 && character === ')') depth -= 1;
    else if (depth === 0) out += escaped ? text.charAt(at + 1) : character;
    if (escaped) at += 1;
  }
  return depth === 0 ? out : out + text.slice(opened);
}

/** One reading, or two where they differ. */
export function shownTexts(value: string): string[] {
  const whole = plain(decodeLooseWords(value));
  const address = plain(decodeLooseWords(withoutComments(value))).replaceAll(/[ \t]*([@.])[ \t]*/g, '$1');
  return whole === address ? [whole] : [whole, address];
}
