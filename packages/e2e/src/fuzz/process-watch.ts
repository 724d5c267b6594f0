/** Watches the processes of a cluster: the same pids to the end, and the memory of one of them over time (Linux: /proc). */
import { readFile } from 'node:fs/promises';
import type { Cluster } from '../cluster/cluster.js';

export interface ProcessWatch {
  /** Pids that changed since the start. */
  changes(): Promise<string[]>;
  /** Resident MiB of the edge, one sample a second. */
  readonly samples: readonly number[];
  stop(): void;
}

export async function residentMiB(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) / 1024;
}

async function pidsOf(cluster: Cluster): Promise<string> {
  const { services, infrastructure } = await cluster.run();
  return [...services, ...infrastructure].map(({ name, pid }) => `${name}:${pid}`).join(' ');
}

export async function watchProcesses(cluster: Cluster): Promise<ProcessWatch> {
  const before = await pidsOf(cluster);
  const [edge = 0] = await cluster.pids('edge');
  const samples: number[] = [];
  const timer = setInterval(() => {
    void residentMiB(edge).then((size) => samples.push(size));
  }, 1_000);
  return {
    samples,
    async changes() {
      const now = await pidsOf(cluster);
      return before === now ? [] : [`were ${before}`, `are ${now}`, cluster.output().slice(-1_000)];
    },
    stop: () => clearInterval(timer),
  };
}

const median = (list: readonly number[]): number =>
  [...list].sort((one, other) => one - other)[Math.floor(list.length / 2)] ?? 0;

/**
 * Growth in MiB from the middle of the run to its end. The first half is warm-up: V8 lets the old space grow to some multiple of what lives before it
 * collects in earnest, so a plateau is reached only after some 10,000 sessions.
 */
export function growth(samples: readonly number[]): number {
  const fifth = Math.floor(samples.length / 5);
  return fifth === 0 ? 0 : median(samples.slice(-fifth)) - median(samples.slice(2 * fifth, 3 * fifth));
}
