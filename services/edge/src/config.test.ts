import { loadConfig } from '@postern/config';
import { expect, test } from 'vitest';
import { edgeConfig } from './config.js';

const load = (...sets: string[]) => loadConfig(edgeConfig, { env: {}, argv: sets.flatMap((set) => ['--set', set]) });

test('a pod is one process unless it is told otherwise', () => {
  expect(load().edge.workers).toMatchObject({ min: 1, max: 1 });
  expect(load('edge.workers.max=4').edge.workers).toMatchObject({ min: 1, max: 4 });
});

test.each([
  [
    'more at the least than at the most',
    ['edge.workers.min=3', 'edge.workers.max=2'],
    /edge\.workers\.min: 3 is more than/,
  ],
  ['left at the load it is reached at', ['edge.workers.shrinkAt=0.7'], /edge\.workers\.shrinkAt: 0\.7 is not below/],
  ['none', ['edge.workers.max=0'], /edge\.workers\.max/],
  ['a share of more than all', ['edge.workers.growAt=70'], /edge\.workers\.growAt/],
])('workers refused: %s', (_, sets, problem) => {
  expect(() => load(...sets)).toThrow(problem);
});

test('several workers need ports with numbers', () => {
  const listeners = 'edge.listeners=[{ name: mx, role: mx, address: "127.0.0.1:0" }]';
  expect(load(listeners).edge.listeners).toHaveLength(1);
  expect(() => load(listeners, 'edge.workers.max=2')).toThrow(/edge\.workers\.max: 2 workers cannot share port 0/);
});
