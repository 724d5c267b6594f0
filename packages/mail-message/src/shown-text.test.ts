/** However it is written, an address that people see is found; text that hides nothing stays as it is. */
import { expect, test } from 'vitest';
import { shownTexts } from './shown-text.js';

const seen = 'boss@example.test';

test.each([
  ['an encoded word', '=?utf-8?q?boss=40example.test?= <x@none.test>'],
  ['base64', `=?UTF-8?B?${Buffer.from(seen).toString('base64')}?= <x@none.test>`],
  ['an encoded word with spaces inside', '=?utf-8?q?the boss=40example.test?= <x@none.test>'],
  ['a word in quotes', '"=?utf-8?q?boss=40example.test?=" <x@none.test>'],
  ['cut into two words', '=?utf-8?q?boss=40exam?= =?utf-8?q?ple.test?= <x@none.test>'],
  ['a comment', 'boss@(c)example.test'],
  ['a nested comment', 'boss@(c(d)\\)e)example . test'],
  ['quotes', '"boss"@example.test'],
  ['full width', 'boss\uff20example\uff0etest <x@none.test>'],
  ['an ideographic full stop', 'boss@example\u3002test <x@none.test>'],
  ['characters nobody sees', 'boss\u200b@exam\u00adple.test <x@none.test>'],
])('%s', (_, value) => {
  expect(shownTexts(value).some((text) => text.includes(seen))).toBe(true);
});

test('plain text has one reading; what is not closed stays', () => {
  expect(shownTexts('Boss <boss@example.test>')).toEqual(['Boss <boss@example.test>']);
  expect(shownTexts('a (b@example.test')).toEqual(['a (b@example.test']);
});

test('a long field takes time by its length', () => {
  const begun = performance.now();
  for (const piece of ['(', '(c)', '"', '\\', '=?utf-8?q?a?= ', ' @ . ', '=?'])
    shownTexts(piece.repeat(262_144 / piece.length));
  expect(performance.now() - begun).toBeLessThan(3_000);
});
