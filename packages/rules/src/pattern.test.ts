/** Patterns against the host's own engine, and what they may cost. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EFFORT_LIMIT, renewEffort } from './effort.js';
import { patternFinds, patternProblem } from './pattern.js';

const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\b', '\\w', '\\W', '^', '$', 'é', '(?:ab|c)', 'a{2,3}');
const pattern = fc
  .array(fc.tuple(atom, fc.constantFrom('', '', '?', '*', '+')), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.map(([one, times]) => (/^(?:\\b|\^|\$)$|\}$/.test(one) ? one : `${one}${times}`)).join(''));
const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' ', 'é', '\n', '9'), maxLength: 40 });

test('a pattern finds what the host finds, before its automaton is made and after', () => {
  fc.assert(
    fc.property(pattern, fc.array(text, { minLength: 1, maxLength: 5 }), (source, texts) => {
      const host = new RegExp(source, 'u');
      const agrees = (): void => {
        for (const one of texts) {
          renewEffort();
          expect(patternFinds(one, source)).toBe(host.test(one));
        }
      };
      agrees();
      renewEffort();
      // Long enough that the automaton is made. Not for the host: it goes back and back.
      patternFinds('z'.repeat(60_000), source);
      agrees();
    }),
    { numRuns: 200 },
  );
});

test('of a pattern whose automaton is small a character costs one step, of another one for each instruction', () => {
  const most = (source: string, length: number): boolean => {
    renewEffort();
    try {
      patternFinds(`${'ab'.repeat(length / 2)}!c`, source);
      return true;
    } catch {
      return false;
    }
  };
  expect(most('(?:a|b)+\\W{3}c', EFFORT_LIMIT - 10)).toBe(true);
  expect(most('(?:a|b)+\\W{3}c', EFFORT_LIMIT)).toBe(false);
  expect(most('[ab]*a[ab]{100}!!c', 30_000)).toBe(true);
  expect(most('[ab]*a[ab]{100}!!c', 60_000)).toBe(false);
});

test.each([
  ['a'.repeat(501), /longer than 500/],
  ['(?:(?:a?b?c?d?){100}){5}', /too large/],
  ['(a', /missing/],
])('%j cannot be used', (source, problem) => {
  expect(patternProblem(source)).toMatch(problem);
});
