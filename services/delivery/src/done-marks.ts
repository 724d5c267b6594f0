/**
 * The `done` mark of an item (design.md, step 7): set in Redis as soon as the next hop answered, holding the outcomes, so that an item that is
 * redelivered after a crash repeats the outcome and not the delivery. Redis away = no marks: the window of duplicates is then the one between
 * the next hop's 250 and the outcome's acknowledgement; what was given out again is then counted as a possible duplicate. A mark lives an hour, longer than any redelivery.
 */
import type { RedisClient } from '@postern/flow-control';
import { type Outcome, OutcomeBatch } from '@postern/proto/mail/v1/outcome';

const lifeSeconds = 3_600;
const key = (itemId: string): string => `postern:done:${itemId}`;

export interface DoneMarks {
  /** Best effort; resolves in any case within the client's command timeout. */
  set(itemId: string, outcomes: readonly Outcome[]): Promise<void>;
  /** The outcomes of an earlier run; 'unknown' while Redis is away. */
  get(itemId: string): Promise<readonly Outcome[] | 'none' | 'unknown'>;
}

export function createDoneMarks(redis: RedisClient, onFailure: (operation: 'set' | 'get') => void): DoneMarks {
  return {
    async set(itemId, outcomes) {
      const value = Buffer.from(OutcomeBatch.encode({ outcomes: [...outcomes] }).finish());
      await redis.set(key(itemId), value, 'EX', lifeSeconds).catch(() => onFailure('set'));
    },
    async get(itemId) {
      try {
        const value = await redis.getBuffer(key(itemId));
        return value === null ? 'none' : OutcomeBatch.decode(value).outcomes;
      } catch {
        onFailure('get');
        return 'unknown';
      }
    },
  };
}
