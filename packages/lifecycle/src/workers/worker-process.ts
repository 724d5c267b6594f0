/**
 * A worker as its supervisor sees it: one child process with a channel. starting -> running -> draining -> ended; from any state it may end by
 * itself. Its metrics are asked for, one question under way at a time; one that hangs is answered for by what it said last.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { type Clock, systemClock } from '@postern/clock';
import type { MetricReadings } from '@postern/telemetry';
import { fromWorker, type ToWorker } from './messages.js';
import { workerVariable } from './run-worker.js';

export type WorkerState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'running'; readonly utilisation: number; readonly reasons: readonly string[] }
  | { readonly kind: 'draining' }
  | { readonly kind: 'ended'; readonly how: string };

export interface WorkerProgram {
  readonly file: string;
  readonly args: readonly string[];
}

export interface WorkerListener {
  /** It serves. */
  onStarted(worker: WorkerProcess): void;
  onReadings(worker: WorkerProcess, readings: MetricReadings): void;
  onEnded(worker: WorkerProcess): void;
}

export class WorkerProcess {
  readonly number: number;
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  #state: WorkerState = { kind: 'starting' };
  #waiting: (() => void)[] = [];
  #silentLooks = 0;

  constructor(
    number: number,
    program: WorkerProgram & { readonly nodeOptions: readonly string[] },
    listener: WorkerListener,
    clock: Clock = systemClock,
  ) {
    this.number = number;
    this.#clock = clock;
    this.#child = fork(program.file, [...program.args], {
      execArgv: [...process.execArgv, ...program.nodeOptions],
      env: { ...process.env, [workerVariable]: String(number) },
      // Numbers as they are: JSON knows no NaN.
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (message) => this.#hear(message, listener));
    // A failed fork and a broken channel both end in 'exit' or are followed by it; a process that never came has none.
    this.#child.on('error', (error) => {
      if (this.#child.pid === undefined) this.#end(error.message, listener);
    });
    this.#child.on('exit', (code, signal) => this.#end(signal ?? `code ${code}`, listener));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get state(): WorkerState {
    return this.#state;
  }

  /** Called once a second; how many times it was called since the worker said anything. */
  look(): number {
    return ++this.#silentLooks;
  }

  drain(): void {
    if (this.#state.kind === 'ended') return;
    this.#state = { kind: 'draining' };
    this.#send({ kind: 'drain' });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Resolves when its readings were taken, when it has ended, or after `withinMs`. */
  async read(withinMs: number): Promise<void> {
    if (this.#state.kind === 'starting' || this.#state.kind === 'ended') return;
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#waiting.length === 0) this.#send({ kind: 'read' });
    this.#waiting.push(resolve);
    const timer = this.#clock.setTimer(withinMs, resolve);
    await promise;
    timer.cancel();
  }

  #send(message: ToWorker): void {
    // It may end at any time; its end is told by 'exit'.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  #hear(message: unknown, listener: WorkerListener): void {
    this.#silentLooks = 0;
    const told = fromWorker(message);
    if (told === undefined || this.#state.kind === 'ended') return;
    if (told.kind === 'readings') {
      listener.onReadings(this, told.readings);
      this.#answer();
    } else if (told.kind === 'started') {
      if (this.#state.kind !== 'starting') return;
      this.#state = { kind: 'running', utilisation: 0, reasons: ['just started'] };
      listener.onStarted(this);
    } else if (this.#state.kind === 'running') {
      this.#state = { kind: 'running', utilisation: told.utilisation, reasons: told.reasons };
    }
  }

  #answer(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #end(how: string, listener: WorkerListener): void {
    if (this.#state.kind === 'ended') return;
    this.#state = { kind: 'ended', how };
    this.#answer();
    listener.onEnded(this);
  }
}
