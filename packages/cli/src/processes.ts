/** The processes of a local cluster as run.json names them, each asked now whether it is ready. A cluster elsewhere is asked through its API alone. */
import type { Column } from './output.js';

export interface Process {
  readonly name: string;
  readonly pid: number;
  /** Base address of metrics and readiness; undefined when it has none, as stores. */
  readonly metrics: string | undefined;
}

export interface ProcessState extends Process {
  readonly state: 'ready' | 'not ready' | 'does not answer' | 'running' | 'gone';
}

const deadlineMs = 1_000;

async function stateOf({ pid, metrics }: Process): Promise<ProcessState['state']> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // A process of another user is there too.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return 'gone';
  }
  if (metrics === undefined) return 'running';
  try {
    const answer = await fetch(new URL('/readyz', metrics), { signal: AbortSignal.timeout(deadlineMs) });
    await answer.arrayBuffer();
    return answer.ok ? 'ready' : 'not ready';
  } catch {
    return 'does not answer';
  }
}

export function processStates(processes: readonly Process[]): Promise<ProcessState[]> {
  return Promise.all(processes.map(async (process) => ({ ...process, state: await stateOf(process) })));
}

export const processColumns: readonly Column<ProcessState>[] = [
  { title: 'PROCESS', value: (process) => process.name },
  { title: 'STATE', value: (process) => process.state },
  { title: 'PID', value: (process) => process.pid, right: true },
  { title: 'METRICS', value: (process) => (process.metrics === undefined ? '' : `${process.metrics}/metrics`) },
];
