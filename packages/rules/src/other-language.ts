/** Conditions written as other languages write them: `helo = "a"`, `a and b`, `x not in y`. What to write here, for a hint; undefined = it is something else. */
const texts = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g;

const habits: readonly (readonly [RegExp, string])[] = [
  [/\bnot\s+in\b/i, 'write !(x in list) for not in'],
  [/(^|[^=!<>])=($|[^=])/, 'write == to compare'],
  [/<>/, 'write != for unequal'],
  [/\band\b/i, 'write && for and'],
  [/\bor\b/i, 'write || for or'],
  [/\bnot\b/i, 'write !(...) for not'],
];

export function otherLanguage(source: string): string | undefined {
  const plain = source.replaceAll(texts, '""');
  const [first, ...more] = habits.flatMap(([found, hint]) => (found.test(plain) ? [hint] : []));
  return first === undefined ? undefined : [first, ...more.map((hint) => hint.replace('write ', ''))].join(', ');
}
