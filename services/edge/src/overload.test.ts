import { FakeClock } from '@postern/clock';
import { Overload } from '@postern/proto/config/v1/snapshot';
import { Envelope } from '@postern/proto/mail/v1/envelope';
import { expect, it } from 'vitest';
import { idle, judgeLoad, type OverloadReading, type OverloadState, watchOverload } from './overload.js';
import { SpoolLatency } from './spool-latency.js';

const calm: OverloadReading = {
  loopDelayMs: 20,
  heapPercent: 50,
  memoryPercent: 30,
  spoolLatencyMs: 10,
  storagePercent: 5,
};
const state = (shed: OverloadState['shed'], reason: string): OverloadState => ({ shed, reason });
const loop = state('strangers', 'event loop');

it.each<[Partial<OverloadReading>, OverloadState, OverloadState]>([
  [{}, idle, idle],
  [{ loopDelayMs: 500 }, idle, loop],
  [{ loopDelayMs: 499 }, idle, idle],
  [{ loopDelayMs: 430 }, loop, loop],
  [{ loopDelayMs: 420 }, loop, idle],
  [{ loopDelayMs: 1_000 }, loop, state('everybody', 'event loop')],
  [{ loopDelayMs: 860 }, state('everybody', 'event loop'), state('everybody', 'event loop')],
  [{ loopDelayMs: 840 }, state('everybody', 'event loop'), loop],
  [{ heapPercent: 91 }, idle, state('strangers', 'heap')],
  [{ memoryPercent: 85 }, idle, state('strangers', 'memory')],
  [{ memoryPercent: 94 }, idle, state('everybody', 'memory')],
  [{ memoryPercent: 71 }, state('strangers', 'memory'), idle],
  [{ heapPercent: 95 }, idle, state('everybody', 'heap')],
  [{ spoolLatencyMs: 5_000 }, idle, state('strangers', 'spool latency')],
  [{ spoolLatencyMs: 20_000 }, idle, state('everybody', 'spool latency')],
  [{ storagePercent: 92 }, idle, state('strangers', 'storage')],
  [{ storagePercent: 99 }, idle, state('everybody', 'storage')],
  [{ loopDelayMs: 600, storagePercent: 99 }, idle, state('everybody', 'storage')],
  [{ loopDelayMs: 450 }, state('strangers', 'memory'), idle],
])('%o after %o = %o', (change, before, expected) => {
  expect(judgeLoad({ ...calm, ...change }, undefined, before)).toEqual(expected);
});

it('goes by the marks of the operator', () => {
  const marks = Overload.fromPartial({ loopDelayMs: 10, storagePercent: 50 });
  expect(judgeLoad({ ...calm, loopDelayMs: 12 }, marks, idle)).toEqual(loop);
  expect(judgeLoad({ ...calm, loopDelayMs: 1, storagePercent: 51 }, marks, idle)).toEqual(
    state('strangers', 'storage'),
  );
});

const uncollected = { collect: () => Promise.reject(new Error('not asked for')), onCollected: () => undefined };

/** A process that holds `live` percent of its memory, and `unused` more until they are collected. */
function ofMemory(collectMs = 0) {
  const clock = new FakeClock();
  const held = { live: 10, unused: 0 };
  const told: OverloadState[] = [];
  const seconds: number[] = [];
  const watch = watchOverload({
    clock,
    marks: () => Overload.fromPartial({ loopDelayMs: 60_000, heapPercent: 1_000 }),
    spoolLatencyMs: () => 0,
    memory: () => held.live + held.unused,
    storage: async () => 0,
    collect: async () => {
      if (collectMs > 0) await clock.sleep(collectMs);
      held.unused = 0;
    },
    onCollected: (took) => void seconds.push(took),
    onChange: (next) => void told.push(next),
  });
  return { clock, held, told, seconds, watch };
}

it('sheds nobody for memory that is no longer used', async () => {
  const { clock, held, told, seconds, watch } = ofMemory();
  await clock.advance(10_000);
  expect(seconds).toHaveLength(0);
  held.unused = 85;
  await clock.advance(500);
  expect([told, seconds.length]).toEqual([[], 1]);
  watch.stop();
});

