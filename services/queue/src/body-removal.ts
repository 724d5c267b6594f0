/**
 * Removes bodies from BODIES when the last unit of their message has closed and no report is owed. Told of closed messages, works in batches.
 * First the body, then its row: a crash between leaves a row, which the sweep finds again. Bounded: what does not fit is left to the sweep.
 */
import type { BodyStore } from '@postern/body-store';
import { failpoint } from '@postern/lifecycle';
import type { Database } from './store/database.js';
import { findFreeBodies, forgetBodies } from './store/outbox.js';

export interface BodyRemoval {
  closed(queueIds: Iterable<string>): void;
  /** True: there is more. */
  round(): Promise<boolean>;
}

const rememberedIds = 50_000;
const batch = 500;
const parallel = 16;

export function createBodyRemoval(
  database: Database,
  bodies: BodyStore,
  onRemoved: (count: number) => void,
): BodyRemoval {
  const pending = new Set<string>();
  const remember = (queueIds: Iterable<string>): void => {
    for (const queueId of queueIds) if (pending.size < rememberedIds) pending.add(queueId);
  };
  const removeFree = async (queueIds: readonly string[]): Promise<void> => {
    const free = await database.service((transaction) => findFreeBodies(transaction, queueIds));
    if (free.length === 0) return;
    await removeBodies(bodies, free);
    failpoint('queue.after-body-remove');
    await database.service((transaction) => forgetBodies(transaction, free));
    onRemoved(free.length);
  };
  return {
    closed: remember,
    async round() {
      if (pending.size === 0) return false;
      const queueIds = [...pending].slice(0, batch);
      // Forgotten before the look: another unit of the message that closes meanwhile is remembered anew.
      for (const queueId of queueIds) pending.delete(queueId);
      try {
        await removeFree(queueIds);
      } catch (error) {
        remember(queueIds);
        throw error;
      }
      return pending.size > 0;
    },
  };
}

export async function removeBodies(bodies: BodyStore, ids: readonly string[]): Promise<void> {
  for (let at = 0; at < ids.length; at += parallel)
    await Promise.all(ids.slice(at, at + parallel).map((bodyId) => bodies.remove(bodyId)));
}
