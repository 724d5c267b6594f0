import { expect, test } from 'vitest';
import { busiestWindow, presence, type Visit } from './crowd.js';

const visit = (admittedAt: number, leftAt: number): Visit => ({
  address: 'a',
  port: 1,
  openedAt: admittedAt,
  admittedAt,
  leftAt,
});

test('presence counts who was there, and those from before', () => {
  const visits = [visit(0, 100), visit(10, 60), visit(60, 110), visit(200, Number.POSITIVE_INFINITY)];
  expect(presence(visits, 0, 100)).toEqual({ most: 2, average: 1.9 });
  expect(presence(visits, 50, 100)).toEqual({ most: 2, average: 2 });
  expect(presence(visits, 100, 300)).toEqual({ most: 1, average: 0.55 });
});

test('the busiest window slides', () => {
  const visits = [0, 90, 95, 100, 105, 300].map((at) => visit(at, at));
  expect(busiestWindow(visits, 100)).toBe(4);
  expect(busiestWindow(visits, 10)).toBe(2);
});
