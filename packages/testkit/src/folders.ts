/**
 * Temporary folders of one test file, removed after its last test: `const folders = withFolders();` at the top level of a test file, or of a module
 * that test files import, then `await folders.make('keys')` wherever one is needed. Whatever was registered later is torn down before.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

export interface TestFolders {
  make(name: string): Promise<string>;
}

export function withFolders(): TestFolders {
  const made: string[] = [];
  afterAll(async () => {
    for (const folder of made.splice(0)) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return {
    async make(name) {
      const folder = await mkdtemp(join(tmpdir(), `postern-${name}-`));
      made.push(folder);
      return folder;
    },
  };
}
