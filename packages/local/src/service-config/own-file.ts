/** The person's own file, given with `--config`: read once, so that what is checked is what is used. */
import { readFile } from 'node:fs/promises';
import type { ConfigText } from '@postern/config';
import { SetupError, systemErrorCode } from '../setup-error.js';

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'you have no right to read it',
};

export async function readOwnFile(file: string | undefined): Promise<ConfigText | undefined> {
  if (file === undefined) return undefined;
  try {
    return { file, text: await readFile(file, 'utf8') };
  } catch (error) {
    const code = systemErrorCode(error) ?? 'unreadable';
    throw new SetupError(
      `--config ${file} cannot be read: ${reasons[code] ?? code}.`,
      'give the path of a YAML file, counted from where you stand.',
    );
  }
}
