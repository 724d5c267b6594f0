import { expect, test } from 'vitest';
import { parseEndDate } from './end-date.js';

test.each([
  ['never', 0],
  ['2027-01-31', Date.UTC(2027, 1, 1)],
  ['2028-02-29', Date.UTC(2028, 2, 1)],
  ['2027-01-31T18:00:00Z', Date.UTC(2027, 0, 31, 18)],
  ['2027-01-31T18:00+02:00', Date.UTC(2027, 0, 31, 16)],
  ['2027-02-30', undefined],
  ['2027-13-01', undefined],
  ['31.01.2027', undefined],
  ['2027-01-31T18:00:00', undefined],
  ['90d', undefined],
  ['', undefined],
])('%s is %s', (text, ms) => {
  expect(parseEndDate(text)).toBe(ms);
});
