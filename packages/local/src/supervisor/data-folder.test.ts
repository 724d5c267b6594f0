import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { discardDataFolder, firstMissing, prepareDataFolder } from './data-folder.js';

test('folders are made as deep as asked, and again without complaint', async () => {
  const base = await mkdtemp(join(tmpdir(), 'postern-folder-'));
  const root = join(base, 'a', 'b', 'data');
  await prepareDataFolder(root);
  const folder = await prepareDataFolder(root);
  expect((await stat(folder.secrets)).mode & 0o777).toBe(0o700);
  await rm(base, { recursive: true });
});

test('a place where nothing can be made is one clear error, at once', async () => {
  await expect(prepareDataFolder('/proc/postern/data')).rejects.toThrow(/\/proc\/postern.* cannot be made there/);
  const base = await mkdtemp(join(tmpdir(), 'postern-folder-'));
  await writeFile(join(base, 'file'), '');
  await expect(prepareDataFolder(join(base, 'file', 'data'))).rejects.toThrow(/file/);
  await rm(base, { recursive: true });
});

test('of folders that were made for it, what somebody else has put beside stays', async () => {
  const base = await mkdtemp(join(tmpdir(), 'postern-folder-'));
  const root = join(base, 'a', 'b', 'data');
  const first = await firstMissing(root);
  expect(first).toBe(join(base, 'a'));
  await prepareDataFolder(root);
  expect(await firstMissing(root)).toBeUndefined();
  await writeFile(join(base, 'a', 'theirs'), '');
  await discardDataFolder(root, first ?? '');
  expect(await firstMissing(root)).toBe(join(base, 'a', 'b'));
  await rm(base, { recursive: true });
});
