/**
 * Keeps taken messages ours while they are in work: renews AckWait every 10 s (design.md, step 7). Bounded by what the consumer may have in
 * flight. Does not acknowledge.
 */
import type { Clock, Timer } from '@postern/clock';
import type { Delivery } from '@postern/stream';

const renewEveryMs = 10_000;

export interface Renewal {
  hold(message: Delivery): void;
  release(message: Delivery): void;
  stop(): void;
}

export function createRenewal(clock: Clock): Renewal {
  const held = new Set<Delivery>();
  const timer: Timer = clock.setInterval(
    renewEveryMs,
    () => {
      for (const message of held) message.working();
    },
    { unref: true },
  );
  return {
    hold: (message) => void held.add(message),
    release: (message) => void held.delete(message),
    stop: () => timer.cancel(),
  };
}
