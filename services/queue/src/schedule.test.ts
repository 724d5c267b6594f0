import { expect, test } from 'vitest';
import { delayNoticeDue, nextAttemptAt, scheduleOf } from './schedule.js';

const minute = 60_000;
const hour = 60 * minute;
const schedule = scheduleOf(undefined);
const never = 1e15;

test.each([
  [1, 5 * minute],
  [2, 10 * minute],
  [5, 80 * minute],
  [7, 320 * minute],
  [8, 8 * hour],
  [500, 8 * hour],
])('after attempt %i it waits %i ms', (attempt, wait) => {
  expect(nextAttemptAt(schedule, attempt, 1_000, never, 0) - 1_000).toBe(wait);
});

test('jitter adds a tenth at most, and never passes the end of the lifetime', () => {
  expect(nextAttemptAt(schedule, 1, 0, never, 0.999)).toBeLessThanOrEqual(5.5 * minute);
  expect(nextAttemptAt(schedule, 1, 0, 2 * minute, 0.5)).toBe(2 * minute);
  expect(nextAttemptAt(schedule, 1, 10 * minute, 2 * minute, 0.5)).toBe(10 * minute);
});

test('a delay notice is due once, when set', () => {
  const noticed = { ...schedule, delayNoticeMs: 4 * hour };
  expect(delayNoticeDue(noticed, 0, 4 * hour, false)).toBe(true);
  expect(delayNoticeDue(noticed, 0, 4 * hour, true)).toBe(false);
  expect(delayNoticeDue(noticed, 0, 3 * hour, false)).toBe(false);
  expect(delayNoticeDue(schedule, 0, 100 * hour, false)).toBe(false);
});
