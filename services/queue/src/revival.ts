/**
 * When a destination delivers again, what waits for it because it had failed is due at once (features row H4). Told of delivered recipients; looks only
 * at lanes known to have rows; a lane is released at most once a minute, 1,000 rows at a time, so that a mailbox that fails alone is not hammered
 * (its rows are not marked as failures of the site) and a flapping site is not either.
 */
import type { Clock } from '@postern/clock';
import type { Database } from './store/database.js';
import { releaseLane } from './store/rows.js';

export interface Revival {
  delivered(tenant: string, lane: string): void;
  round(): Promise<boolean>;
}

export interface RevivalParts {
  readonly clock: Clock;
  readonly database: Database;
  readonly isWaiting: (tenant: string, lane: string) => boolean;
  readonly onReleased: (tenant: string, lane: string, rows: number) => void;
}

const everyMs = 60_000;
const rowsAtOnce = 1_000;
const rememberedLanes = 10_000;

export function createRevival(parts: RevivalParts): Revival {
  const asked = new Map<string, { readonly tenant: string; readonly lane: string }>();
  const releasedAt = new Map<string, number>();
  return {
    delivered(tenant, lane) {
      const key = `${tenant}\n${lane}`;
      if (asked.has(key) || asked.size >= rememberedLanes || !parts.isWaiting(tenant, lane)) return;
      if (parts.clock.monotonic() - (releasedAt.get(key) ?? Number.NEGATIVE_INFINITY) >= everyMs)
        asked.set(key, { tenant, lane });
    },
    async round() {
      const lanes = [...asked.entries()];
      for (const [key, { tenant, lane }] of lanes) {
        const rows = await parts.database.service((transaction) =>
          releaseLane(transaction, tenant, lane, parts.clock.now(), rowsAtOnce),
        );
        asked.delete(key);
        if (releasedAt.size >= rememberedLanes) releasedAt.clear();
        // A full page may not be all: the next delivery may ask again at once.
        if (rows < rowsAtOnce) releasedAt.set(key, parts.clock.monotonic());
        if (rows > 0) parts.onReleased(tenant, lane, rows);
      }
      return false;
    },
  };
}
