/**
 * Which `--config` file the last start of a data folder was given. Options hold for one start only, so one without it runs with other
 * settings than before; that is said, once. What the file had made (tenants, domains, users) stays in the database.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from './atomic-file.js';
import type { DataFolder } from './data-folder.js';

const recordOf = (folder: DataFolder): string => join(folder.config, 'config-option');

/** Undefined: no start yet, or one without such a file. */
export async function lastConfigFile(folder: DataFolder): Promise<string | undefined> {
  const text = await readFile(recordOf(folder), 'utf8').catch(() => '');
  return text.trim() || undefined;
}

/** Called when the cluster serves: a start that failed changes nothing. */
export async function keepConfigFile(folder: DataFolder, file: string | undefined): Promise<void> {
  await writeFileAtomic(recordOf(folder), `${file ?? ''}\n`);
}
