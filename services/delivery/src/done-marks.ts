/**
 * The `done` mark of an item (design.md, step 7): set in Redis as soon as the next hop answered, holding the outcomes, so that an item that is
 * redelivered after a crash repeats the outcome and not the delivery. Redis away = no marks: the window of duplicates is then the one between
 * the next hop's 250 and the outcome's acknowledgement; what was given out again is then counted as a possible duplicate. A mark lives an hour, longer than any redelivery.
 * Who looks for one has time: a server that is slow or begins anew is asked again for some two seconds, one that stays away once.
 */
import type { Clock } from '@postern/clock';
import type { RedisClient } from '@postern/flow-control';
import { type Outcome, OutcomeBatch } from '@postern/proto/mail/v1/outcome';

const lifeSeconds = 3_600;
/** Between one question and the next, milliseconds; none begins when this much has passed since the first. */
const askAgainAfterMs = [50, 100, 200, 400, 800];
const patienceMs = 2_000;
const key = (itemId: string): string => `postern:done:${itemId}`;

export interface DoneMarks {
  /** Best effort; resolves in any case within the client's command timeout. */
  set(itemId: string, outcomes: readonly Outcome[]): Promise<void>;
  /** The outcomes of an earlier run; 'unknown' while Redis is away. Resolves within 2 s and the client's command timeout. */
  get(itemId: string): Promise<readonly Outcome[] | 'none' | 'unknown'>;
}

export function createDoneMarks(
  redis: RedisClient,
  clock: Pick<Clock, 'sleep' | 'monotonic'>,
  onFailure: (operation: 'set' | 'get') => void,
): DoneMarks {
  /** Nobody had an answer in all this time: until one comes, nobody waits for it. */
  let isAway = false;
  return {
    async set(itemId, outcomes) {
      const value = Buffer.from(OutcomeBatch.encode({ outcomes: [...outcomes] }).finish());
      await redis.set(key(itemId), value, 'EX', lifeSeconds).catch(() => onFailure('set'));
    },
    async get(itemId) {
      const began = clock.monotonic();
      for (const waitMs of [...askAgainAfterMs, 0]) {
        try {
          const value = await redis.getBuffer(key(itemId));
          isAway = false;
          return value === null ? 'none' : OutcomeBatch.decode(value).outcomes;
        } catch {
          if (isAway || clock.monotonic() - began + waitMs >= patienceMs) break;
          await clock.sleep(waitMs);
        }
      }
      isAway = true;
      onFailure('get');
      return 'unknown';
    },
  };
}
