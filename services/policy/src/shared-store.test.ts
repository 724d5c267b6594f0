/** What must outlive a restart is on the server that keeps its data. */
import { connectRedis } from '@postern/flow-control';
import { withRedis } from '@postern/testkit';
import { expect, test } from 'vitest';
import { GreylistDesk } from './greylist/greylist-desk.js';
import { redisGreylist } from './greylist/greylist-store.js';
import { openSharedStores } from './shared-store.js';

const [cache, keeper] = [withRedis(), withRedis()];
const question = { origin: 'o.test', reversePath: 'a@o.test', recipient: 'u@here.test' };
const times = { delayMs: 0, windowMs: 60_000, rememberMs: 60_000, autoAllow: 0, dryRun: false };

test.each([true, false])('a second server given: %s', async (given) => {
  const stores = await openSharedStores(
    { url: cache.url, cluster: false, ...(given ? { persistentUrl: keeper.url } : {}) },
    () => undefined,
  );
  const failures: string[] = [];
  await redisGreylist(stores.lasting, (reason) => failures.push(reason)).ask({ ...question, ...times });
  stores.close();
  expect(failures).toEqual([]);
  const keysOn = async (url: string): Promise<number> => {
    const redis = await connectRedis({ url, cluster: false, commandTimeoutMs: 1_000 }, () => undefined);
    const cleared = await new GreylistDesk(redis).clearAll();
    redis.disconnect();
    return cleared;
  };
  expect([await keysOn(cache.url), await keysOn(keeper.url)]).toEqual(given ? [0, 1] : [1, 0]);
});
