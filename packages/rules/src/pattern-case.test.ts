import { RE2JS } from 're2js';
import { expect, test } from 'vitest';
import { inEitherCase, type PatternCase, patternCase } from './pattern-case.js';

test.each<[string, PatternCase]>([
  ['^boss@a[.]test$', 'none'],
  ['^Boss@', 'letters'],
  ['Ärger', 'letters'],
  ['[a-z]+@A[.]test', 'letters'],
  ['(?i)^Boss@', 'none'],
  ['(?si)^Boss@', 'none'],
  [String.raw`\S+\D\W\pL\p{Lu}\x{4A}\x4A\d`, 'none'],
  [String.raw`\QBoss\E`, 'letters'],
  ['(?P<Who>boss)', 'none'],
  ['(?U)boss(?i:BOSS)', 'letters'],
  ['^[A-Za-z0-9]+$', 'none'],
  ['^[^A-Z]+$', 'none'],
  [String.raw`[A-Z\w]`, 'none'],
  ['[[:alpha:]A-Z]', 'none'],
  ['^[A-Z]{3}', 'class'],
  ['[A-Z0-9._]+@', 'class'],
  ['[]A-Z]', 'class'],
])('capital letters of %s: %s', (pattern, found) => {
  expect(patternCase(pattern)).toBe(found);
  const either = inEitherCase(pattern);
  expect(either).toBe(found === 'letters' ? `(?i)${pattern}` : pattern);
  expect(() => RE2JS.compile(either)).not.toThrow();
});
