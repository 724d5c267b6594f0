/**
 * Renews AckWait of every item in work each 10 s, with one interval for all (design.md, step 7). An item whose last renewal is older than 20 s
 * must not send its final dot: JetStream may already have given it to another pod. A paused process finds every renewal stale on waking, and so does one that
 * was cut off from the server: a renewal counts, from when it was sent, once the server has answered behind it. One question at a time, for all items.
 */
import type { Clock, Timer } from '@postern/clock';
import type { Delivery } from '@postern/stream';

export const renewEveryMs = 10_000;
export const staleAfterMs = 20_000;

export interface Lease {
  /** False when the item may belong to another worker by now. */
  isFresh(): boolean;
  release(): void;
}

export interface Renewals {
  hold(message: Pick<Delivery, 'working'>): Lease;
  stop(): void;
}

interface Held {
  readonly message: Pick<Delivery, 'working'>;
  renewedAt: number;
}

/** `heard`: resolves when the server has everything that was sent before, rejects when the connection is given up. Until then items turn stale: nothing else waits for it. */
export function createRenewals(clock: Clock, heard: () => Promise<void>): Renewals {
  const held = new Set<Held>();
  let isAsking = false;
  const renew = async (): Promise<void> => {
    const now = clock.monotonic();
    // Once stale, renewing would only hide that the item was redelivered.
    const renewed = [...held].filter(({ renewedAt }) => now - renewedAt <= staleAfterMs);
    for (const { message } of renewed) message.working();
    if (isAsking || renewed.length === 0) return;
    isAsking = true;
    const isHeard = await heard().then(
      () => true,
      () => false,
    );
    isAsking = false;
    if (isHeard) for (const entry of renewed) entry.renewedAt = now;
  };
  const timer: Timer = clock.setInterval(renewEveryMs, () => void renew(), { unref: true });
  return {
    hold(message) {
      const entry = { message, renewedAt: clock.monotonic() };
      held.add(entry);
      return {
        isFresh: () => clock.monotonic() - entry.renewedAt <= staleAfterMs,
        release: () => void held.delete(entry),
      };
    },
    stop: () => timer.cancel(),
  };
}
