/**
 * One supervisor per data folder. Its pid is kept in the folder with what tells it from a later process; whoever comes next sees whether it lives. A
 * supervisor that was killed leaves its processes running: they are ended before anything is started again. Nothing else is ever ended.
 */
import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { processExists } from '../servers/folder-lock.js';
import { processIdentity } from '../servers/process-identity.js';
import { SetupError } from '../setup-error.js';
import { writeFileAtomic } from './atomic-file.js';
import type { DataFolder } from './data-folder.js';
import { endLeftovers, isAlive, readJson } from './leftovers.js';

/** Pid of the living supervisor of this folder, if that is another process. */
export async function livingSupervisor(folder: DataFolder): Promise<number | undefined> {
  const record = await readJson(folder.instanceFile);
  return isAlive(record) && record.pid !== process.pid ? record.pid : undefined;
}

/** Refuses a folder that another supervisor has, and touches nothing. */
export async function refuseRunning(folder: DataFolder): Promise<void> {
  const other = await livingSupervisor(folder);
  if (other === undefined) return;
  throw new SetupError(
    `A cluster of ${folder.root} is running already (pid ${other}).`,
    'stop it with `npm start -- --stop` (same --data), or choose another folder and --port-base.',
  );
}

/** Whether this process has the folder. */
export async function hasClaim(folder: DataFolder): Promise<boolean> {
  const record = await readJson(folder.instanceFile);
  return isAlive(record) && record.pid === process.pid;
}

/** Take the folder for this process; refuses while another supervisor has it. */
export async function claimFolder(folder: DataFolder, say: (line: string) => void): Promise<void> {
  await refuseRunning(folder);
  const record = { pid: process.pid, identity: processIdentity(process.pid) };
  await writeFileAtomic(folder.instanceFile, `${JSON.stringify(record)}\n`);
  await endLeftovers(folder, say);
  await rm(folder.runFile, { force: true });
}

export async function releaseFolder(folder: DataFolder): Promise<void> {
  await rm(folder.runFile, { force: true });
  await rm(folder.instanceFile, { force: true });
}

/** `--stop`: ask the supervisor to drain and wait until it is gone. */
export async function stopCluster(folder: DataFolder, say: (line: string) => void): Promise<void> {
  const pid = await livingSupervisor(folder);
  if (pid === undefined) {
    const ended = await endLeftovers(folder, say);
    await releaseFolder(folder);
    say(ended === 0 ? `nothing runs in ${folder.root}` : 'stopped');
    return;
  }
  say(`stopping the cluster of ${folder.root} (pid ${pid})`);
  process.kill(pid, 'SIGTERM');
  const deadline = performance.now() + 300_000;
  while (processExists(pid)) {
    if (performance.now() > deadline) {
      throw new SetupError(
        `The supervisor (pid ${pid}) did not end within 300 s.`,
        `look into ${folder.logs}, then end it by its pid.`,
      );
    }
    await delay(100);
  }
  say('stopped');
}
