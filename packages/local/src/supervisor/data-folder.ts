/**
 * The one folder a local cluster lives in: streams, tables, mail, secrets, logs and run.json. Two clusters stand side by
 * side in two folders. Made with rights for its owner only, apart from what PostgreSQL's own user must reach.
 */
import { mkdir, rename, rm, rmdir, stat, statfs } from 'node:fs/promises';
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

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** The uppermost folder that would have to be made for this one; undefined = it is there. */
export async function firstMissing(root: string): Promise<string | undefined> {
  let missing: string | undefined;
  for (let path = root; !(await isThere(path)); path = dirname(path)) missing = path;
  return missing;
}

/** Take away a folder that was made for a start which started nothing, and the empty ones made above it from `first` on. */
export async function discardDataFolder(root: string, first: string): Promise<void> {
  await rm(root, { recursive: true, force: true });
  for (let path = root; path !== first; ) {
    path = dirname(path);
    const gone = await rmdir(path).then(
      () => true,
      () => false,
    );
    if (!gone) return;
  }
}

async function assertRoom(root: string): Promise<void> {
  const missing = await firstMissing(root);
  const disk = await statfs(missing === undefined ? root : dirname(missing));
  // No disk at all, as under /proc: making a folder there says what is wrong.
  if (disk.blocks === 0) return;
  const free = disk.bavail * disk.bsize;
  if (free >= leastFreeBytes) return;
  throw new SetupError(
    `Only ${Math.floor(free / 1_048_576)} MB are free on the disk of ${root}; ${leastFreeBytes / 1_048_576} MB are needed.`,
    'free some space or choose another disk with `-- --data DIR`.',
  );
}

/** Make the folders; too little space or no right to write is one clear line. */
export async function prepareDataFolder(root: string): Promise<DataFolder> {
  const folder = dataFolder(root);
  try {
    await assertRoom(root);
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
