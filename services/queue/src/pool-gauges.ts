/** What waits in WORK by egress pool, as gauges; a pool nobody takes mail of is told once, and when somebody does again. */
import type { Logger } from '@postern/telemetry';
import type { QueueEvent } from './events.js';
import type { QueueMetrics } from './metrics.js';
import type { PoolWatch } from './pool-watch.js';

interface GaugeParts {
  readonly metrics: QueueMetrics;
  readonly log: Logger<QueueEvent>;
}

export function poolRound(pools: PoolWatch, { metrics, log }: GaugeParts): () => Promise<boolean> {
  const told = new Set<string>();
  let before: readonly string[] = [];
  return async () => {
    const levels = await pools.look();
    const now = levels.map(({ pool }) => pool);
    // Not declared, and its last message is gone.
    const emptied = before.filter((pool) => !now.includes(pool)).map((pool) => ({ pool, messages: 0, isServed: true }));
    before = now;
    for (const { pool, messages, isServed } of [...levels, ...emptied]) {
      metrics.poolMessages.with({ pool }).set(messages);
      metrics.poolServed.with({ pool }).set(Number(isServed));
      if (!isServed && !told.has(pool)) {
        told.add(pool);
        log.error('queue.pool.unserved', { egress_pool: pool, messages });
      } else if (isServed && told.delete(pool)) log.info('queue.pool.served', { egress_pool: pool });
    }
    return false;
  };
}
