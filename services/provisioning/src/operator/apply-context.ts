/** What applying the operator file works with. */
import type { Random } from '@postern/clock';
import type { HashSlots } from '../credentials/hash-slots.js';
import type { WithTenant } from '../database/tenant-scope.js';
import type { Sealer } from '../secrets/seal.js';

export interface ApplyContext {
  readonly withTenant: WithTenant;
  readonly sealer: Sealer;
  readonly hashSlots: HashSlots;
  readonly random: Random;
  /** Named in messages. */
  readonly file: string;
}
