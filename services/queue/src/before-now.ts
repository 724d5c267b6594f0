/**
 * Rows that may have been put into WORK before, by a pod that was killed between the publish and the mark: WORK refuses the same item by its Msg-Id, but not
 * when that is forgotten, as by a server that was started again, or after the dedup window. So rows that were due before this pod began, or before it last
 * met the server again, say so, and delivery looks for their done mark. Nothing is written or asked for it. Clocks of pods may differ by `skewMs`.
 */
import type { Clock } from '@postern/clock';
import type { StreamConnection } from '@postern/stream';

const skewMs = 2_000;

export interface DispatchedBefore {
  /** A row due, or a report owed, at this time may have been dispatched before. */
  mayHave(dueAtMs: number): boolean;
  /** A publish came to nothing that is known: it may have been stored. */
  doubt(): void;
}

export function dispatchedBefore(
  connection: Pick<StreamConnection, 'state' | 'times'>,
  clock: Clock,
): DispatchedBefore {
  let times = connection.times();
  let sinceMs = clock.now();
  return {
    mayHave(dueAtMs) {
      if (connection.state() !== 'connected') return true;
      if (connection.times() !== times) {
        times = connection.times();
        sinceMs = clock.now();
      }
      return dueAtMs <= sinceMs + skewMs;
    },
    doubt() {
      sinceMs = clock.now();
    },
  };
}
