/**
 * A lock between processes made of one folder: mkdir is atomic. The holder writes its pid inside; a lock whose holder
 * is gone is taken over, so a killed run never blocks the next one.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SetupError, systemErrorCode } from '../setup-error.js';

/** Is there a process with this pid? */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}

async function holderIsGone(lock: string): Promise<boolean> {
  try {
    const pid = Number.parseInt(await readFile(join(lock, 'pid'), 'utf8'), 10);
    return Number.isInteger(pid) && !processExists(pid);
  } catch {
    // No pid yet: the holder is between mkdir and write; the caller asks again, and gives up at its deadline.
    return false;
  }
}

/** Run `work` while holding the lock folder; others wait up to `waitMs`. */
export async function withFolderLock<T>(lock: string, work: () => Promise<T>, waitMs = 180_000): Promise<T> {
  const deadline = performance.now() + waitMs;
  let pidlessSince: number | undefined;
  for (;;) {
    try {
      await mkdir(lock);
      break;
    } catch (error) {
      if (systemErrorCode(error) !== 'EEXIST') throw error;
    }
    const pidless = await readFile(join(lock, 'pid'), 'utf8').then(
      (text) => text === '',
      () => true,
    );
    pidlessSince = pidless ? (pidlessSince ?? performance.now()) : undefined;
    const abandoned = pidlessSince !== undefined && performance.now() - pidlessSince > 5_000;
    if (abandoned || (await holderIsGone(lock))) {
      // Rename first: of two that see the same stale lock only one succeeds in moving it.
      const aside = `${lock}.stale.${process.pid}`;
      await rename(lock, aside).then(
        () => rm(aside, { recursive: true, force: true }),
        () => undefined,
      );
      continue;
    }
    if (performance.now() > deadline) {
      throw new SetupError(`Another process holds ${lock}.`, 'wait for it, or remove that folder if none runs.');
    }
    await delay(100);
  }
  try {
    await writeFile(join(lock, 'pid'), String(process.pid));
    return await work();
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
}
