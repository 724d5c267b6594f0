import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ruleDocument, ruleSection } from './rule-file.js';

const recipe = join(import.meta.dirname, '../../../docs/recipes/route-by-sender-domain.yaml');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-rule-file-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function written(text: string): string {
  const file = join(folder, 'rules.yaml');
  writeFileSync(file, text);
  return file;
}

test('an entry of a rules section is taken by its id, its lines moved to the left', () => {
  expect(ruleDocument(recipe, 'domain-1-by-route-1')).toBe(
    [
      'id: domain-1-by-route-1',
      'event: relay',
      'when:',
      '  - route.class != "local"',
      '  - sender.domain == "one.example.test"',
      'then:',
      '  - route: { to: route1, sourceAddress: 192.0.2.1, helo: out.one.example.test }',
      'stop: true',
      '',
    ].join('\n'),
  );
});

test.each([
  ['one rule by itself', 'event: mail # here\nthen: [discard]\n'],
  ['a text that is no YAML', 'event: [mail\n'],
  ['an empty file', ''],
])('%s goes as it is', (_what, text) => {
  expect(ruleDocument(written(text), 'any')).toBe(text);
});

test('entries in braces, folded and literal text keep what they say', () => {
  const text = 'rules: [{ id: a, event: mail }, { id: b,\n event: rcpt }]\n';
  expect(ruleSection(text)).toEqual([
    { id: 'a', document: '{ id: a, event: mail }' },
    { id: 'b', document: '{ id: b,\n event: rcpt }' },
  ]);
  const folded = 'rules:\n  - id: a\n    when: |\n      true\n        || false\n\n    event: mail\n  - event: rcpt\n';
  expect(ruleSection(folded)).toEqual([
    { id: 'a', document: 'id: a\nwhen: |\n  true\n    || false\n\nevent: mail\n' },
    { id: '', document: 'event: rcpt\n' },
  ]);
});

test('an id the section has not is refused with those it has, a file that is not there by its reason', () => {
  expect(() => ruleDocument(recipe, 'x')).toThrow(/has no rule x; it has domain-1-by-route-1, others-by-route-2$/);
  expect(() => ruleDocument(join(folder, 'none'), 'x')).toThrow(/none cannot be read \(ENOENT\)$/);
});
