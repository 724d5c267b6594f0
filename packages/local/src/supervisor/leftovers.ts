/**
 * What a supervisor that was killed left behind. Its processes stand in run.json with their identity, so that nothing else is ever ended, whatever
 * has their pids by now. Services go first, with time to finish what they hold; stores after them.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { processExists } from '../servers/folder-lock.js';
import { processIdentity } from '../servers/process-identity.js';
import type { DataFolder } from './data-folder.js';

interface Leftover {
  readonly name: string;
  readonly pid: number;
  readonly identity: string;
}

const serviceGraceMs = 20_000;
const storeGraceMs = 10_000;
const lookMs = 50;

export async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Those of this section that still run, and are the ones that were started. */
function left(record: unknown, section: 'services' | 'infrastructure'): Leftover[] {
  const list: unknown = typeof record === 'object' && record !== null ? Reflect.get(record, section) : undefined;
  const entries: readonly unknown[] = Array.isArray(list) ? list : [];
  return entries.flatMap((entry): Leftover[] => {
    if (typeof entry !== 'object' || entry === null) return [];
    const [name, pid, identity]: unknown[] = ['name', 'pid', 'identity'].map((field) => Reflect.get(entry, field));
    if (typeof name !== 'string' || typeof pid !== 'number' || pid < 2 || typeof identity !== 'string') return [];
    return processIdentity(pid) === identity ? [{ name, pid, identity }] : [];
  });
}

const runs = ({ pid, identity }: Leftover): boolean => processIdentity(pid) === identity;

function send(process: Leftover, signal: NodeJS.Signals): void {
  try {
    if (runs(process)) globalThis.process.kill(process.pid, signal);
  } catch {
    // It ended in between.
  }
}

async function end(processes: readonly Leftover[], graceMs: number): Promise<void> {
  // PostgreSQL would wait for its clients otherwise.
  for (const process of processes) send(process, process.name === 'postgres' ? 'SIGINT' : 'SIGTERM');
  for (let deadline = performance.now() + graceMs; processes.some(runs) && performance.now() < deadline; )
    await delay(lookMs);
  for (const process of processes) send(process, 'SIGKILL');
  for (let deadline = performance.now() + graceMs; processes.some(runs) && performance.now() < deadline; )
    await delay(lookMs);
}

/** End what a killed supervisor of this folder left running; `say` tells of it before. Returns how many there were. */
export async function endLeftovers(folder: DataFolder, say: (line: string) => void): Promise<number> {
  const record = await readJson(folder.runFile);
  const [services, stores] = [left(record, 'services'), left(record, 'infrastructure')];
  const count = services.length + stores.length;
  if (count === 0) return 0;
  say(`ending ${count} process${count === 1 ? '' : 'es'} that an earlier run left behind`);
  await end(services, serviceGraceMs);
  await end(stores, storeGraceMs);
  return count;
}

/** A supervisor as it is written down: it lives, and is the one that wrote. */
export function isAlive(record: unknown): record is { readonly pid: number } {
  if (typeof record !== 'object' || record === null || !('pid' in record) || typeof record.pid !== 'number')
    return false;
  if (!('identity' in record) || typeof record.identity !== 'string') return processExists(record.pid);
  return processIdentity(record.pid) === record.identity;
}
