/** The limiter of this process over Redis, with the user and password of the configuration. */
import { type Clock, createUlidSource, systemRandom } from '@postern/clock';
import { readSecret } from '@postern/config';
import { ConnectionLimiter, type LimitStore, RateLimiter, RedisLimitStore } from '@postern/flow-control';
import type { EdgeConfig } from './config.js';

export interface Limits {
  readonly limiter: ConnectionLimiter;
  readonly rates: RateLimiter;
  /** Where bans and failed logins are: the server that keeps its data, if there is one. */
  readonly lasting: LimitStore;
  /** The servers it uses, by name. */
  readonly stores: ReadonlyMap<string, LimitStore>;
  close(): Promise<void>;
}

/** Redis away is no reason not to start, but a moment's patience keeps a pod from deciding alone at first. */
const connectMs = 2_000;

async function openStore(config: EdgeConfig['redis'], address: string): Promise<RedisLimitStore> {
  const url = new URL(address);
  if (config.username !== undefined) url.username = encodeURIComponent(config.username);
  if (config.passwordFile !== undefined) url.password = encodeURIComponent(await readSecret(config.passwordFile));
  const tlsCa = config.tlsCaFile === undefined ? undefined : await readSecret(config.tlsCaFile);
  return new RedisLimitStore({ url: url.href, cluster: config.cluster, ...(tlsCa === undefined ? {} : { tlsCa }) });
}

export async function openLimits(
  config: EdgeConfig['redis'],
  clock: Clock,
  onState: (kind: 'joining' | 'joined' | 'local', reason: string, livePods: number) => void,
): Promise<Limits> {
  const store = await openStore(config, config.url);
  const lasting = config.persistentUrl === undefined ? store : await openStore(config, config.persistentUrl);
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
    lasting,
    stores: new Map([['redis', store], ...(lasting === store ? [] : [['redis (persistent)', lasting] as const])]),
    async close() {
      await limiter.stop();
      await store.close();
      await lasting.close();
    },
  };
}
