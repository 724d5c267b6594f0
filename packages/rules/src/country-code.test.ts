/** Codes as country databases write them. */
import { expect, test } from 'vitest';
import { countryInstead } from './country-code.js';

test.each(['DE', 'GB', 'US', 'XK', 'TW'])('%s is a country', (code) => {
  expect(countryInstead(code)).toBeUndefined();
});

test.each([
  ['UK', 'did you mean "GB"?'],
  ['de', 'did you mean "DE"?'],
  ['Germany', 'did you mean "DE"?'],
  ['XX', 'write a country code'],
  ['ZZ', 'write a country code'],
  ['EU', 'write a country code'],
])('%s is none', (code, hint) => {
  expect(countryInstead(code)).toContain(hint);
});
