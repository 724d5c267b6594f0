/**
 * The one folder a local cluster lives in: streams, tables, mail, secrets, logs and run.json. Two clusters stand side by
 * side in two folders. Made with rights for its owner only, apart from what PostgreSQL's own user must reach.
 */
import { mkdir, rename, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { explainSystemError, SetupError } from '../setup-error.js';

const leastFreeBytes = 300 * 1024 * 1024;
const largestLogBytes = 64 * 1024 * 1024;

export interface DataFolder {
  readonly root: string;
  readonly secrets: string;
  readonly tls: string;
  readonly config: string;
  readonly logs: string;
  readonly mailbox: string;
  readonly nats: string;
  readonly redis: string;
  readonly postgres: string;
  readonly cache: string;
  readonly runFile: string;
  readonly instanceFile: string;
}

export function dataFolder(root: string): DataFolder {
  return {
    root,
    secrets: join(root, 'secrets'),
    tls: join(root, 'tls'),
    config: join(root, 'config'),
    logs: join(root, 'logs'),
    mailbox: join(root, 'mailbox'),
    nats: join(root, 'nats'),
    redis: join(root, 'redis'),
    postgres: join(root, 'postgres'),
    cache: join(root, 'servers'),
    runFile: join(root, 'run.json'),
    instanceFile: join(root, 'supervisor.json'),
  };
}

/**
 * Makes a folder and those above it. One step at a time: mkdir with `recursive` never returns on a file system that answers ENOENT for a
 * folder whose parent is there (procfs).
 */
async function makeFolder(path: string, mode: number): Promise<void> {
  const above = dirname(path);
  if (above !== path && (await stat(above).catch(() => undefined)) === undefined) await makeFolder(above, 0o755);
  await mkdir(path, { mode }).catch(async (error: NodeJS.ErrnoException) => {
    const there = error.code === 'EEXIST' ? await stat(path) : undefined;
    if (there?.isDirectory() !== true) throw error;
  });
}

/** Make the folders; too little space or no right to write is one clear line. */
export async function prepareDataFolder(root: string): Promise<DataFolder> {
  const folder = dataFolder(root);
  try {
    await makeFolder(folder.root, 0o755);
    for (const path of [
      folder.secrets,
      folder.tls,
      folder.config,
      folder.logs,
      folder.mailbox,
      folder.nats,
      folder.redis,
    ]) {
      await makeFolder(path, 0o700);
    }
    await makeFolder(folder.postgres, 0o755);
  } catch (error) {
    throw explainSystemError(error, `write to ${root}`);
  }
  const disk = await statfs(root);
  const free = disk.bavail * disk.bsize;
  if (free < leastFreeBytes) {
    throw new SetupError(
      `Only ${Math.floor(free / 1_048_576)} MB are free on the disk of ${root}; ${leastFreeBytes / 1_048_576} MB are needed.`,
      'free some space or choose another disk with `-- --data DIR`.',
    );
  }
  return folder;
}

/** Keep one older log beside a log that has grown large; asked before each start of its process. */
export async function rotateLog(file: string): Promise<void> {
  const size = await stat(file).then(
    (found) => found.size,
    () => 0,
  );
  if (size > largestLogBytes) await rename(file, `${file}.1`);
}
