/** Two pods over one Redis: errors counted by both, bans known to both, lifted for both. */
import { FakeClock, systemClock } from '@postern/clock';
import { withRedis } from '@postern/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { RedisLimitStore } from '../limit-store.js';
import { BanBook } from './ban-book.js';
import { BanList } from './ban-list.js';
import { ErrorCounts } from './error-counts.js';

const redis = withRedis();
let admin: Redis;
let store: RedisLimitStore;
const limit = { limit: 5, windowMs: 60_000, banMs: 1_000, longestMs: 3_000 };

beforeAll(async () => {
  admin = new Redis(redis.url);
  admin.on('error', () => undefined);
  store = new RedisLimitStore({ url: redis.url, commandTimeoutMs: 5_000 });
  await store.ready(5_000);
});
afterAll(async () => {
  admin.disconnect();
  await store.close();
});
beforeEach(async () => {
  await admin.flushall();
});

function pod(clock = systemClock as typeof systemClock | FakeClock) {
  const bans = new BanList({ book: new BanBook(store), clock });
  const banned: [string, string, number, string][] = [];
  const counts = new ErrorCounts({
    store,
    clock,
    bans,
    onBanned: (...ban) => void banned.push(ban),
  });
  return { bans, counts, banned };
}

const times = (count: number, act: () => void): void => {
  for (let turn = 0; turn < count; turn++) act();
};

test('the limit is reached over both pods, by the error that reaches it and not by the one before', async () => {
  const [one, other] = [pod(), pod()];
  times(2, () => one.counts.count('192.0.2.1', 'bad_command', limit));
  times(2, () => other.counts.count('192.0.2.1', 'bad_command', limit));
  times(4, () => other.counts.count('192.0.2.1', 'failed_login', limit));
  times(4, () => other.counts.count('192.0.2.2', 'bad_command', limit));
  await one.counts.flush();
  await other.counts.flush();
  expect([...one.banned, ...other.banned]).toEqual([]);
  other.counts.count('192.0.2.1', 'bad_command', limit);
  await other.counts.flush();
  expect(other.banned).toEqual([['192.0.2.1', 'bad_command', 1_000, 'cluster']]);
  expect(other.bans.find('192.0.2.1')?.reason).toBe('5 times bad command');
  expect(one.bans.find('192.0.2.1')).toBeUndefined();
  await one.bans.refresh();
  expect(one.bans.find('192.0.2.1')?.reason).toBe('5 times bad command');
  expect(one.bans.find('192.0.2.2')).toBeUndefined();
});

test('each ban is twice as long, up to the longest', async () => {
  const { counts, banned } = pod();
  for (let turn = 0; turn < 4; turn++) {
    times(5, () => counts.count('192.0.2.1', 'unknown_recipient', limit));
    await counts.flush();
  }
  expect(banned.map(([, , lengthMs]) => lengthMs)).toEqual([1_000, 2_000, 3_000, 3_000]);
});

test('a limit of 1 bans at the first, 0 never', async () => {
  const { counts, banned } = pod();
  counts.count('192.0.2.1', 'bad_command', { ...limit, limit: 1 });
  times(1_000, () => counts.count('192.0.2.2', 'bad_command', { ...limit, limit: 0 }));
  await counts.flush();
  expect(banned.map(([prefix]) => prefix)).toEqual(['192.0.2.1']);
});

test('put there, listed, lifted; every pod follows', async () => {
  const { bans } = pod();
  const book = new BanBook(store);
  await book.add('192.0.2.9', 60_000, 'key-1', 'no|thanks\r\n');
  await book.add('2001:db8:0:0:0:0:0:0/64', 60_000, 'key-1', 'x');
  await bans.refresh();
  expect(bans.find('192.0.2.9')?.reason).toBe('no thanks  ');
  expect(await book.list()).toMatchObject([
    { prefix: '192.0.2.9', by: 'key-1', reason: 'no thanks  ' },
    { prefix: '2001:db8:0:0:0:0:0:0/64' },
  ]);
  expect(await book.lift('192.0.2.9')).toBe(true);
  expect(await book.lift('192.0.2.9')).toBe(false);
  await bans.refresh();
  expect(bans.find('192.0.2.9')).toBeUndefined();
  expect((await book.list()).map(({ prefix }) => prefix)).toEqual(['2001:db8:0:0:0:0:0:0/64']);
});

test('a ban ends on time in memory and is forgotten in the store', async () => {
  const clock = new FakeClock();
  const { bans } = pod(clock);
  const book = new BanBook(store);
  await book.add('192.0.2.9', 100, 'k', 'x');
  await bans.refresh();
  expect(bans.find('192.0.2.9')).toBeDefined();
  await clock.advance(101);
  expect(bans.find('192.0.2.9')).toBeUndefined();
  await vi.waitFor(async () => {
    await book.changes('', 0);
    expect(await admin.hlen('{postern:flow:bans}:list')).toBe(0);
  }, 5_000);
});

test('a store that lost everything is followed; one that is away leaves what is known', async () => {
  const { bans, counts, banned } = pod();
  const book = new BanBook(store);
  await book.add('192.0.2.1', 60_000, 'k', 'x');
  await book.add('192.0.2.2', 60_000, 'k', 'x');
  await bans.refresh();
  expect(bans.size).toBe(2);
  await admin.flushall();
  await book.add('192.0.2.3', 60_000, 'k', 'x');
  await book.add('192.0.2.4', 60_000, 'k', 'x');
  await book.add('192.0.2.5', 60_000, 'k', 'x');
  await bans.refresh();
  expect(['1', '3', '4', '5'].map((last) => bans.find(`192.0.2.${last}`) !== undefined)).toEqual([
    false,
    true,
    true,
    true,
  ]);
  await redis.stop('SIGKILL');
  await bans.refresh();
  expect(bans.find('192.0.2.3')).toBeDefined();
  times(5, () => counts.count('192.0.2.7', 'bad_command', limit));
  await counts.flush();
  expect(banned).toEqual([['192.0.2.7', 'bad_command', 1_000, 'local']]);
  expect(bans.find('192.0.2.7')).toBeDefined();
  await redis.restart();
  await store.ready(5_000);
});

test('2,500 bans reach a pod that begins', async () => {
  const pipeline = new BanBook(store);
  for (let from = 0; from < 2_500; from += 50)
    await Promise.all(
      Array.from({ length: 50 }, (_, at) =>
        pipeline.add(`10.${(from + at) >> 8}.${(from + at) & 255}.1`, 60_000, 'k', 'x'),
      ),
    );
  const { bans } = pod();
  await bans.refresh();
  expect(bans.size).toBe(2_500);
});
