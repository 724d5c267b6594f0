/** What an edge process depends on, looked at when `status` asks. Policy and provisioning away are answered 451 and 454, Redis away by limits of the pod alone. */
import type { Clock } from '@postern/clock';
import type { GrpcClient } from '@postern/grpc';
import type { CredentialServiceClient } from '@postern/proto/directory/v1/credential_service';
import type { Dependency, Standing } from '@postern/stream';
import type { Limits } from './limits-store.js';
import type { OverloadWatch } from './overload.js';
import type { PodListeners } from './pod/listeners.js';
import type { PolicyClient } from './policy-client.js';
import { storeStanding } from './store-standing.js';

export interface DependencyParts {
  readonly clock: Clock;
  readonly policy: PolicyClient;
  readonly credentials: GrpcClient<CredentialServiceClient>;
  readonly limits: Limits;
  readonly listeners: Pick<PodListeners, 'standing' | 'certificateStanding'>;
  readonly overload: Pick<OverloadWatch, 'reason'>;
}

/** Shorter than the bound of a look, so that the reason is told. */
const connectMs = 300;

/** Whom this process sends away for now, being too busy. */
function loadStanding(overload: DependencyParts['overload']): Standing {
  const reason = overload.reason(false);
  if (reason === undefined) return { state: 'ok' };
  const whom = overload.reason(true) === undefined ? 'strangers are' : 'everybody is';
  return { state: 'degraded', detail: `too busy (${reason}): ${whom} put off` };
}

export function edgeDependencies(parts: DependencyParts): Dependency[] {
  const { clock, policy, credentials, limits, listeners, overload } = parts;
  const stores = [...limits.stores].map(([name, store]): Dependency => ({ name, look: () => storeStanding(store) }));
  return [
    ...stores,
    {
      name: 'policy',
      look: () =>
        Promise.resolve<Standing>(
          policy.openPods() > 0 ? { state: 'ok' } : { state: 'away', detail: 'no policy pod can be reached' },
        ),
    },
    {
      name: 'provisioning',
      look: () =>
        new Promise((resolve) => {
          credentials.rpc.waitForReady(clock.now() + connectMs, (error) =>
            resolve(error === undefined ? { state: 'ok' } : { state: 'away', detail: 'cannot be reached' }),
          );
        }),
    },
    { name: 'listeners', look: () => Promise.resolve(listeners.standing()) },
    { name: 'certificates', look: () => Promise.resolve(listeners.certificateStanding()) },
    { name: 'load', look: () => Promise.resolve(loadStanding(overload)) },
  ];
}
