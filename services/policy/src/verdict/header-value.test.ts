/** What a rule writes into a field is ASCII, and an address in it is never another one. */
import { decodeHeaderText } from '@postern/mail-message';
import { expect, test } from 'vitest';
import { headerValue } from './header-value.js';

test.each([
  ['X-Note', 'Grüße', 'Grüße'],
  ['Reply-To', 'Büro <b@here.test>', 'Büro <b@here.test>'],
  [
    'Reply-To',
    'Das große Büro <b@here.test>, "Köln, Süd" <k@here.test>',
    'Das große Büro <b@here.test>, Köln, Süd <k@here.test>',
  ],
  ['To', 'a <bü@here.test>', 'a <b?@here.test>'],
  ['Reply-To', 'bü@here.test', 'b?@here.test'],
  ['List-Id', 'Grüße <l.here.test>', 'Grusse <l.here.test>'],
  ['Content-Type', 'text/plain; name=rechnungä', 'text/plain; name=rechnunga'],
  ['List-Id', 'a\ufffdb', 'a?b'],
  ['To', 'Ann <a@here.test>', 'Ann <a@here.test>'],
])('%s: %s', (name, value, read) => {
  const written = headerValue(name, value);
  expect(written).toMatch(/^[ -~]*$/);
  expect(decodeHeaderText(written)).toBe(read);
});
