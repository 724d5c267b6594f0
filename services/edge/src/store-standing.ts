/** How the server of limits or bans stands, for `status`. Away is no fault of mail: it is said what holds meanwhile (docs/architecture/degradation.md). */
import { askAlive, type LimitStore } from '@postern/flow-control';
import type { Standing } from '@postern/stream';

export async function storeStanding(store: LimitStore): Promise<Standing> {
  try {
    await askAlive(store);
    return { state: 'ok' };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { state: 'away', detail: `${reason}; each process keeps limits and bans by itself` };
  }
}
