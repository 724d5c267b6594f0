/** docs/architecture/degradation.md names a test for every row; this holds the names against the files, so that no row stands without its proof. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { projectRoot } from '../cluster/index.js';

interface Row {
  readonly away: string;
  /** File and the titles it must hold. */
  readonly proofs: readonly { readonly file: string; readonly titles: readonly string[] }[];
}

const page = await readFile(join(projectRoot, 'docs/architecture/degradation.md'), 'utf8');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| away'))
  .map((line): Row => {
    const cells = line.split('|').map((cell) => cell.trim());
    const proofs = (cells.at(-2) ?? '').split('; ').map((proof) => {
      const [, name = '', titles = ''] = /^`([^`]+)`: (.+)$/.exec(proof) ?? [];
      const file = name.includes('/') ? name : `packages/e2e/src/integration/${name}.test.ts`;
      return { file, titles: titles.split(', ') };
    });
    return { away: cells[1] ?? '', proofs };
  });

test('the table has its rows', () => {
  expect(rows.length).toBeGreaterThanOrEqual(11);
});

/** A title made by a table has its words apart: `$name silent` and `{ name: 'policy' }`. */
const holds = (text: string, title: string): boolean =>
  text.includes(title) || title.split(' ').every((word) => text.includes(word));

test.each(rows)('$away away: its tests are there', async ({ proofs }) => {
  for (const { file, titles } of proofs) {
    const text = await readFile(join(projectRoot, file), 'utf8').catch(() => '');
    for (const title of titles)
      expect({ file, title, there: holds(text, title) }).toEqual({ file, title, there: true });
  }
});
