/**
 * Secrets of a local cluster: made once at random, kept as files only their owner can read, named by path in every
 * configuration. Values never appear in a log, a command line or an error.
 */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../supervisor/atomic-file.js';

export interface Secret {
  readonly file: string;
  readonly value: string;
}

/** Letters and digits only: safe inside every configuration language and URL. */
function password(): string {
  return randomBytes(24).toString('base64url').replaceAll(/[-_]/g, 'x');
}

/** The secret of that name in `dir`, made if it is not there yet. */
export async function ensureSecret(dir: string, name: string, make: () => string = password): Promise<Secret> {
  const file = join(dir, name);
  const present = await readFile(file, 'utf8').catch(() => '');
  if (present.trim() !== '') return { file, value: present.trim() };
  const value = make();
  await writeFileAtomic(file, `${value}\n`, 0o600);
  return { file, value };
}

/** A key of exactly 32 bytes, stored as bytes: keys that code reads whole must have no line end. */
export async function ensureKey(dir: string, name: string): Promise<string> {
  const file = join(dir, name);
  const present = await readFile(file).catch(() => Buffer.alloc(0));
  if (present.length === 32) return file;
  await writeFileAtomic(file, randomBytes(32), 0o600);
  return file;
}
