/**
 * Secrets are files named by the configuration, mounted by whoever runs the service. One final line end is not part
 * of the secret. Errors name the path, never the content.
 */
import { readFile } from 'node:fs/promises';
import { ConfigError } from './problem.js';

const largestSecret = 65_536;

export async function readSecret(path: string): Promise<string> {
  return (await readSecretBytes(path)).toString('utf8').replace(/\r?\n$/, '');
}

/** Keys that are bytes and not text. */
export async function readSecretBytes(path: string): Promise<Buffer> {
  let content: Buffer;
  try {
    content = await readFile(path);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new ConfigError([{ place: path, path: '', message: `secret file cannot be read (${reason})` }]);
  }
  if (content.length > 0 && content.length <= largestSecret) return content;
  throw new ConfigError([{ place: path, path: '', message: `secret file must hold 1 to ${largestSecret} bytes` }]);
}
