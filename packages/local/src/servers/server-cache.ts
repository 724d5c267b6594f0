/**
 * Where fetched servers are kept. Tests and repeated starts share one cache of the user, so that each server is fetched
 * once per machine; `POSTERN_CACHE_DIR` names another. Every folder in it appears whole (rename) or not at all.
 */
import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { explainSystemError } from '../setup-error.js';
import { withFolderLock } from './folder-lock.js';

/** `POSTERN_CACHE_DIR`, else `$XDG_CACHE_HOME/postern`, else `~/.cache/postern`. */
export function defaultCacheDir(): string {
  const named = process.env.POSTERN_CACHE_DIR;
  if (named !== undefined && named !== '') return named;
  const xdg = process.env.XDG_CACHE_HOME;
  return join(xdg !== undefined && xdg !== '' ? xdg : join(homedir(), '.cache'), 'postern');
}

/** Where to look for a fetched server, and where to fetch it into. */
export interface ServerCache {
  readonly dir: string;
  /** Further caches that may have it already. */
  readonly alsoLookIn: readonly string[];
}

export const sharedCache = (): ServerCache => ({ dir: defaultCacheDir(), alsoLookIn: [] });

/** The folder `name` of the cache, then of the others. */
export const foldersOf = (cache: ServerCache, name: string): string[] =>
  [cache.dir, ...cache.alsoLookIn].map((dir) => join(dir, name));

/** The first answer of `find` over the folders. */
export async function firstFound<T>(
  folders: readonly string[],
  find: (folder: string) => Promise<T | undefined>,
): Promise<T | undefined> {
  for (const folder of folders) {
    const found = await find(folder);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Answer `lookup`, and if it finds nothing run `fetch` under a lock between processes and look again. */
export async function cached<T>(
  { dir: cacheDir }: ServerCache,
  name: string,
  lookup: () => Promise<T | undefined>,
  fetch: () => Promise<void>,
): Promise<T | undefined> {
  const present = await lookup();
  if (present !== undefined) return present;
  try {
    await mkdir(cacheDir, { recursive: true });
    return await withFolderLock(join(cacheDir, `${name}.lock`), async () => {
      const fetchedByOther = await lookup();
      if (fetchedByOther !== undefined) return fetchedByOther;
      await fetch();
      return lookup();
    });
  } catch (error) {
    throw explainSystemError(error, `write to ${cacheDir}`);
  }
}
