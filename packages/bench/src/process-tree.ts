/**
 * CPU and memory of process trees from /proc: user + system time of a process, of all its living descendants, and of the dead ones it waited for.
 * Linux only. Reads nothing of processes outside the trees it is given.
 */
import { readdir, readFile } from 'node:fs/promises';

interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** utime + stime + cutime + cstime in clock ticks. */
  readonly ticks: number;
}

/** USER_HZ: 100 on every Linux this runs on. */
const ticksPerSecond = 100;

async function readStat(pid: number): Promise<ProcessStat | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const at = (index: number): number => Number(fields[index]);
  return { pid, parent: at(1), ticks: at(11) + at(12) + at(13) + at(14) };
}

async function allStats(): Promise<ProcessStat[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return (await Promise.all(names.map((name) => readStat(Number(name))))).filter((stat) => stat !== undefined);
}

/** Every process of the trees, roots included. */
async function treeOf(roots: readonly number[]): Promise<ProcessStat[]> {
  const stats = await allStats();
  const inside = new Set(roots);
  for (let grown = true; grown; ) {
    grown = false;
    for (const { pid, parent } of stats) {
      if (!inside.has(parent) || inside.has(pid)) continue;
      inside.add(pid);
      grown = true;
    }
  }
  return stats.filter(({ pid }) => inside.has(pid));
}

/** CPU seconds used so far by the trees. */
export async function cpuSeconds(roots: readonly number[]): Promise<number> {
  const tree = await treeOf(roots);
  return tree.reduce((sum, { ticks }) => sum + ticks, 0) / ticksPerSecond;
}

/**
 * Seconds that processes of the trees were ready to run and had no core: what the machine took, not the program. Of each its first thread, which runs
 * the event loop.
 */
export async function coreWaitSeconds(roots: readonly number[]): Promise<number> {
  let seconds = 0;
  for (const { pid } of await treeOf(roots)) {
    const text = await readFile(`/proc/${pid}/schedstat`, 'utf8').catch(() => '');
    seconds += Number(text.split(' ')[1] ?? 0) / 1e9;
  }
  return seconds;
}

/** Proportional set size in MiB of the trees. */
export async function pssMiB(roots: readonly number[]): Promise<number> {
  let kib = 0;
  for (const { pid } of await treeOf(roots)) {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
    kib += Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0);
  }
  return kib / 1024;
}
