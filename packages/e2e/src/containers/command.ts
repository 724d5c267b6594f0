/**
 * Programs run to their end, with a deadline. Output goes to a log file and is shown only when a program fails.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFile } from 'node:fs/promises';

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  /** Written to its standard input. */
  readonly input?: string;
}

export type Run = (program: string, args: readonly string[], options?: CommandOptions) => Promise<string>;

const running = new Set<ChildProcess>();

/** End the commands that still run; their callers see a failure. */
export async function endCommands(): Promise<void> {
  const ends = [...running].map((child) => new Promise((resolve) => child.once('close', resolve)));
  for (const child of running) child.kill('SIGTERM');
  await Promise.all(ends);
}

const shownLines = 40;
const keptBytes = 1_048_576;

/** A runner that writes everything to `logFile`; resolves with standard output, rejects on any exit code but 0. */
export function createRun(logFile: string, environment: Readonly<Record<string, string>>): Run {
  return async (program, args, options = {}) => {
    const child = spawn(program, [...args], {
      cwd: options.cwd,
      env: { ...process.env, ...environment, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? 300_000,
      killSignal: 'SIGKILL',
    });
    running.add(child);
    child.once('close', () => running.delete(child));
    let stdout = '';
    let all = '';
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(-keptBytes);
      all = (all + text).slice(-keptBytes);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      all = (all + text).slice(-keptBytes);
    });
    const code = await new Promise<number | string>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exit, signal) => resolve(exit ?? signal ?? 'unknown'));
    });
    await appendFile(logFile, `$ ${program} ${args.join(' ')}\n${all}\n`);
    if (code === 0) return stdout;
    const tail = all.trim().split('\n').slice(-shownLines).join('\n');
    throw new Error(`${program} ${args.slice(0, 4).join(' ')} ended with ${code}:\n${tail}`);
  };
}
