/**
 * Renews AckWait of every item in work each 10 s, with one interval for all (design.md, step 7). An item whose last renewal is older than 20 s
 * must not send its final dot: JetStream may already have given it to another pod. A paused process finds every renewal stale on waking.
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

export function createRenewals(clock: Clock): Renewals {
  const held = new Map<object, { readonly message: Pick<Delivery, 'working'>; renewedAt: number }>();
  const timer: Timer = clock.setInterval(
    renewEveryMs,
    () => {
      const now = clock.monotonic();
      for (const entry of held.values()) {
        // Once stale, renewing would only hide that the item was redelivered.
        if (now - entry.renewedAt > staleAfterMs) continue;
        entry.message.working();
        entry.renewedAt = now;
      }
    },
    { unref: true },
  );
  return {
    hold(message) {
      const key = {};
      const entry = { message, renewedAt: clock.monotonic() };
      held.set(key, entry);
      return {
        isFresh: () => clock.monotonic() - entry.renewedAt <= staleAfterMs,
        release: () => void held.delete(key),
      };
    },
    stop: () => timer.cancel(),
  };
}
