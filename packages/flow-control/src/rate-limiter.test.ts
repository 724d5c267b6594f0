import { systemClock } from '@postern/clock';
import { withRedis } from '@postern/testkit';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { RedisLimitStore } from './limit-store.js';
import { RateLimiter, type RateSubject } from './rate-limiter.js';
import { decidedWithin } from './testing/decided-within.js';

const redis = withRedis();
let first: RateLimiter;
let second: RateLimiter;
const stores: RedisLimitStore[] = [];
const lost: string[] = [];
/** The machine may be busy: what is asked is what Redis says, but where its absence is. */
const patience = 5_000;

beforeAll(async () => {
  [first, second] = [await limiter(patience), await limiter(patience)];
});

afterAll(async () => {
  for (const store of stores) await store.close();
});

/** Without a timeout: that of the product. */
async function connected(commandTimeoutMs?: number): Promise<RedisLimitStore> {
  const store = new RedisLimitStore({
    url: redis.url,
    ...(commandTimeoutMs === undefined ? {} : { commandTimeoutMs }),
  });
  stores.push(store);
  expect(await store.ready(5_000)).toBe(true);
  return store;
}

async function limiter(commandTimeoutMs?: number): Promise<RateLimiter> {
  const store = await connected(commandTimeoutMs);
  const onStoreLost = (reason: string): void => void lost.push(reason);
  return new RateLimiter({ store, clock: systemClock, livePods: () => 2, onStoreLost });
}

const user = (id: string): RateSubject => ({ kind: 'user', id });

interface Asked {
  /** The server decided between the two. */
  readonly sent: number;
  readonly answered: number;
}

test.each([
  ['an exact log', 40, 400],
  ['sub-windows', 1_500, 400],
])('%s: no window holds more than the limit, and none refuses before it is full', async (name, count, intervalMs) => {
  const subject = user(name);
  const limits = { messages: { count, intervalMs } };
  const weight = count > 1_000 ? 50 : 1;
  const taken: Asked[] = [];
  const refused: Asked[] = [];
  const started = performance.now();
  const lasted = (): number => performance.now() - started;
  // Three windows; more where the machine is too busy to fill two in that time.
  while (lasted() < intervalMs * 3 || (taken.length * weight < count * 2 && lasted() < 20_000)) {
    const sent = performance.now();
    const decisions = await Promise.all([
      first.take(subject, { messages: weight }, limits),
      second.take(subject, { messages: weight }, limits),
    ]);
    const answered = performance.now();
    for (const { decidedBy, kind } of decisions) {
      expect(decidedBy).toBe('cluster');
      (kind === 'taken' ? taken : refused).push({ sent, answered });
    }
  }
  expect(taken.length * weight).toBeGreaterThanOrEqual(count * 2);
  expect(refused.length).toBeGreaterThan(0);
  // Only those surely within one window of each other are compared.
  for (const { answered: end } of taken) {
    const inWindow = taken.filter(({ sent, answered }) => sent > end - intervalMs + 1 && answered <= end);
    expect(inWindow.length * weight).toBeLessThanOrEqual(count);
  }
  // And here all that may be: a sub-window counts until it is wholly past.
  const longest = intervalMs + 2 * Math.ceil(intervalMs / 128) + 1;
  for (const one of refused) {
    const inWindow = taken.filter(({ sent, answered }) => answered > one.sent - longest && sent < one.answered);
    expect(inWindow.length * weight).toBeGreaterThan(count - weight);
  }
});

test('messages, recipients and bytes are taken together or not at all', async () => {
  const subject = user('{alice}@example.test');
  const limits = {
    messages: { count: 10, intervalMs: 60_000 },
    recipients: { count: 5, intervalMs: 60_000 },
    bytes: { count: 1_000_000, intervalMs: 60_000 },
  };
  expect(await first.take(subject, { messages: 1, recipients: 4, bytes: 900_000 }, limits)).toMatchObject({
    kind: 'taken',
  });
  expect(await second.take(subject, { messages: 1, recipients: 2, bytes: 10 }, limits)).toMatchObject({
    kind: 'refused',
    refusal: { kind: 'recipients', limit: 5 },
  });
  expect(await second.take(subject, { messages: 1, recipients: 1, bytes: 200_000 }, limits)).toMatchObject({
    kind: 'refused',
    refusal: { kind: 'bytes' },
  });
  expect((await first.show(subject, limits)).map(({ kind, used }) => [kind, used])).toEqual([
    ['messages', 1],
    ['recipients', 4],
    ['bytes', 900_000],
  ]);
  await second.reset(subject, limits);
  expect((await first.show(subject, limits)).map(({ used }) => used)).toEqual([0, 0, 0]);
});

