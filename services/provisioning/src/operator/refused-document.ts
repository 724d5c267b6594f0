/**
 * The newest document on disk where it parses and could not be applied: the database lacks what it names (a tenant nobody made yet, a route) or holds
 * what is against it (a rule saved under its id). Tried again when something was changed since, at most once in five seconds. Another file ends it.
 */
import type { Clock } from '@postern/clock';
import type { OperatorReading } from './kept-document.js';

const leastBetweenMs = 5_000;

interface Refused {
  readonly reading: OperatorReading;
  readonly message: string;
  readonly triedMs: number;
}

export class RefusedDocument {
  readonly #clock: Clock;
  #refused: Refused | undefined;
  #hasChanged = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** False: it was said before, in the same words. */
  refuse(reading: OperatorReading, message: string): boolean {
    const isNew = this.#refused?.reading !== reading || this.#refused.message !== message;
    this.#refused = { reading, message, triedMs: this.#clock.monotonic() };
    this.#hasChanged = false;
    return isNew;
  }

  forget(): void {
    this.#refused = undefined;
  }

  /** Something in the database did. */
  changed(): void {
    this.#hasChanged = true;
  }

  get reading(): OperatorReading | undefined {
    return this.#refused?.reading;
  }

  /** To be tried now. */
  due(): OperatorReading | undefined {
    if (this.#refused === undefined || !this.#hasChanged) return undefined;
    return this.#clock.monotonic() - this.#refused.triedMs < leastBetweenMs ? undefined : this.#refused.reading;
  }
}
