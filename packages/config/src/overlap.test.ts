import { expect, test } from 'vitest';
import { overlap } from './overlap.js';

test.each([
  ['127.0.0.1', '127.0.0.1', true],
  ['127.0.0.1', 'localhost', true],
  ['0.0.0.0', '127.0.0.1', true],
  ['127.0.0.1', '0.0.0.0', true],
  ['::', '127.0.0.1', true],
  ['::', '0.0.0.0', true],
  ['::', '::1', true],
  ['0.0.0.0', '::1', false],
  ['127.0.0.1', '127.0.0.2', false],
])('%s and %s on one port: %s', (one, other, both) => {
  expect(overlap({ host: one, port: 25 }, { host: other, port: 25 })).toBe(both);
  expect(overlap({ host: one, port: 25 }, { host: other, port: 26 })).toBe(false);
  expect(overlap({ host: one, port: 0 }, { host: other, port: 0 })).toBe(false);
});
