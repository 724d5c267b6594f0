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

/** Items of one lane, so many to a message. */
function together(windows: ReturnType<typeof createLaneWindows>, messages: number, items: number): void {
  for (let i = 0; i < messages; i++) {
    for (let j = 0; j < items; j++) windows.admit('t', 'lane');
    windows.together(items);
  }
}

test('a window counts items, however few messages they went in', () => {
  const windows = createLaneWindows({ size: 6, busyAt: 0 });
  together(windows, 2, 3);
  expect(windows.room('t', 'lane')).toBe(0);
  for (let i = 0; i < 3; i++) windows.finish('t', 'lane');
  expect(windows.room('t', 'lane')).toBe(3);
});

test('what the stream holds is taken for as many items as went into a message lately', () => {
  const windows = createLaneWindows({ size: 100, busyAt: 30 });
  together(windows, 10, 4);
  windows.observe(7, 1);
  // 28 items are not busy; 32 are, and bound what this lane may have out.
  expect(windows.room('t', 'lane')).toBe(100);
  windows.observe(8, 1);
  expect(windows.room('t', 'lane')).toBe(68);
  expect(windows.streamMessages).toBe(8);
});

test('too few items tell nothing of how many go into a message; enough do', () => {
  const windows = createLaneWindows({ size: 100, busyAt: 0 });
  together(windows, 10, 4);
  windows.observe(10, 1);
  expect(windows.room('t', 'lane')).toBe(60);
  together(windows, 19, 1);
  windows.observe(10, 1);
  expect(windows.room('t', 'lane')).toBe(60);
  together(windows, 20, 1);
  windows.observe(10, 1);
  expect(windows.room('t', 'lane')).toBe(90);
});
