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

it('sheds while SPOOL is nearly full, strangers first, and recovers by itself', async () => {
  const clock = new FakeClock();
  let fill = 0.1;
  const told: OverloadState[] = [];
  const watch = watchOverload({
    clock,
    marks: () => Overload.fromPartial({ loopDelayMs: 60_000, heapPercent: 1_000 }),
    spoolLatencyMs: () => 0,
    memory: () => 0,
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
