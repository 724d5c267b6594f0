import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PosternError } from '@postern/errors';
import { afterAll, expect, test } from 'vitest';
import { candidateRules } from './candidate-rules.js';
import type { SimulateOptions } from './simulate-options.js';

const folder = mkdtempSync(join(tmpdir(), 'postern-candidates-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function written(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}
const single = written('single.yaml', '# mine\nevent: mail\nthen: [discrad]\n');
const several = written(
  'several.yaml',
  'rules:\n  - id: first\n    event: mail\n    then: [discard]\n  - event: rcpt\n    then: [nonsense]\n',
);
const options = (...rule: string[]): SimulateOptions =>
  ({ to: [], rule, mechanism: 'PLAIN', size: 0, attempt: 1, age: 0, helo: '' }) satisfies Partial<SimulateOptions>;

test.each<[string, string[], string, string]>([
  ['of a file that is one rule', [single], 'candidates[0].document:3: then[0]: no', `${single}:3: then[0]: no`],
  ['of one of several rules', [several], 'candidates[0].document:2: x', `${several}:3: rule first: x`],
  ['of a rule without a name', [several], 'candidates[1].document:2: x', `${several}:6: rule several-2: x`],
  ['of the second file', [single, several], 'candidates[2].document: no map', `${several}: rule several-2: no map`],
  [
    'several mistakes',
    [several, single],
    'candidates[2].document:2: a\ncandidates[2].document:3: b',
    `${single}:2: a\n${single}:3: b`,
  ],
  ['an older service, one rule', [single], 'rule.document:3: x', `${single}:3: x`],
  ['an older service, several rules', [several], 'rule.document:3: x', 'rule.document:3: x'],
  ['of something else', [single], 'tenant: "x" is not allowed', 'tenant: "x" is not allowed'],
])('a mistake %s', async (_what, files, detail, told) => {
  const { naming } = candidateRules(options(...files));
  await expect(naming(Promise.reject(new PosternError('invalid-argument', detail)))).rejects.toThrow(told);
});

test('rules are named like their file, or as they name themselves', () => {
  expect(candidateRules(options(single, several)).rules.map(({ id }) => id)).toEqual(['single', 'first', 'several-2']);
});
