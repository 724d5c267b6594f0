/**
 * One child process that serves: start it, wait until it answers, stop it by its pid. Output goes to a file in the
 * server's own folder, so that a detached cluster and a killed test leave their reasons behind.
 * It does not restart anything: that is the supervisor's.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { SetupError } from '../setup-error.js';
import { portIsFree } from './free-port.js';

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A real server started by us. */
export interface RunningServer {
  readonly name: string;
  readonly pid: number;
  /** How clients reach it, for example `nats://127.0.0.1:4222`. */
  readonly address: string;
  /** Resolves when the process has ended, for whatever reason; never rejects. */
  readonly exited: Promise<Exit>;
  /** Send a signal and do not wait, for example SIGSTOP and SIGCONT. */
  signal(signal: NodeJS.Signals): void;
  /** End it and wait; SIGTERM unless told otherwise, SIGKILL after `stopGraceMs`. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** What whoever starts a server may want to know or limit. */
export interface LaunchControl {
  /** Told the pid as soon as the process exists, long before it is ready. */
  readonly spawned?: (pid: number) => void;
  /** Ends the waiting, and the process, when it aborts. */
  readonly abort?: AbortSignal;
  /** How long it may take until it serves; Infinity waits for ever. */
  readonly readyWithinMs?: number;
}

/** Only the control fields of an options object. */
export function launchControl(options: LaunchControl): LaunchControl {
  return {
    ...(options.spawned === undefined ? {} : { spawned: options.spawned }),
    ...(options.abort === undefined ? {} : { abort: options.abort }),
    ...(options.readyWithinMs === undefined ? {} : { readyWithinMs: options.readyWithinMs }),
  };
}

export interface ServerCommand extends LaunchControl {
  readonly name: string;
  readonly address: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly logFile: string;
  /** Loopback ports it will listen on; one that is taken is an error before anything is started. */
  readonly ports: readonly number[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
  readonly gid?: number;
  /** Asked every 20 ms until it answers true. */
  readonly ready: () => Promise<boolean>;
  readonly stopSignal?: NodeJS.Signals;
  readonly stopGraceMs?: number;
}

const alive = new Set<ChildProcess>();

process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** The last words of this run in its log file, for an error message: the error Node printed, else the last lines. */
function lastWords(file: string, from: number): string {
  try {
    const lines = readFileSync(file).subarray(from).subarray(-4096).toString('utf8').trimEnd().split('\n');
    const uncaught = lines.findLast((line) => /^\s*([A-Z]\w*)?Error\b.*: /.test(line));
    // What a service says to people is plain; its log lines are JSON.
    const plain = lines.filter((line) => line !== '' && !line.startsWith('{'));
    return uncaught ?? (plain.length > 0 ? plain : lines).slice(-5).join(' | ');
  } catch {
    return '';
  }
}

/** Start the process and resolve once it is ready; reject with its last words if it ends or stays silent. */
export async function startServer(spec: ServerCommand): Promise<RunningServer> {
  for (const port of spec.ports) {
    if (!(await portIsFree(port))) {
      throw new SetupError(
        `Port ${port}, wanted by ${spec.name}, is in use by another program.`,
        'stop that program, or choose other ports with `-- --port-base N`.',
      );
    }
  }
  const log = openSync(spec.logFile, 'a', 0o600);
  const logStart = fstatSync(log).size;
  const child = spawn(spec.command, [...spec.args], {
    stdio: ['ignore', log, log],
    // Its own process group: a Ctrl-C at the terminal reaches only the supervisor, which decides the order.
    detached: true,
    env: { ...process.env, ...spec.env },
    ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
    ...(spec.uid === undefined ? {} : { uid: spec.uid }),
    ...(spec.gid === undefined ? {} : { gid: spec.gid }),
  });
  closeSync(log);
  alive.add(child);
  let ended: Exit | undefined;
  let spawnFailure: Error | undefined;
  const exited = new Promise<Exit>((resolve) => {
    const settle = (exit: Exit) => {
      ended = exit;
      alive.delete(child);
      resolve(exit);
    };
    child.once('exit', (code, signal) => settle({ code, signal }));
    child.once('error', (error) => {
      spawnFailure = error;
      if (child.pid === undefined) settle({ code: null, signal: null });
    });
  });
  const stop = async (signal: NodeJS.Signals = spec.stopSignal ?? 'SIGTERM') => {
    if (ended === undefined) {
      child.kill(signal);
      const graceful = await Promise.race([exited, delay(spec.stopGraceMs ?? 10_000, undefined, { ref: false })]);
      if (graceful === undefined) child.kill('SIGKILL');
    }
    await exited;
  };
  if (child.pid !== undefined) spec.spawned?.(child.pid);
  const readyWithinMs = spec.readyWithinMs ?? 30_000;
  const deadline = performance.now() + readyWithinMs;
  while (!(await spec.ready())) {
    // Read through a call, since the compiler cannot see that the event handlers above assign.
    const end = await Promise.race([exited, delay(20)]);
    if (end !== undefined) {
      const how = spawnFailure?.message ?? `exit code ${end.code ?? end.signal}`;
      throw new SetupError(
        `${spec.name} ended while starting (${how}): ${lastWords(spec.logFile, logStart)}`,
        `see ${spec.logFile}.`,
      );
    }
    if (spec.abort?.aborted === true) {
      await stop();
      throw new SetupError(`${spec.name} was stopped while starting.`, 'start again.');
    }
    if (performance.now() > deadline) {
      await stop('SIGKILL');
      throw new SetupError(
        `${spec.name} was not ready within ${readyWithinMs / 1000} s: ${lastWords(spec.logFile, logStart)}`,
        `see ${spec.logFile}.`,
      );
    }
  }
  const signal = (name: NodeJS.Signals) => {
    child.kill(name);
  };
  return { name: spec.name, signal, pid: child.pid ?? 0, address: spec.address, exited, stop };
}
