/** Prunes what has a bounded life: idempotency rows after a day, audit rows after a year. Small steps, so that no lock is held long. */
import type { Clock } from '@postern/clock';
import { operatorScope, type WithTenant } from './database/tenant-scope.js';

const everyMs = 600_000;
const rowsAtOnce = 5_000;
const prunes = [
  `DELETE FROM idempotency WHERE ctid IN (SELECT ctid FROM idempotency WHERE created_at < now() - interval '1 day' LIMIT ${rowsAtOnce})`,
  `DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < now() - interval '1 year' ORDER BY id LIMIT ${rowsAtOnce})`,
];

export function startHousekeeping(
  withTenant: WithTenant,
  clock: Clock,
  onError: (error: unknown) => void,
): { stop(): void } {
  const prune = async (): Promise<void> => {
    for (const sql of prunes) await withTenant(operatorScope, (tx) => tx.run(sql));
  };
  const timer = clock.setInterval(everyMs, () => void prune().catch(onError), { unref: true });
  return { stop: () => timer.cancel() };
}
