/**
 * Rates of one pod, kept while the store cannot be asked. Same promise as the scripts: a sub-window that overlaps the
 * window counts whole, so no window ever holds more than the limit. The number of counters is bounded; when it is
 * reached the least recently used one is forgotten.
 */
import { SUB_WINDOWS } from './limits.js';

export interface LocalWindow {
  /** Sub-window numbers, ascending, and what each of them holds. */
  readonly ids: number[];
  readonly counts: number[];
  sum: number;
}

export class LocalWindows {
  readonly #windows = new Map<string, LocalWindow>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Milliseconds to wait until `weight` more may fit; 0 when it fits now. */
  wait(counter: string, limit: number, windowMs: number, weight: number, now: number): number {
    if (weight > limit) return windowMs;
    const window = this.#windows.get(counter);
    if (window === undefined) return 0;
    const { width, span } = subWindows(windowMs);
    expire(window, Math.floor(now / width) - span);
    if (window.sum + weight <= limit) return 0;
    let excess = window.sum + weight - limit;
    for (const [at, count] of window.counts.entries()) {
      excess -= count;
      if (excess <= 0) return Math.max(1, ((window.ids[at] ?? 0) + span + 1) * width - now);
    }
    return windowMs;
  }

  add(counter: string, windowMs: number, weight: number, now: number): void {
    if (weight === 0) return;
    const window = this.#windows.get(counter) ?? { ids: [], counts: [], sum: 0 };
    this.#windows.delete(counter);
    if (this.#windows.size >= this.#capacity) this.#forgetOldest();
    this.#windows.set(counter, window);
    const id = Math.max(Math.floor(now / subWindows(windowMs).width), window.ids.at(-1) ?? 0);
    const last = window.ids.length - 1;
    if (window.ids[last] === id) window.counts[last] = (window.counts[last] ?? 0) + weight;
    else {
      window.ids.push(id);
      window.counts.push(weight);
    }
    window.sum += weight;
  }

  used(counter: string, windowMs: number, now: number): number {
    const window = this.#windows.get(counter);
    if (window === undefined) return 0;
    const { width, span } = subWindows(windowMs);
    expire(window, Math.floor(now / width) - span);
    return window.sum;
  }

  forget(counter: string): void {
    this.#windows.delete(counter);
  }

  #forgetOldest(): void {
    const oldest = this.#windows.keys().next();
    if (oldest.done !== true) this.#windows.delete(oldest.value);
  }
}

function subWindows(windowMs: number): { width: number; span: number } {
  const width = Math.ceil(windowMs / SUB_WINDOWS);
  return { width, span: Math.ceil(windowMs / width) };
}

function expire(window: LocalWindow, firstLive: number): void {
  let gone = 0;
  while (gone < window.ids.length && (window.ids[gone] ?? 0) < firstLive) {
    window.sum -= window.counts[gone] ?? 0;
    gone += 1;
  }
  if (gone === 0) return;
  window.ids.splice(0, gone);
  window.counts.splice(0, gone);
}
