/** One method of the public API: the least role it needs and what it does. Authentication, metrics and errors are the server's. */
import type { Clock, Random } from '@postern/clock';
import type { CallContext } from '@postern/grpc';
import type { Access, Caller } from '../access.js';
import type { HashSlots } from '../credentials/hash-slots.js';
import type { WithTenant } from '../database/tenant-scope.js';
import type { OperatorDocument } from '../operator/schema.js';
import type { Sealer } from '../secrets/seal.js';

export interface ApiMethod<Q, R> {
  readonly access: Access;
  run(request: Q, caller: Caller, context: CallContext): Promise<R>;
}

export function apiMethod<Q, R>(
  access: Access,
  run: (request: Q, caller: Caller, context: CallContext) => Promise<R>,
): ApiMethod<Q, R> {
  return { access, run };
}

/** What resources need of the service. */
export interface ResourceParts {
  readonly withTenant: WithTenant;
  readonly sealer: Sealer;
  readonly hashSlots: HashSlots;
  readonly random: Random;
  readonly clock: Clock;
  /** Those there are. */
  readonly egressPools: readonly string[];
  /** The operator settings in effect. */
  readonly operator: () => OperatorDocument;
  /** TXT records of a name; undefined = could not be asked. */
  readonly readTxt: (name: string) => Promise<readonly string[] | undefined>;
}
