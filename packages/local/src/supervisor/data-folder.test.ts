import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { prepareDataFolder } from './data-folder.js';

test('folders are made as deep as asked, and again without complaint', async () => {
  const base = await mkdtemp(join(tmpdir(), 'postern-folder-'));
  const root = join(base, 'a', 'b', 'data');
  await prepareDataFolder(root);
  const folder = await prepareDataFolder(root);
  expect((await stat(folder.secrets)).mode & 0o777).toBe(0o700);
  await rm(base, { recursive: true });
});

test('a place where nothing can be made is one clear error, at once', async () => {
  await expect(prepareDataFolder('/proc/postern/data')).rejects.toThrow(/\/proc\/postern/);
  const base = await mkdtemp(join(tmpdir(), 'postern-folder-'));
  await writeFile(join(base, 'file'), '');
  await expect(prepareDataFolder(join(base, 'file', 'data'))).rejects.toThrow(/file/);
  await rm(base, { recursive: true });
});
