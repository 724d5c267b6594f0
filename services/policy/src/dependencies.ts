/** What a policy pod depends on, looked at when `status` asks. Checks whose server is away fall back as docs/checks.md says. */
import { type Clock, createUlidSource, systemRandom } from '@postern/clock';
import { dnsStanding, type Resolver } from '@postern/dns';
import { askAlive } from '@postern/flow-control';
import type { Dependency } from '@postern/stream';
import type { LimitStores } from './limits/limit-store.js';

/** Shorter than the bound of a look, so that the reason is told. */
const dnsMs = 300;

export function policyDependencies({ limits, lasting }: LimitStores, resolver: Resolver, clock: Clock): Dependency[] {
  const newLabel = createUlidSource(clock, systemRandom);
  const servers = [
    ['redis', limits] as const,
    ...(lasting === limits ? [] : [['redis (persistent)', lasting] as const]),
  ];
  return [
    ...servers.map(
      ([name, store]): Dependency => ({ name, look: () => askAlive(store).then(() => ({ state: 'ok' })) }),
    ),
    { name: 'dns', look: () => dnsStanding(resolver, newLabel(), dnsMs) },
  ];
}
