import { describe, expect, test } from 'vitest';
import { systemClock } from './clock.js';
import { FakeClock } from './fake-clock.js';

describe('FakeClock', () => {
  test('fires in order of time, not of arming, and only what is due', async () => {
    const clock = new FakeClock();
    const fired: string[] = [];
    clock.setTimer(30, () => fired.push('late'));
    clock.setTimer(10, () => fired.push('early'));
    clock.setTimer(31, () => fired.push('never'));
    await clock.advance(30);
    expect(fired).toEqual(['early', 'late']);
    expect(clock.pendingTimers).toBe(1);
  });

  test('async work started by a timer arms the next one at the right time', async () => {
    const clock = new FakeClock(0);
    const seen: number[] = [];
    const loop = (async () => {
      for (let i = 0; i < 3; i++) {
        await clock.sleep(100);
        await Promise.resolve();
        seen.push(clock.now());
      }
    })();
    await clock.advance(1000);
    await loop;
    expect(seen).toEqual([100, 200, 300]);
    expect(clock.now()).toBe(1000);
  });

  test('an interval repeats until cancelled', async () => {
    const clock = new FakeClock();
    let count = 0;
    const timer = clock.setInterval(10, () => count++);
    await clock.advance(35);
    timer.cancel();
    await clock.advance(100);
    expect(count).toBe(3);
  });

  test('wall time may jump while monotonic does not', async () => {
    const clock = new FakeClock(1000);
    await clock.advance(5);
    clock.jumpTo(50);
    expect([clock.now(), clock.monotonic()]).toEqual([50, 5]);
    clock.advanceSync(1);
    expect([clock.now(), clock.monotonic()]).toEqual([51, 6]);
  });
});

describe.each([
  ['system', systemClock],
  ['fake', new FakeClock()],
])('sleep on the %s clock', (_name, clock) => {
  test('rejects with the reason of its signal and leaves no timer', async () => {
    const controller = new AbortController();
    const sleeping = clock.sleep(60_000, controller.signal);
    controller.abort(new Error('asked to stop'));
    await expect(sleeping).rejects.toThrow('asked to stop');
    await expect(clock.sleep(1, controller.signal)).rejects.toThrow('asked to stop');
    if (clock instanceof FakeClock) expect(clock.pendingTimers).toBe(0);
  });
});

test('the system clock resolves and cancels', async () => {
  let fired = false;
  const timer = systemClock.setTimer(1, () => {
    fired = true;
  });
  timer.cancel();
  const before = systemClock.monotonic();
  await systemClock.sleep(5);
  expect(fired).toBe(false);
  expect(systemClock.monotonic()).toBeGreaterThan(before);
});

test('a delay beyond 32 bits does not fire at once', async () => {
  let fired = false;
  const timer = systemClock.setTimer(3_000_000_000, () => {
    fired = true;
  });
  await systemClock.sleep(5);
  timer.cancel();
  expect(fired).toBe(false);
});
