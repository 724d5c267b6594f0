/** Done marks over a real Redis Cluster: marks of one moment lie on different servers. */
import { systemClock } from '@postern/clock';
import { connectRedis, type RedisClient } from '@postern/flow-control';
import { Outcome } from '@postern/proto/mail/v1/outcome';
import { withRedisCluster } from '@postern/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createDoneMarks } from './done-marks.js';

const shards = await withRedisCluster();
let redis: RedisClient;
const failures: string[] = [];

beforeAll(async () => {
  redis = await connectRedis({ url: shards[0].url, cluster: true, commandTimeoutMs: 1_000 }, () => undefined);
  await vi.waitFor(() => expect(redis.status).toBe('ready'), 10_000);
}, 60_000);
afterAll(() => redis.disconnect());

const items = Array.from({ length: 30 }, (_, at) => `01J000000000000000000000${String(at).padStart(2, '0')}:0:1`);

test('set together, read together, found whichever server has them; one that is away is told and costs no waiting', async () => {
  const marks = createDoneMarks(redis, systemClock, (operation) => failures.push(operation));
  await Promise.all(items.map((item) => marks.set(item, [Outcome.fromPartial({ queueId: item })])));
  const read = await Promise.all(items.map((item) => marks.get(item)));
  expect(read.map((outcomes) => typeof outcomes === 'object' && outcomes[0]?.queueId)).toEqual(items);
  expect(await marks.get('another')).toBe('none');
  expect(failures).toEqual([]);

  await shards[1].stop('SIGKILL');
  const started = performance.now();
  const left = await Promise.all(items.map((item) => marks.get(item)));
  expect(performance.now() - started).toBeLessThan(5_000);
  expect(left.filter((outcomes) => typeof outcomes === 'object').length).toBeLessThan(items.length);
  expect(left).toContain('unknown');
  expect(left).not.toContain('none');
  expect(failures.length).toBeGreaterThan(0);
}, 60_000);