it('takes clients again within seconds after memory was let go of, asking at most every two seconds', async () => {
  const { clock, held, told, seconds, watch } = ofMemory();
  Object.assign(held, { live: 90, unused: 0 });
  await clock.advance(20_000);
  expect(watch.reason(false)).toBe('memory');
  expect(seconds.length).toBeGreaterThan(5);
  expect(seconds.length).toBeLessThanOrEqual(10);
  Object.assign(held, { live: 10, unused: 80 });
  await clock.advance(2_500);
  expect(watch.reason(false)).toBeUndefined();
  expect(told).toEqual([state('strangers', 'memory'), idle]);
  watch.stop();
});

it('spends at most a twentieth of the time on collections', async () => {
  const { clock, held, seconds, watch } = ofMemory(1_000);
  held.live = 90;
  await clock.advance(60_000);
  expect(watch.reason(false)).toBe('memory');
  expect(seconds).toEqual([1, 1, 1]);
  watch.stop();
});

it('sheds where collections cannot be made', async () => {
  const clock = new FakeClock();
  const watch = watchOverload({
    clock,
    marks: () => Overload.fromPartial({ loopDelayMs: 60_000, heapPercent: 1_000 }),
    spoolLatencyMs: () => 0,
    memory: () => 90,
    storage: async () => 0,
    ...uncollected,
    onChange: () => undefined,
  });
  await clock.advance(1_000);
  expect(watch.reason(false)).toBe('memory');
  watch.stop();
});

it('asks to be spared once everybody was shed for a while, for what is its own alone', async () => {
  const { clock, held, watch } = ofMemory();
  held.live = 90;
  await clock.advance(10_000);
  expect([watch.reason(false), watch.leaveReason()]).toEqual(['memory', undefined]);
  held.live = 95;
  await clock.advance(3_000);
  expect([watch.reason(true), watch.leaveReason()]).toEqual(['memory', undefined]);
  await clock.advance(5_000);
  expect(watch.leaveReason()).toBe('memory');
  held.live = 10;
  await clock.advance(500);
  expect([watch.reason(false), watch.leaveReason()]).toEqual([undefined, undefined]);
  watch.stop();
});

it('sheds while SPOOL is nearly full, strangers first, and recovers by itself', async () => {
  const clock = new FakeClock();
  let fill = 0.1;
  const told: OverloadState[] = [];
  const watch = watchOverload({
    clock,
    marks: () => Overload.fromPartial({ loopDelayMs: 60_000, heapPercent: 1_000 }),
    spoolLatencyMs: () => 0,
    memory: () => 0,
    ...uncollected,
    storage: async () => {
      if (fill < 0) throw new Error('away');
      return fill;
    },
    onChange: (next) => void told.push(next),
  });
  const after = async (share: number) => {
    fill = share;
    await clock.advance(6_000);
    return [watch.reason(false), watch.reason(true)];
  };
  expect(await after(0.1)).toEqual([undefined, undefined]);
  expect(await after(0.91)).toEqual(['storage', undefined]);
  expect(await after(0.97)).toEqual(['storage', 'storage']);
  expect(await after(0.5)).toEqual([undefined, undefined]);
  expect(await after(0.97)).toEqual(['storage', 'storage']);
  await clock.advance(60_000);
  // All pods have the same SPOOL: none is better off.
  expect([watch.reason(true), watch.leaveReason()]).toEqual(['storage', undefined]);
  expect(await after(-1)).toEqual([undefined, undefined]);
  expect(told).toHaveLength(5);
  watch.stop();
});

it('sees a durable write that hangs, and forgets it once nothing is written', async () => {
  const clock = new FakeClock();
  const latency = new SpoolLatency(clock);
  const ends: (() => void)[] = [];
  const spool = latency.watch({
    open: () => ({
      isLarge: false,
      write: () => undefined,
      head: () => Buffer.alloc(0),
      abort: () => undefined,
      commit: () => new Promise((resolve) => ends.push(() => resolve({ kind: 'stored' }))),
    }),
  });
  const commit = spool.open('q').commit(Envelope.fromPartial({}));
  await clock.advance(8_000);
  expect(latency.read()).toBe(8_000);
  ends[0]?.();
  expect(await commit).toEqual({ kind: 'stored' });
  expect([latency.read(), latency.read(), latency.read()]).toEqual([8_000, 4_000, 2_000]);
});
