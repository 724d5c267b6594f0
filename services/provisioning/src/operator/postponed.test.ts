import { expect, test } from 'vitest';
import { postponedFields } from './postponed.js';

const taken =
  'limits: { connections: 5 }\nedge:\n  maxHops: 20\n  workers: { max: 2, min: 1 }\n  moreListeners: [{ name: a }]\n';

test.each<[string, string, string[]]>([
  ['nothing', taken, []],
  ['another order and comments', `# mine\n${taken.replace('{ max: 2, min: 1 }', '{ min: 1, max: 2 }')}`, []],
  ['what holds at once', taken.replace('connections: 5', 'connections: 6'), []],
  ['a field', taken.replace('maxHops: 20', 'maxHops: 21'), ['own.yaml:3: edge.maxHops']],
  ['a field below it', taken.replace('max: 2', 'max: 3'), ['own.yaml:4: edge.workers.max']],
  ['a list', taken.replace('name: a', 'name: b'), ['own.yaml:5: edge.moreListeners']],
  ['a new one', `${taken}redis: { cluster: true }\n`, ['own.yaml:6: redis']],
  ['one that is gone', taken.replace('  maxHops: 20\n', ''), ['own.yaml:3: edge.maxHops (gone)']],
  ['all of it', '', ['own.yaml: edge (gone)']],
  ['what cannot be read', 'edge: [', []],
])('%s', (_name, now, expected) => {
  const found = postponedFields({ file: 'own.yaml', text: taken }, { file: 'own.yaml', text: now });
  expect(found).toEqual(expected);
});

test('at most twenty are named', () => {
  const text = Array.from({ length: 25 }, (_, index) => `  f${index}: 1\n`).join('');
  const found = postponedFields(
    { file: 'own.yaml', text: 'edge: { a: 1 }' },
    { file: 'own.yaml', text: `edge:\n  a: 1\n${text}` },
  );
  expect(found).toHaveLength(21);
  expect(found.at(-1)).toBe('and 5 more');
});
