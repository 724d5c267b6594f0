/**
 * Capital letters in a pattern over a fact that has none. Written out (`^Boss@`) they stand for both cases, as in every other comparison with such a
 * fact; a class of capitals alone (`[A-Z]{3}`) asks about the spelling, which is not there to be asked about. Classes that have small letters too, and
 * those of what must not be there, mean the same either way. Reads the syntax of RE2 roughly, and is asked about patterns that compile.
 */
export type PatternCase = 'none' | 'letters' | 'class';

const ignoringCase = /^\(\?[msU]*i/;
const anyLetter = /\\(?:[wWSD]|[pP](?:\{[^}]*\}|.))|\[:\^?\w+:\]/gs;
const escaped = /\\(?:x(?:\{[^}]*\}|[\dA-Fa-f]{2})|.)/gs;
const groupHead = /\(\?(?:P?<[^>]*>|[a-zA-Z-]*[:)])/g;
const characterClass = /\[(\^?)(\]?[^\]]*)\]/g;
const capital = /\p{Lu}/u;
const small = /\p{Ll}/u;

export function patternCase(pattern: string): PatternCase {
  if (ignoringCase.test(pattern) || !capital.test(pattern)) return 'none';
  const plain = pattern.replace(anyLetter, 'a').replace(escaped, '.').replace(groupHead, '(');
  if (capital.test(plain.replace(characterClass, '.'))) return 'letters';
  const classes = [...plain.matchAll(characterClass)];
  return classes.some(([, not, members = '']) => not === '' && capital.test(members) && !small.test(members))
    ? 'class'
    : 'none';
}

/** So that its capital letters stand for both cases. */
export const inEitherCase = (pattern: string): string =>
  patternCase(pattern) === 'letters' ? `(?i)${pattern}` : pattern;
