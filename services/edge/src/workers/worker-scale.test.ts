import { expect, test } from 'vitest';
import { WorkerScale } from './worker-scale.js';

const settings = { min: 1, max: 3, growAt: 0.7, shrinkAt: 0.4, growAfterMs: 3_000, shrinkAfterMs: 10_000 };

/** One look a second with these loads; what is wanted after each. A wanted worker serves from the next look on. */
function play(looks: readonly number[], start = 1): number[] {
  const scale = new WorkerScale(settings);
  let wanted = start;
  return looks.map((total, second) => {
    wanted = scale.judge(
      second * 1_000,
      wanted,
      Array.from({ length: wanted }, () => total / wanted),
    );
    return wanted;
  });
}

const times = (count: number, load: number): number[] => Array.from({ length: count }, () => load);

test.each([
  ['busy for the time: one more', times(4, 0.8), [1, 1, 1, 2]],
  ['a moment of rest begins the time anew', [0.8, 0.8, 0.1, 0.8, 0.8, 0.8], [1, 1, 1, 1, 1, 1]],
  [
    'busy enough for three: one after the other, and not beyond the most',
    times(13, 3),
    [1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3],
  ],
  ['what two carry easily is not given to one that would be busy', times(30, 0.7), [1, 1, 1, ...times(27, 2)]],
])('%s', (_, looks, wanted) => {
  expect(play(looks)).toEqual(wanted);
});

test('idle for the longer time: one fewer, down to the least', () => {
  const wanted = play(times(30, 0.1), 3);
  expect([wanted[9], wanted[10], wanted[20], wanted[21], wanted[29]]).toEqual([3, 2, 2, 1, 1]);
});

test('nothing is decided while one is still to come', () => {
  const scale = new WorkerScale(settings);
  for (let second = 0; second < 20; second++) expect(scale.judge(second * 1_000, 2, [1])).toBe(2);
});
