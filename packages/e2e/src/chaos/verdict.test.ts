import { expect, test } from 'vitest';
import { judge } from './verdict.js';

const load = (accepted: readonly number[], repeated: readonly number[] = []) => ({
  accepted: new Set(accepted.map(String)),
  acceptedMessages: accepted.length,
  repeated: new Set(repeated),
  refused: [],
  temporary: 0,
});

test.each([
  [
    'all there once',
    load([1, 2]),
    [
      [1, ['A']],
      [2, ['B']],
    ],
    { lost: [], repeatedByClient: 0, repeatedByDelivery: 0, unexplained: [] },
  ],
  ['one lost', load([1, 2]), [[1, ['A']]], { lost: ['2'] }],
  ['same id twice', load([1]), [[1, ['A', 'A']]], { repeatedByDelivery: 1, unexplained: [] }],
  ['client repeated', load([1], [1]), [[1, ['A', 'B']]], { repeatedByClient: 1, unexplained: [] }],
  ['two ids without a repeat', load([1]), [[1, ['A', 'B']]], { unexplained: ['1'] }],
] as const)('%s', (_name, sent, arrived, expected) => {
  const byKey = new Map<string, readonly string[]>(arrived.map(([number, ids]) => [String(number), ids]));
  expect(judge(sent, { byKey })).toMatchObject(expected);
});
