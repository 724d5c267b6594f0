/** The processes of a local cluster as run.json names them, each asked now whether it is ready. A cluster elsewhere is asked through its API alone. */
import type { Column } from './output.js';

export interface Process {
  readonly name: string;
  readonly pid: number;
  /** Base address of metrics and readiness; undefined when it has none, as stores. */
  readonly metrics: string | undefined;
}

export interface ProcessState extends Process {
  readonly state: 'ready' | 'not ready' | 'does not answer' | 'running' | 'gone' | 'starting' | 'draining';
  /** Of a worker: share of the last second its event loop was busy. */
  readonly load?: number;
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

/** What a supervisor says of one worker, at /workers. */
function workerState(supervisor: string, told: unknown): ProcessState[] {
  if (typeof told !== 'object' || told === null || !('number' in told) || !('pid' in told)) return [];
  const { number, pid } = told;
  if (typeof number !== 'number' || typeof pid !== 'number') return [];
  const row = { name: `${supervisor} worker ${number}`, pid, metrics: undefined };
  const state = 'state' in told ? told.state : undefined;
  if (state === 'starting' || state === 'draining') return [{ ...row, state }];
  const isReady = 'ready' in told && told.ready === true;
  const load = 'load' in told && typeof told.load === 'number' ? { load: told.load } : {};
  return [{ ...row, state: isReady ? 'ready' : 'not ready', ...load }];
}

/** The workers of a process that is their supervisor; none where it does the work itself. */
async function workersOf({ name, metrics }: Process): Promise<ProcessState[]> {
  if (metrics === undefined) return [];
  try {
    const answer = await fetch(new URL('/workers', metrics), { signal: AbortSignal.timeout(deadlineMs) });
    const told: unknown = answer.ok ? await answer.json() : await answer.arrayBuffer().then(() => []);
    return Array.isArray(told) ? told.flatMap((one) => workerState(name, one)) : [];
  } catch {
    return [];
  }
}

export async function processStates(processes: readonly Process[]): Promise<ProcessState[]> {
  const asked = processes.map(async (process) => {
    const [state, workers] = await Promise.all([stateOf(process), workersOf(process)]);
    return [{ ...process, state }, ...workers];
  });
  return (await Promise.all(asked)).flat();
}

export const processColumns: readonly Column<ProcessState>[] = [
  { title: 'PROCESS', value: (process) => process.name },
  { title: 'STATE', value: (process) => process.state },
  { title: 'PID', value: (process) => process.pid, right: true },
  { title: 'METRICS', value: (process) => (process.metrics === undefined ? '' : `${process.metrics}/metrics`) },
];
