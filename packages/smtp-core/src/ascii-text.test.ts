/** Readable without anything beyond ASCII. */
import { expect, test } from 'vitest';
import { asciiText } from './ascii-text.js';
import { cleanReplyText } from './reply.js';

test.each([
  ['— tschüß', '- tschuss'],
  ['“déjà vu” … ½', '"deja vu" ... 1/2'],
  ['u\u0308ber Łódź', 'uber Lodz'],
  ['日本 ok', '?? ok'],
  ['plain', 'plain'],
])('%s is %s', (text, plain) => {
  expect(asciiText(text)).toBe(plain);
  expect(cleanReplyText(text)).toBe(plain);
  expect(cleanReplyText(text, true)).toBe(text);
});
