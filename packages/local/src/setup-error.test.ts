import { expect, test } from 'vitest';
import { explainSystemError, SetupError } from './setup-error.js';

test.each([
  ['EACCES', /No right to write \(EACCES at \/dev\/null\)/],
  ['EROFS', /read-only/],
  ['ENOSPC', /No disk space/],
  ['EEXIST', /\/dev\/null is no folder/],
  ['ENOTDIR', /\/dev\/null is no folder/],
])('%s is one line with a way out', (code, line) => {
  const explained = explainSystemError(Object.assign(new Error('x'), { code, path: '/dev/null' }), 'write');
  expect(explained).toBeInstanceOf(SetupError);
  expect(String(explained)).toMatch(line);
  expect(String(explained)).toMatch(/Way out: .*--data/);
});

test('what nobody can act on stays what it is', () => {
  const error = new TypeError('a defect');
  expect(explainSystemError(error, 'write')).toBe(error);
});
