/**
 * What this pod holds, by counter: the truth the heartbeat asserts. A counter that fell to nothing stays listed until
 * that has been asserted once, so a lost release is repaired by the next beat. Releases are collected and sent in
 * batches; taking a counter's whole count for a beat includes, and so clears, its collected releases.
 */
export class LeaseTable {
  readonly #held = new Map<string, number>();
  readonly #releases = new Map<string, number>();

  get size(): number {
    return this.#held.size;
  }

  held(counter: string): number {
    return this.#held.get(counter) ?? 0;
  }

  hold(counters: readonly string[]): void {
    for (const counter of counters) this.#held.set(counter, this.held(counter) + 1);
  }

  /** The store may have recorded something we do not know of: list the counters for the next beat. */
  doubt(counters: readonly string[]): void {
    for (const counter of counters) this.#held.set(counter, this.held(counter));
  }

  release(counters: readonly string[]): void {
    for (const counter of counters) {
      this.#held.set(counter, Math.max(0, this.held(counter) - 1));
      this.#releases.set(counter, (this.#releases.get(counter) ?? 0) + 1);
    }
  }

  takeReleases(): readonly (readonly [counter: string, count: number])[] {
    const releases = [...this.#releases];
    this.#releases.clear();
    return releases;
  }

  get hasReleases(): boolean {
    return this.#releases.size > 0;
  }

  counters(): string[] {
    return [...this.#held.keys()];
  }

  /** The counts to assert now. Call only when no admission is in flight. */
  assertion(counters: readonly string[]): number[] {
    return counters.map((counter) => {
      this.#releases.delete(counter);
      return this.held(counter);
    });
  }

  /** Nothing held and nothing to give back: asserted, so it need not be named again. */
  settle(counters: readonly string[]): void {
    for (const counter of counters) {
      if (this.#held.get(counter) === 0 && !this.#releases.has(counter)) this.#held.delete(counter);
    }
  }
}
