/** The limiter of this process over Redis, with the user and password of the configuration. */
import { type Clock, createUlidSource, systemRandom } from '@postern/clock';
import { readSecret } from '@postern/config';
import { ConnectionLimiter, RateLimiter, RedisLimitStore } from '@postern/flow-control';
import type { EdgeConfig } from './config.js';

export interface Limits {
  readonly limiter: ConnectionLimiter;
  readonly rates: RateLimiter;
  close(): Promise<void>;
}

/** Redis away is no reason not to start, but a moment's patience keeps a pod from deciding alone at first. */
const connectMs = 2_000;

export async function openLimits(
  config: EdgeConfig['redis'],
  clock: Clock,
  onState: (kind: 'joining' | 'joined' | 'local', reason: string, livePods: number) => void,
): Promise<Limits> {
  const url = new URL(config.url);
  if (config.username !== undefined) url.username = encodeURIComponent(config.username);
  if (config.passwordFile !== undefined) url.password = encodeURIComponent(await readSecret(config.passwordFile));
  const store = new RedisLimitStore({ url: url.href });
  const limiter = new ConnectionLimiter({
    store,
    clock,
    service: 'smtp',
    incarnation: createUlidSource(clock, systemRandom)(),
    onState: (state, livePods) => onState(state.kind, state.kind === 'local' ? state.reason : '', livePods),
  });
  const rates = new RateLimiter({ store, clock, livePods: () => limiter.livePods });
  await store.ready(connectMs);
  await limiter.start();
  return {
    limiter,
    rates,
    async close() {
      await limiter.stop();
      await store.close();
    },
  };
}
