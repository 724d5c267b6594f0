import { expect, test } from 'vitest';
import type { Visit } from './crowd.js';
import { admittedAbove, judgeRow } from './truth-table.js';

const row = { limit: 'total', when: 'steady', allowed: 100, bound: 5 };
const visit = (port: number, openedAt: number, admittedAt: number, leftAt: number): Visit => ({
  address: 'a',
  port,
  openedAt,
  admittedAt,
  leftAt,
});

test.each([
  [105, 99, 0],
  [106, 99, 1],
  [100, 98.9, 1],
  [106, 98, 2],
  [90, undefined, 0],
])('%d at most, %s on average: %d problems', (most, average, problems) => {
  expect(judgeRow({ ...row, most, ...(average === undefined ? {} : { average }) })).toHaveLength(problems);
});

test('an edge that returns is blamed for what it lets in above the limit, not for what it had decided before', () => {
  const edge = { port: 2, pausedAt: 100, resumedAt: 200 };
  const others = [visit(1, 0, 10, 300), visit(1, 0, 20, 250)];
  const above = visit(2, 150, 210, 230);
  const decidedBefore = visit(2, 99, 205, 208);
  const under = visit(2, 150, 260, 270);
  expect(admittedAbove([...others, above, decidedBefore, under], edge, 2)).toEqual([above]);
  expect(admittedAbove([...others, above, under], edge, 3)).toEqual([]);
});
