/**
 * When commands leave: one that comes alone at once, those of a busy pod together, since a write costs the pod and the store more than what is
 * written. No command waits longer than the gap, and all leave in the order they came.
 */
import type { Clock, Timer } from '@postern/clock';

export interface DeparturesOptions {
  readonly clock: Clock;
  /** Milliseconds between two departures of a busy pod: the longest wait. */
  readonly gapMs: number;
  /** Carries out what is handed over in one go. */
  readonly together: (commands: readonly (() => void)[]) => void;
}

export class Departures {
  readonly #options: DeparturesOptions;
  #waiting: (() => void)[] = [];
  #timer: Timer | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(options: DeparturesOptions) {
    this.#options = options;
  }

  add(command: () => void): void {
    const { clock, gapMs } = this.#options;
    this.#waiting.push(command);
    if (this.#timer !== undefined) return;
    const dueMs = this.#lastMs + gapMs - clock.monotonic();
    if (dueMs <= 0) this.#leave();
    else this.#timer = clock.setTimer(Math.ceil(dueMs), () => this.#leave());
  }

  #leave(): void {
    this.#timer = undefined;
    this.#lastMs = this.#options.clock.monotonic();
    const commands = this.#waiting;
    this.#waiting = [];
    this.#options.together(commands);
  }
}
