/**
 * What may have been handed out although its message does not say so: a NATS server that was killed counts deliveries from one again, and no longer knows the
 * Msg-Ids of what is gone. So what was stored, or due, before a pod began, or before it last met the server again, is in doubt. Nothing is written or asked for it.
 */
import type { Clock } from '@postern/clock';
import type { StreamConnection } from './connection.js';

/** Clocks of pods and servers may differ by this, milliseconds. */
const skewMs = 2_000;

export class MetServer {
  #sinceMs: number;
  #wasLost = false;

  constructor(
    private readonly connection: Pick<StreamConnection, 'state' | 'onMetAgain'>,
    private readonly clock: Pick<Clock, 'now'>,
  ) {
    this.#sinceMs = clock.now();
    connection.onMetAgain(() => {
      this.#sinceMs = clock.now();
      this.#wasLost = true;
    });
  }

  /** Stored, or due, before this pod began, before it last met the server again, or before a doubt. */
  isInDoubt(atMs: number): boolean {
    return this.connection.state() !== 'connected' || atMs <= this.#sinceMs + skewMs;
  }

  /** A publish came to nothing that is known: it may have been stored. */
  doubt(): void {
    this.#sinceMs = this.clock.now();
  }

  /** The same where this pod has lost the server once; before that the server's own count is good. */
  isFromBeforeLoss(storedAtMs: number): boolean {
    return this.#wasLost && this.isInDoubt(storedAtMs);
  }
}
