import { expect, test } from 'vitest';
import { clientPrefix } from './client-prefix.js';

test.each([
  ['192.0.2.7', 64, '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', 64, '2001:db8:1:2:0:0:0:0/64'],
  ['2001:DB8::1', 64, '2001:db8:0:0:0:0:0:0/64'],
  ['2001:db8:1:2ff::1', 56, '2001:db8:1:200:0:0:0:0/56'],
  ['2001:db8::1', 128, '2001:db8:0:0:0:0:0:1/128'],
  ['::1', 64, '0:0:0:0:0:0:0:0/64'],
  ['::ffff:192.0.2.7', 64, '192.0.2.7'],
  ['::ffff:c000:207', 64, '192.0.2.7'],
  ['fe80::1%eth0', 64, 'fe80:0:0:0:0:0:0:0/64'],
  ['__proto__', 64, '__proto__'],
])('%s by /%d counts as %s', (address, length, prefix) => {
  expect(clientPrefix(address, length)).toBe(prefix);
});
