/**
 * Write a file so that a reader sees the old content or the new, never a part: a temporary file beside it, then rename.
 */
import { rename, writeFile } from 'node:fs/promises';

let counter = 0;

export async function writeFileAtomic(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  counter += 1;
  const aside = `${path}.${process.pid}.${counter}.tmp`;
  await writeFile(aside, content, { mode });
  await rename(aside, path);
}
