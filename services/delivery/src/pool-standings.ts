/**
 * Which egress pools of this pod have a consumer on WORK. Provisioning makes one for each of `provisioning.egressPools`; a pool named here alone gets no mail,
 * which readiness and `status` say. Other failures of a loop are no judgement about the pool: its mail comes when the stream answers again.
 */
import { isConsumerMissing, type Standing } from '@postern/stream';

export interface PoolStandings {
  found(pool: string): void;
  failed(pool: string, error: Error): void;
  /** Names of those without a consumer. */
  missing(): string[];
  standing(): Standing;
}

export const undeclared = (pool: string): string =>
  `egress pool ${pool} has no consumer: it is not in provisioning.egressPools, or provisioning was not started with it`;

export function createPoolStandings(): PoolStandings {
  const missing = new Set<string>();
  return {
    found: (pool) => missing.delete(pool),
    failed(pool, error) {
      if (isConsumerMissing(error)) missing.add(pool);
    },
    missing: () => [...missing],
    standing() {
      const [first] = missing;
      if (first === undefined) return { state: 'ok' };
      const more = missing.size - 1;
      return { state: 'away', detail: `${undeclared(first)}${more > 0 ? `; ${more} more` : ''}` };
    },
  };
}
