/** Signals to a process of the cluster with all that it started: a stopped PostgreSQL is its postmaster and every backend. Linux only. */
import { readFile } from 'node:fs/promises';
import { expect, vi } from 'vitest';
import type { Cluster } from '../cluster/index.js';

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const own = text.trim().split(' ').filter(Boolean).map(Number);
  return [...own, ...(await Promise.all(own.map(childrenOf))).flat()];
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // Ended meanwhile.
    }
  }
}

/** Stops every process of this name, or the one of them that `which` says, until the function it returns is called. */
export async function freeze(cluster: Cluster, name: string, which?: number): Promise<() => void> {
  const named = await cluster.pids(name);
  const roots = which === undefined ? named : named.slice(which, which + 1);
  if (roots.length === 0) throw new Error(`no process ${name}`);
  // The parent first, so that it starts nothing new.
  signalAll(roots, 'SIGSTOP');
  const all = [...roots, ...(await Promise.all(roots.map(childrenOf))).flat()];
  signalAll(all, 'SIGSTOP');
  await vi.waitFor(async () => {
    for (const pid of roots) expect(await readFile(`/proc/${pid}/stat`, 'utf8')).toMatch(/\) T /);
  });
  return () => signalAll(all.toReversed(), 'SIGCONT');
}
