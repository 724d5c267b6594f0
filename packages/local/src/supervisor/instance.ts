/**
 * One supervisor per data folder. Its pid is kept in the folder; whoever comes next sees whether it lives. A supervisor that
 * was killed leaves its processes running: they are recognised by their command line, which names the folder, and ended
 * before anything is started again. Nothing else is ever ended.
 */
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { processExists } from '../servers/folder-lock.js';
import { SetupError } from '../setup-error.js';
import { writeFileAtomic } from './atomic-file.js';
import type { DataFolder } from './data-folder.js';

async function commandLine(pid: number): Promise<string | undefined> {
  if (!processExists(pid)) return undefined;
  return readFile(`/proc/${pid}/cmdline`, 'utf8').then(
    (text) => text.replaceAll('\0', ' '),
    () => undefined,
  );
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Pid of the living supervisor of this folder. */
export async function livingSupervisor(folder: DataFolder): Promise<number | undefined> {
  const record = await readJson(folder.instanceFile);
  if (typeof record !== 'object' || record === null || !('pid' in record) || typeof record.pid !== 'number')
    return undefined;
  const line = await commandLine(record.pid);
  const marked = 'mark' in record && typeof record.mark === 'string' ? record.mark : 'main.js';
  return record.pid !== process.pid && line?.includes(marked) === true ? record.pid : undefined;
}

function pidsIn(record: unknown): number[] {
  if (typeof record !== 'object' || record === null) return [];
  const lists = ['services' in record ? record.services : [], 'infrastructure' in record ? record.infrastructure : []];
  return lists
    .flatMap((list) => (Array.isArray(list) ? list : []))
    .map((entry: unknown) => (typeof entry === 'object' && entry !== null && 'pid' in entry ? entry.pid : undefined))
    .filter((pid) => typeof pid === 'number' && pid > 1)
    .filter((pid) => typeof pid === 'number');
}

/** End what a killed supervisor of this folder left behind; returns how many. */
export async function endLeftovers(folder: DataFolder): Promise<number> {
  const pids: number[] = [];
  for (const pid of pidsIn(await readJson(folder.runFile))) {
    if ((await commandLine(pid))?.includes(folder.root) === true) pids.push(pid);
  }
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const left = pids.filter(processExists);
    for (const pid of left) process.kill(pid, signal);
    const deadline = performance.now() + 8_000;
    while (pids.some(processExists) && performance.now() < deadline) await delay(50);
  }
  return pids.length;
}

/** Take the folder for this process; refuses while another supervisor has it. */
export async function claimFolder(folder: DataFolder, say: (line: string) => void): Promise<void> {
  const other = await livingSupervisor(folder);
  if (other !== undefined) {
    throw new SetupError(
      `A cluster of ${folder.root} is running already (pid ${other}).`,
      'stop it with `npm start -- --stop` (same --data), or choose another folder and --port-base.',
    );
  }
  const mark = process.argv[1] ?? 'main.js';
  await writeFileAtomic(folder.instanceFile, `${JSON.stringify({ pid: process.pid, mark })}\n`);
  const ended = await endLeftovers(folder);
  if (ended > 0) say(`ended ${ended} processes that an earlier run left behind`);
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
    const ended = await endLeftovers(folder);
    await releaseFolder(folder);
    say(ended === 0 ? `nothing runs in ${folder.root}` : `ended ${ended} processes without a supervisor`);
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
