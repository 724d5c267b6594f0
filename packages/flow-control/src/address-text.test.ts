import { expect, test } from 'vitest';
import { addressText } from './address-text.js';

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['2001:db8:0:1:0:0:0:0/64', '2001:db8:0:1::/64'],
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['0:0:0:0:0:0:0:1', '::1'],
  ['::ffff:c000:207', '192.0.2.7'],
  ['0:0:0:0:0:ffff:192.0.2.7', '192.0.2.7'],
  ['fe80::1%eth0', 'fe80::1%eth0'],
  ['a word/64', 'a word/64'],
])('%s is written %s', (text, written) => {
  expect(addressText(text)).toBe(written);
});
