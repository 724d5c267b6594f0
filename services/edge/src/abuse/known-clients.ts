/**
 * Addresses that delivered here before: they are greeted at once. Most are known from memory; only one that is not costs a question, asked
 * while its banner waits anyway. Shared by the cluster for 30 days. Bounded; the one not seen for longest is forgotten.
 */
import type { LimitStore } from '@postern/flow-control';
import { knownClientScripts as scripts } from '@postern/flow-control';

const capacity = 100_000;

export class KnownClients {
  readonly #store: LimitStore;
  readonly #here = new Map<string, true>();

  constructor(store: LimitStore) {
    this.#store = store;
  }

  has(prefix: string): boolean {
    if (!this.#here.delete(prefix)) return false;
    this.#here.set(prefix, true);
    return true;
  }

  /** Store away = not known. */
  async ask(prefix: string): Promise<boolean> {
    const [isKnown] = await this.#store.run(scripts.isKnown, [scripts.key(prefix)], []).catch(() => [0]);
    if (isKnown === 1) this.#remember(prefix);
    return isKnown === 1;
  }

  add(prefix: string): void {
    if (this.has(prefix)) return;
    this.#remember(prefix);
    void this.#store.run(scripts.remember, [scripts.key(prefix)], []).catch(() => undefined);
  }

  #remember(prefix: string): void {
    if (this.#here.size >= capacity) {
      const oldest = this.#here.keys().next();
      if (oldest.done !== true) this.#here.delete(oldest.value);
    }
    this.#here.set(prefix, true);
  }
}
