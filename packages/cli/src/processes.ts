/** The processes of a local cluster as run.json names them, each asked now whether it is ready. A cluster elsewhere is asked through its API alone. */
import { readFileSync } from 'node:fs';
import type { Column } from './output.js';

export interface KeptProcess {
  readonly pid: number;
  /** When it started, as the supervisor read it from /proc; undefined where it could not. */
  readonly identity: string | undefined;
}

export interface Process extends KeptProcess {
  readonly name: string;
  /** Base address of metrics and readiness; undefined when it has none, as stores. */
  readonly metrics: string | undefined;
}

export interface ProcessState {
  readonly name: string;
  readonly pid: number;
  readonly metrics: string | undefined;
  readonly state: 'ready' | 'not ready' | 'does not answer' | 'running' | 'gone' | 'starting' | 'draining';
  /** Why it is not ready, as it says itself. */
  readonly reason?: string;
  /** Of a worker: share of the last second its event loop was busy. */
  readonly load?: number;
}

const deadlineMs = 1_000;

/** proc_pid_stat(5): the fields after the name begin with the third; the start is field 22. */
const stateField = 0;
const startField = 22 - 3;

/** Whether that very process runs, not a later one that got its pid. */
export function isRunning({ pid, identity }: KeptProcess): boolean {
  if (identity !== undefined) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[stateField] !== 'Z' && identity.startsWith(`${fields[startField]}@`);
    } catch {
      return false;
    }
  }
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // A process of another user is there too.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function stateOf({ metrics, ...kept }: Process): Promise<Pick<ProcessState, 'state' | 'reason'>> {
  if (!isRunning(kept)) return { state: 'gone' };
  if (metrics === undefined) return { state: 'running' };
  try {
    const answer = await fetch(new URL('/readyz', metrics), { signal: AbortSignal.timeout(deadlineMs) });
    const text = await answer.text();
    return answer.ok ? { state: 'ready' } : { state: 'not ready', reason: text.trim().split('\n').join('; ') };
  } catch {
    return { state: 'does not answer' };
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
    const { name, pid, metrics } = process;
    return [{ name, pid, metrics, ...state }, ...workers];
  });
  return (await Promise.all(asked)).flat();
}

export const processColumns: readonly Column<ProcessState>[] = [
  { title: 'PROCESS', value: (process) => process.name },
  { title: 'STATE', value: (process) => process.state },
  { title: 'PID', value: (process) => process.pid, right: true },
  { title: 'METRICS', value: (process) => (process.metrics === undefined ? '' : `${process.metrics}/metrics`) },
];
