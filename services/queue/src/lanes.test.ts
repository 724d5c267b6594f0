import { expect, test } from 'vitest';
import { createLaneWindows } from './lanes.js';

test('below the mark nothing is held back; above it a lane has its window and no more', () => {
  const windows = createLaneWindows({ size: 3, busyAt: 10 });
  for (let i = 0; i < 10; i++) expect(windows.admit('t', 'slow')).toBe(true);
  expect(windows.admit('t', 'slow')).toBe(false);
  expect(windows.admit('t', 'other')).toBe(true);
  windows.observe(500, 1);
  for (let i = 0; i < 8; i++) windows.finish('t', 'slow');
  expect(windows.room('t', 'slow')).toBe(1);
});

test('what one of several pods sees finished counts for all of them', () => {
  const windows = createLaneWindows({ size: 10, busyAt: 0 });
  windows.take('t', 'lane', 10);
  windows.observe(100, 2);
  windows.finish('t', 'lane');
  expect(windows.room('t', 'lane')).toBe(2);
});

test('the stream itself bounds the count: empty means nothing is out', () => {
  const windows = createLaneWindows({ size: 5, busyAt: 0 });
  windows.take('t', 'lane', 5);
  expect(windows.admit('t', 'lane')).toBe(false);
  windows.observe(0, 1);
  expect(windows.admit('t', 'lane')).toBe(true);
});

test('nothing waits for rows that cannot be written', () => {
  const windows = createLaneWindows({ size: 1, busyAt: 0 });
  windows.suspend(true);
  expect([windows.admit('t', 'x'), windows.admit('t', 'x')]).toEqual([true, true]);
});
