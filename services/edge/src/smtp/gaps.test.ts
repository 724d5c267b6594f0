/** The table of the README over what the base lacks: every file it names is there, and every row is shown by something. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const [, section = ''] =
  /## What the base lacks\n([\s\S]*?)\n## /.exec(readFileSync(pathOf('../../README.md'), 'utf8')) ?? [];
const rows = section
  .split('\n')
  .filter((line) => line.startsWith('| ') && line.includes('`'))
  .map((line) => line.split('|').map((cell) => cell.trim()));
const names = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);

/** Sources and tests are named from `src`. */
function fileOf(name: string): string {
  if (name.startsWith('rfc')) return pathOf(`../../../../packages/e2e/conformance/${name}`);
  return pathOf(name.startsWith('dialogs/') ? name : `../${name}`);
}

it('has all gaps of the base', () => {
  expect(rows.length).toBeGreaterThanOrEqual(27);
});

it.each(rows)('%s%s', (_edge, _gap, files, shown) => {
  expect(names(files)).not.toEqual([]);
  expect(names(shown)).not.toEqual([]);
  expect([...names(files), ...names(shown)].filter((name) => !existsSync(fileOf(name)))).toEqual([]);
});
