/**
 * Find a server program on the PATH and ask for its version. Nothing is installed here.
 */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The first executable of that name on the PATH, sbin folders included (a plain user's PATH often lacks them). */
export async function findOnPath(name: string): Promise<string | undefined> {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  for (const folder of folders) {
    if (folder === '') continue;
    const candidate = join(folder, name);
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not here; the next folder may have it.
    }
  }
  return undefined;
}

/** `major.minor.patch` found in what the program prints for `args`, or undefined if it cannot run. */
export async function programVersion(
  path: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await run(path, [...args], { timeout: 10_000, env: { ...process.env, ...env } });
    return /\d+\.\d+\.\d+/.exec(`${stdout}\n${stderr}`)?.[0];
  } catch {
    return undefined;
  }
}

/** Is version `have` at least `floor`? Both are `major.minor.patch`. */
export function atLeast(have: string, floor: string): boolean {
  const left = have.split('.').map(Number);
  const right = floor.split('.').map(Number);
  for (let index = 0; index < 3; index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
