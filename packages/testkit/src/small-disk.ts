/**
 * A disk of its own, small enough to fill (tmpfs; needs root, as the tests do), for one test file: mounted before its tests, gone after them.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll } from 'vitest';

const run = promisify(execFile);
const block = Buffer.alloc(65_536);

export interface SmallDisk {
  readonly path: string;
  /** Until nothing can be written. */
  fill(): Promise<void>;
  /** What `fill` wrote goes. */
  makeRoom(): Promise<void>;
}

async function writeUntilFull(file: string): Promise<void> {
  const handle = await open(file, 'w');
  try {
    for (;;) await handle.write(block);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  } finally {
    await handle.close();
  }
}

export function withSmallDisk(mebibytes: number): SmallDisk {
  let path = '';
  beforeAll(async () => {
    path = await mkdtemp(join(tmpdir(), 'postern-disk-'));
    await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', path]);
  });
  afterAll(async () => {
    await run('umount', ['-l', path]);
    await rm(path, { recursive: true, force: true });
  });
  const filler = (): string => join(path, 'filler');
  return {
    get path() {
      return path;
    },
    fill: () => writeUntilFull(filler()),
    makeRoom: () => rm(filler(), { force: true }),
  };
}
