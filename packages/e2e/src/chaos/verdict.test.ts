import { expect, test } from 'vitest';
import { judge } from './verdict.js';

const load = (accepted: readonly number[], repeated: readonly number[] = []) => ({
  accepted: new Set(accepted.map(String)),
  acceptedMessages: accepted.length,
  repeated: new Set(repeated),
  refused: [],
  temporary: 0,
});

const strikes = [
  { target: 'delivery', fromMs: 100_000, toMs: 102_000 },
  { target: 'nats', fromMs: 200_000, toMs: 206_000 },
  { target: 'queue', fromMs: 300_000, toMs: 302_000 },
];

type Came = readonly (readonly [queueId: string, atMs: number])[];

test.each<[string, ReturnType<typeof load>, readonly (readonly [number, Came])[], Readonly<Record<string, unknown>>]>([
  [
    'all there once',
    load([1, 2]),
    [
      [1, [['A', 0]]],
      [2, [['B', 0]]],
    ],
    { lost: [], repeatedByClient: 0, repeatedByDelivery: 0, unexplained: [] },
  ],
  ['one lost', load([1, 2]), [[1, [['A', 0]]]], { lost: ['2'] }],
  [
    'same id twice, delivery killed after the first',
    load([1]),
    [
      [
        1,
        [
          ['A', 99_000],
          ['A', 130_000],
        ],
      ],
    ],
    { repeatedByDelivery: 1, unexplained: [] },
  ],
  [
    'same id twice, delivered while the stream was away',
    load([1]),
    [
      [
        1,
        [
          ['A', 203_000],
          ['A', 230_000],
        ],
      ],
    ],
    { repeatedByDelivery: 1, unexplained: [] },
  ],
  [
    'same id twice with nobody struck',
    load([1]),
    [
      [
        1,
        [
          ['A', 50_000],
          ['A', 50_010],
        ],
      ],
    ],
    { repeatedByDelivery: 1, unexplained: ['1'] },
  ],
  [
    'same id twice about a strike at one who does not keep outcomes',
    load([1]),
    [
      [
        1,
        [
          ['A', 300_500],
          ['A', 301_000],
        ],
      ],
    ],
    { repeatedByDelivery: 1, unexplained: ['1'] },
  ],
  [
    'same id three times, the second delivery forgotten by nobody',
    load([1]),
    [
      [
        1,
        [
          ['A', 99_000],
          ['A', 130_000],
          ['A', 131_000],
        ],
      ],
    ],
    { repeatedByDelivery: 2, unexplained: ['1'] },
  ],
  [
    'client repeated',
    load([1], [1]),
    [
      [
        1,
        [
          ['A', 0],
          ['B', 0],
        ],
      ],
    ],
    { repeatedByClient: 1, unexplained: [] },
  ],
  [
    'two ids without a repeat',
    load([1]),
    [
      [
        1,
        [
          ['A', 0],
          ['B', 0],
        ],
      ],
    ],
    { unexplained: ['1'] },
  ],
])('%s', (_name, sent, arrived, expected) => {
  const byKey = new Map(
    arrived.map(([number, came]) => [String(number), came.map(([queueId, atMs]) => ({ queueId, atMs }))]),
  );
  expect(judge(sent, { byKey }, strikes)).toMatchObject(expected);
});
