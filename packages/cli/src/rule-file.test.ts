import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PosternError } from '@postern/errors';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ruleDocument, ruleSection, withLinesOf, withoutOwner } from './rule-file.js';

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
  expect(ruleDocument(recipe, 'domain-1-by-route-1').document).toBe(
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
  expect(ruleDocument(written(text), 'any')).toEqual({ id: 'any', document: text, line: 1 });
});

test('entries in braces, folded and literal text keep what they say', () => {
  const text = 'rules: [{ id: a, event: mail }, { id: b,\n event: rcpt }]\n';
  expect(ruleSection(text)).toEqual([
    { id: 'a', document: '{ id: a, event: mail }', line: 1 },
    { id: 'b', document: '{ id: b,\n event: rcpt }', line: 1 },
  ]);
  const folded = 'rules:\n  - id: a\n    when: |\n      true\n        || false\n\n    event: mail\n  - event: rcpt\n';
  expect(ruleSection(folded)).toEqual([
    { id: 'a', document: 'id: a\nwhen: |\n  true\n    || false\n\nevent: mail\n', line: 2 },
    { id: '', document: 'event: rcpt\n', line: 8 },
  ]);
});

test('an id the section has not is refused with those it has, a file that is not there by its reason', () => {
  expect(() => ruleDocument(recipe, 'x')).toThrow(/has no rule x; it has domain-1-by-route-1, others-by-route-2$/);
  expect(() => ruleDocument(join(folder, 'none'), 'x')).toThrow(/none cannot be read \(ENOENT\)$/);
});

test('a fault is told with the line of the file', async () => {
  const file = written(
    '# mine\nrules:\n  - id: first\n    event: mail\n  - id: second\n    event: mail\n    then: [nonsense]\n',
  );
  const rule = ruleDocument(file, 'second');
  const refused = (detail: string) =>
    withLinesOf(file, rule, Promise.reject(new PosternError('invalid-argument', detail)));
  await expect(refused('rule.document:3: then[0]: no action\nrule.document:1: id: bad')).rejects.toThrow(
    `${file}:7: then[0]: no action\n${file}:5: id: bad`,
  );
  await expect(refused('rule.document: no map')).rejects.toThrow(`${file}: no map`);
  await expect(refused('rule.id: "second" stands in the operator file')).rejects.toThrow('rule.id: "second"');
});

test('whose an entry of the operator file is stands apart from the rule', () => {
  const entry = '{ id: a, tenant: acme, scope: acme.test, event: mail, then: [discard] }';
  expect(withoutOwner(entry)).toEqual({
    ...{ tenant: 'acme', scope: 'acme.test' },
    document: '{ id: a, event: mail, then: [ discard ] }\n',
  });
  for (const document of ['event: mail # here\nthen: [discard]\n', 'event: [mail\n', '- a'])
    expect(withoutOwner(document)).toEqual({ tenant: undefined, scope: undefined, document });
});
