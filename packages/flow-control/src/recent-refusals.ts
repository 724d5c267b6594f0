/**
 * What was refused a moment ago, by the counter that was full, answered without asking the store: a flood from one address
 * costs one question a second. Only refusals that last belong here: of an address's own places, or that name how long; a full
 * total may have room again the next millisecond. Bounded: when full, the oldest entry makes room.
 */
export interface Refusal {
  readonly scope: string;
  readonly kind: string;
  readonly limit: number;
  /** Of a limit per interval. */
  readonly intervalMs?: number;
  /** 0 when unknown: a place becomes free when some connection ends. */
  readonly retryAfterMs: number;
}

interface Remembered {
  readonly refusal: Refusal;
  readonly until: number;
}

export class RecentRefusals {
  readonly #entries = new Map<string, Remembered>();
  readonly #capacity: number;
  readonly #holdMs: number;

  constructor(capacity: number, holdMs: number) {
    this.#capacity = capacity;
    this.#holdMs = holdMs;
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  find(key: string, now: number): Refusal | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.until > now) return entry.refusal;
    this.#entries.delete(key);
    return undefined;
  }

  remember(key: string, refusal: Refusal, now: number): void {
    const hold = refusal.retryAfterMs > 0 ? Math.min(this.#holdMs, refusal.retryAfterMs) : this.#holdMs;
    this.#entries.delete(key);
    if (this.#entries.size >= this.#capacity) {
      const oldest = this.#entries.keys().next();
      if (oldest.done !== true) this.#entries.delete(oldest.value);
    }
    this.#entries.set(key, { refusal, until: now + hold });
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }
}
