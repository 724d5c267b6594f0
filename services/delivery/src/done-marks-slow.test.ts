/** Done marks while Redis is slow, and while it is away: a mark that is there is worth two seconds, silence is not waited for twice. Real Redis. */
import { systemClock } from '@postern/clock';
import { connectRedis, type RedisClient } from '@postern/flow-control';
import { Outcome } from '@postern/proto/mail/v1/outcome';
import { withRedis } from '@postern/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createDoneMarks, type DoneMarks } from './done-marks.js';

const server = withRedis();
const failures: string[] = [];
let redis: RedisClient;
let marks: DoneMarks;

beforeAll(async () => {
  redis = await connectRedis({ url: server.url, cluster: false, commandTimeoutMs: 50 }, () => undefined);
  await vi.waitFor(() => expect(redis.status).toBe('ready'), 10_000);
  marks = createDoneMarks(redis, systemClock, (operation) => failures.push(operation));
  await marks.set('item', [Outcome.fromPartial({ queueId: 'Q1' })]);
}, 60_000);
afterAll(() => redis.disconnect());

const timed = async () => {
  const from = performance.now();
  const found = await marks.get('item');
  return { found: typeof found === 'object' ? found[0]?.queueId : found, tookMs: performance.now() - from };
};

test('a server that is silent for half a second is asked again', async () => {
  const { pid } = server.server;
  process.kill(pid, 'SIGSTOP');
  setTimeout(() => process.kill(pid, 'SIGCONT'), 500);
  expect((await timed()).found).toBe('Q1');
  expect(failures).toEqual([]);
});

test('one that stays away is waited for once, and asked at once when it is back', async () => {
  const { pid } = server.server;
  process.kill(pid, 'SIGSTOP');
  try {
    const first = await timed();
    expect(first.found).toBe('unknown');
    expect(first.tookMs).toBeGreaterThan(1_500);
    const second = await timed();
    expect(second.found).toBe('unknown');
    expect(second.tookMs).toBeLessThan(first.tookMs / 2);
    expect(failures).toEqual(['get', 'get']);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await vi.waitFor(async () => expect((await timed()).found).toBe('Q1'), 10_000);
});
