/** Redis as limits and bans are read from it: the first server, and the one that keeps its data where there is one. */
import { readSecret } from '@postern/config';
import { RedisLimitStore } from '@postern/flow-control';
import type { PolicyConfig } from '../config.js';

export interface LimitStores {
  readonly limits: RedisLimitStore;
  readonly lasting: RedisLimitStore;
  close(): Promise<void>;
}

/** Asked by people, not by mail: a slow answer is better than none. */
const commandTimeoutMs = 1_000;

async function openStore(config: PolicyConfig['redis'], address: string): Promise<RedisLimitStore> {
  const url = new URL(address);
  if (config.username !== undefined) url.username = encodeURIComponent(config.username);
  if (config.passwordFile !== undefined) url.password = encodeURIComponent(await readSecret(config.passwordFile));
  const tlsCa = config.tlsCaFile === undefined ? undefined : await readSecret(config.tlsCaFile);
  const { cluster } = config;
  return new RedisLimitStore({ url: url.href, cluster, commandTimeoutMs, ...(tlsCa === undefined ? {} : { tlsCa }) });
}

export async function openLimitStores(config: PolicyConfig['redis']): Promise<LimitStores> {
  const limits = await openStore(config, config.url);
  const lasting = config.persistentUrl === undefined ? limits : await openStore(config, config.persistentUrl);
  return {
    limits,
    lasting,
    async close() {
      await limits.close();
      await lasting.close();
    },
  };
}
