/** Codes of no country, found in settings and in what a tenant sets differently; saved ones stay readable. */
import { expect, test } from 'vitest';
import { countryFaults } from './country-codes.js';
import { defaultSettings, readPatch } from './scope.js';

test('each wrong code has its place and what to write', () => {
  const patch = { country: { enabled: true, block: ['DE', 'UK'], allow: ['XX'] } };
  expect(countryFaults(patch)).toEqual([
    {
      path: ['country', 'block', 1],
      message: expect.stringMatching(/^"UK" is the code of no country; did you mean "GB"\?/),
    },
    { path: ['country', 'allow', 0], message: expect.stringMatching(/^"XX" is the code of no country; write /) },
  ]);
  expect(readPatch(patch, defaultSettings()).ok).toBe(true);
  expect(countryFaults(defaultSettings())).toEqual([]);
  expect(countryFaults({})).toEqual([]);
});