test.each([
  ['an exact log', 'one server', 10],
  ['an exact log', 'several', 10],
  ['sub-windows', 'one server', 2_000],
  ['sub-windows', 'several', 2_000],
])('what one subject refuses counts for no other: %s on %s', async (form, where, count) => {
  const store = await connected(patience);
  const isSpread = where === 'several';
  const spread = {
    isSpread,
    run: (...call: Parameters<RedisLimitStore['run']>) => store.run(...call),
    ask: (...call: Parameters<RedisLimitStore['ask']>) => store.ask(...call),
    close: () => store.close(),
  };
  const rates = new RateLimiter({ store: spread, clock: systemClock, livePods: () => 1 });
  const limits = { messages: { count, intervalMs: 600_000 }, bytes: { count: 5_000, intervalMs: 600_000 } };
  const wide = { subject: user(`wide ${form} ${where}`), limits };
  const narrow = { subject: user(`narrow ${form} ${where}`), limits: { messages: { count: 1, intervalMs: 600_000 } } };
  const use = { messages: 1, bytes: 100 };
  expect(await rates.takeAll([wide, narrow], use)).toEqual({ kind: 'taken', decidedBy: 'cluster' });
  for (let more = 0; more < 3; more++)
    expect(await rates.takeAll([wide, narrow], use)).toMatchObject({ kind: 'refused', at: 1, decidedBy: 'cluster' });
  expect((await rates.show(wide.subject, limits)).map(({ used }) => used)).toEqual([1, 100]);
});

test('more at once than the limit ever allows is refused, also by the share', async () => {
  const limits = { recipients: { count: 3, intervalMs: 1_000 } };
  expect(await first.take(user('big'), { recipients: 4 }, limits)).toMatchObject({ kind: 'refused' });
});

test.each([
  ['an exact log', 100],
  ['sub-windows', 2_000],
])('%s: a refusal says when there is room for all that was asked', async (name, count) => {
  const subject = user(`room in ${name}`);
  const intervalMs = 1_500;
  const limits = { recipients: { count, intervalMs } };
  const take = (share: number) => first.take(subject, { recipients: count * share }, limits);
  const before = performance.now();
  expect((await take(0.1)).kind).toBe('taken');
  expect((await take(0.9)).kind).toBe('taken');
  const refused = await take(0.5);
  const passed = performance.now() - before;
  if (refused.kind !== 'refused') throw new Error('taken beyond the limit');
  const { retryAfterMs, intervalMs: told } = refused.refusal;
  expect(told).toBe(intervalMs);
  expect(retryAfterMs).toBeGreaterThanOrEqual(intervalMs - passed - 10);
  expect(retryAfterMs).toBeLessThanOrEqual(intervalMs + 2 * Math.ceil(intervalMs / 128));
  await systemClock.sleep(retryAfterMs);
  expect((await take(0.5)).kind).toBe('taken');
});

test('store stopped: half of the limit for each of two pods, within 100 ms', async () => {
  const subject: RateSubject = { kind: 'tenant', id: 'away' };
  const limits = { messages: { count: 20, intervalMs: 60_000 } };
  const impatient = await limiter();
  const { pid } = redis.server;
  process.kill(pid, 'SIGSTOP');
  onTestFinished(() => void process.kill(pid, 'SIGCONT'));
  const asked = Promise.all(Array.from({ length: 40 }, () => impatient.take(subject, { messages: 1 }, limits)));
  expect(await decidedWithin(100, asked)).toBe(true);
  const decisions = await asked;
  expect(decisions.filter(({ kind }) => kind === 'taken')).toHaveLength(10);
  expect(decisions.every(({ decidedBy }) => decidedBy === 'local')).toBe(true);
  expect(lost.length).toBeGreaterThan(0);
});
