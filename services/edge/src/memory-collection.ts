/**
 * Memory that is no longer used counts as used until V8 collects it, and a process that has little to do collects nothing for long: an overload by memory
 * would outlive its cause by half a minute. So while memory is what sheds clients, a collection is asked for and memory is read again. Bounded: one at a
 * time, at most every two seconds, and at most a twentieth of the time where one takes long. Never asked for below the marks.
 */
import { Session } from 'node:inspector/promises';
import type { Clock } from '@postern/clock';

const leastPauseMs = 2_000;
/** Times what the last one took. */
const pauseFactor = 20;

/** A session within this process: nothing is opened that could be reached from elsewhere. */
export async function collectGarbage(): Promise<void> {
  const session = new Session();
  session.connect();
  try {
    await session.post('HeapProfiler.collectGarbage');
  } finally {
    session.disconnect();
  }
}

export interface MemoryCollectionOptions {
  readonly clock: Clock;
  readonly collect: () => Promise<void>;
  readonly onCollected: (seconds: number) => void;
}

export class MemoryCollection {
  readonly #options: MemoryCollectionOptions;
  #nextAt = Number.NEGATIVE_INFINITY;

  constructor(options: MemoryCollectionOptions) {
    this.#options = options;
  }

  /** False: not now. Otherwise `then` is called once it was made, or could not be. */
  ask(then: () => void): boolean {
    const { clock, collect, onCollected } = this.#options;
    const startedAt = clock.monotonic();
    if (startedAt < this.#nextAt) return false;
    this.#nextAt = Number.POSITIVE_INFINITY;
    const ended = (): void => {
      const tookMs = clock.monotonic() - startedAt;
      this.#nextAt = clock.monotonic() + Math.max(leastPauseMs, tookMs * pauseFactor);
      onCollected(tookMs / 1_000);
      then();
    };
    collect().then(ended, ended);
    return true;
  }
}
