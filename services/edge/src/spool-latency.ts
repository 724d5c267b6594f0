/**
 * How long the durable write takes now: the mean of the writes since it was last asked, or how long the oldest one under way has waited, if
 * that is more; so a store that hangs is seen before its deadline. Without writes it halves, so that a pod that shed everybody tries again.
 */
import type { Clock } from '@postern/clock';
import type { Spool } from './spool.js';

export class SpoolLatency {
  readonly #clock: Clock;
  readonly #underWay = new Set<{ readonly since: number }>();
  #sum = 0;
  #count = 0;
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds. */
  read(): number {
    const mean = this.#count === 0 ? this.#last / 2 : this.#sum / this.#count;
    this.#sum = 0;
    this.#count = 0;
    this.#last = mean;
    const [oldest] = this.#underWay;
    return oldest === undefined ? mean : Math.max(mean, this.#clock.monotonic() - oldest.since);
  }

  watch(spool: Spool): Spool {
    return {
      open: (queueId) => {
        const writer = spool.open(queueId);
        const commit = writer.commit.bind(writer);
        writer.commit = async (envelope) => {
          const write = { since: this.#clock.monotonic() };
          this.#underWay.add(write);
          try {
            return await commit(envelope);
          } finally {
            this.#underWay.delete(write);
            this.#sum += this.#clock.monotonic() - write.since;
            this.#count++;
          }
        };
        return writer;
      },
    };
  }
}
