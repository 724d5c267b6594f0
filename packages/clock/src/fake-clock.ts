/**
 * A clock that moves only when told. advance() fires what is due in order of time and lets promises and I/O callbacks
 * settle between two firings, so code that awaits inside a timer sees the same order as in life.
 * Not for product code: exported for tests of every package.
 */
import { type Clock, sleepOn, type Timer, type TimerOptions } from './clock.js';

interface Pending {
  readonly id: number;
  due: number;
  readonly everyMs: number | undefined;
  readonly fire: () => void;
}

export class FakeClock implements Clock {
  #elapsed = 0;
  #wall: number;
  #nextId = 0;
  readonly #pending = new Map<number, Pending>();

  constructor(startEpochMs = Date.UTC(2026, 0, 1)) {
    this.#wall = startEpochMs;
  }

  now(): number {
    return this.#wall + this.#elapsed;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  /** As if every moment were spent computing. */
  cpu(): number {
    return this.#elapsed;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  setTimer(ms: number, fire: () => void, _options?: TimerOptions): Timer {
    return this.#add(ms, undefined, fire);
  }

  setInterval(ms: number, fire: () => void, _options?: TimerOptions): Timer {
    return this.#add(ms, Math.max(1, ms), fire);
  }

  /** How many timers wait; a test that ends with more than it began with has found a leak. */
  get pendingTimers(): number {
    return this.#pending.size;
  }

  /** Sets wall time without firing anything: an administrator moved the clock. */
  jumpTo(epochMs: number): void {
    this.#wall = epochMs - this.#elapsed;
  }

  /** Moves time on, firing what falls due, also what is armed on the way. */
  async advance(ms: number): Promise<void> {
    const target = this.#elapsed + ms;
    await settle();
    for (let next = this.#earliest(target); next !== undefined; next = this.#earliest(target)) {
      this.#elapsed = Math.max(this.#elapsed, next.due);
      if (next.everyMs === undefined) this.#pending.delete(next.id);
      else next.due += next.everyMs;
      next.fire();
      await settle();
    }
    this.#elapsed = target;
  }

  /** Like advance, without letting promises settle in between: for purely synchronous code. */
  advanceSync(ms: number): void {
    const target = this.#elapsed + ms;
    for (let next = this.#earliest(target); next !== undefined; next = this.#earliest(target)) {
      this.#elapsed = Math.max(this.#elapsed, next.due);
      if (next.everyMs === undefined) this.#pending.delete(next.id);
      else next.due += next.everyMs;
      next.fire();
    }
    this.#elapsed = target;
  }

  #add(ms: number, everyMs: number | undefined, fire: () => void): Timer {
    const id = this.#nextId++;
    this.#pending.set(id, { id, due: this.#elapsed + Math.max(0, ms), everyMs, fire });
    return { cancel: () => void this.#pending.delete(id) };
  }

  #earliest(target: number): Pending | undefined {
    let best: Pending | undefined;
    for (const entry of this.#pending.values()) {
      if (entry.due <= target && (best === undefined || entry.due < best.due)) best = entry;
    }
    return best;
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
