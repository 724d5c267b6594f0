import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LocalWindows } from './local-windows.js';

test('no window of any position ever holds more than the limit', () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 1, max: 4 })), {
    maxLength: 200,
  });
  fc.assert(
    fc.property(
      steps,
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 50, max: 2_000 }),
      (moves, limit, windowMs) => {
        const windows = new LocalWindows(10);
        const admitted: { at: number; weight: number }[] = [];
        let now = 1_000_000;
        for (const [advance, weight] of moves) {
          now += advance;
          if (windows.wait('a', limit, windowMs, weight, now) > 0) continue;
          windows.add('a', windowMs, weight, now);
          admitted.push({ at: now, weight });
          const inWindow = admitted
            .filter(({ at }) => at > now - windowMs)
            .reduce((sum, entry) => sum + entry.weight, 0);
          expect(inWindow).toBeLessThanOrEqual(limit);
        }
      },
    ),
  );
});

test('the wait is until there is room for all that is asked, not for the first of it', () => {
  const windows = new LocalWindows(10);
  windows.add('a', 1_000, 1, 5_000);
  windows.add('a', 1_000, 8, 5_500);
  const wait = windows.wait('a', 10, 1_000, 5, 5_600);
  expect(wait).toBeGreaterThanOrEqual(900);
  expect(wait).toBeLessThanOrEqual(920);
  expect(windows.wait('a', 10, 1_000, 5, 5_600 + wait)).toBe(0);
});

test('a refusal names a wait after which there is room', () => {
  const windows = new LocalWindows(10);
  windows.add('a', 1_000, 3, 5_000);
  const wait = windows.wait('a', 3, 1_000, 1, 5_400);
  expect(wait).toBeGreaterThanOrEqual(600);
  expect(wait).toBeLessThanOrEqual(620);
  expect(windows.wait('a', 3, 1_000, 1, 5_400 + wait)).toBe(0);
});

test('the number of counters is bounded and the least recently used one goes', () => {
  const windows = new LocalWindows(2);
  windows.add('a', 1_000, 1, 5_000);
  windows.add('b', 1_000, 1, 5_000);
  windows.add('a', 1_000, 1, 5_000);
  windows.add('c', 1_000, 1, 5_000);
  expect([windows.used('a', 1_000, 5_001), windows.used('b', 1_000, 5_001), windows.used('c', 1_000, 5_001)]).toEqual([
    2, 0, 1,
  ]);
});
