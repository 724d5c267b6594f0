import { readdirSync } from 'node:fs';
import { describe, it } from 'vitest';
import { runDialog } from '../testing/dialog.js';

const folder = new URL('./dialogs/', import.meta.url);

describe('dialogs', () => {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.smtp')))
    it.concurrent(name, () => runDialog(new URL(name, folder).pathname));
});
