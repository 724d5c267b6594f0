/** What never matches is refused when it is written. */
import { expect, test } from 'vitest';
import { isListEntry } from './address-lists.js';

test.each([
  ...['a@x.test', 'A.B+c@x.test', '"a b"@x.test', 'ü@bücher.example', 'a@xn--bcher-kva.example'],
  ...['x.test', '@x.test', 'test', 'bücher.example', '_dmarc.x.test'],
  ...['192.0.2.1', '192.0.2.0/24', '2001:db8::/32', '2001:db8::1', '/^spam/'],
])('%s is an entry', (text) => {
  expect(isListEntry(text)).toBe(true);
});

test.each([
  ...['300.1.1.1', '192.0.2', '1', '@1.2.3.4', '192.0.2.0/33', '2001:db8::/129', '2001:db8::g'],
  ...[
    'a@*',
    '*@x.test',
    '*.x.test',
    '<a@x.test>',
    'a@',
    '@',
    'a@b@',
    'a@x..test',
    'a@1.2.3.4',
    'a b@x.test',
    '/(/',
    '',
  ],
])('%s is none', (text) => {
  expect(isListEntry(text)).toBe(false);
});
