import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'vitest';
import { runDialog } from '../testing/dialog.js';

/** Dialogs that need something to fail are ours; all others are those of the cluster. */
const folders = ['./dialogs/', '../../../../packages/e2e/conformance/'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

describe.each(folders)('dialogs of %s', (folder) => {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.smtp'),
  ))
    it.concurrent(name, () => runDialog(`${folder}${name}`));
});
