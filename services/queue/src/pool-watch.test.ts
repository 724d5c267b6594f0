/** Which egress pool nobody serves: by what its consumer says at one look after the other, and over a real stream. */
import { systemClock } from '@postern/clock';
import { connectStreams, consume, createPublisher, ensureStreams, workConsumer, workSubject } from '@postern/stream';
import { withNats } from '@postern/testkit';
import { expect, test } from 'vitest';
import { createPoolWatch, type PoolConsumer, PoolJudge } from './pool-watch.js';

type Look = readonly [atMs: number, messages: number, consumer: PoolConsumer | undefined];
const idle = { asking: 0, out: 0, handed: 5 };
const busy = { asking: 0, out: 128, handed: 500 };

test.each<[string, readonly Look[], boolean]>([
  ['nothing waits', [[0, 0, undefined]], true],
  ['there is no consumer', [[0, 1, undefined]], false],
  ['a pod asks', [[0, 3, { ...idle, asking: 1 }]], true],
  [
    'nobody asked for a moment',
    [
      [0, 3, idle],
      [5_000, 3, idle],
    ],
    true,
  ],
  [
    'nobody asks',
    [
      [0, 3, idle],
      [10_000, 4, idle],
    ],
    false,
  ],
  [
    'somebody asked between',
    [
      [0, 3, idle],
      [5_000, 3, { ...idle, asking: 1 }],
      [12_000, 3, idle],
    ],
    true,
  ],
  [
    'mail is handed out',
    [
      [0, 3, idle],
      [10_000, 3, { ...idle, handed: 6 }],
    ],
    true,
  ],
  [
    'a full pod',
    [
      [0, 200, busy],
      [30_000, 200, busy],
    ],
    true,
  ],
  [
    'pods that died with mail in work',
    [
      [0, 200, busy],
      [60_000, 200, busy],
    ],
    false,
  ],
])('%s', (_what, looks, expected) => {
  const judge = new PoolJudge();
  const said = looks.map(([atMs, messages, consumer]) => judge.isServed('blue', messages, consumer, atMs));
  expect(said.at(-1)).toBe(expected);
});

const nats = withNats();

test('what waits in WORK is counted by pool, those without a consumer too', async () => {
  const connection = await connectStreams({ servers: [nats.url], user: 'queue', password: '' });
  await ensureStreams(connection, { replicas: 1, egressPools: ['default'] });
  const publisher = createPublisher(connection, systemClock);
  const served = consume(
    connection,
    systemClock,
    workConsumer('default'),
    { maxInFlight: 10, maxBatch: 1, onError: () => undefined },
    () => Promise.resolve(),
  );
  const watch = await createPoolWatch(connection, systemClock, () => ['default']);
  expect(await watch.look()).toEqual([{ pool: 'default', messages: 0, isServed: true }]);
  for (const [pool, id] of [
    ['default', 'a'],
    ['gone', 'b'],
    ['gone', 'c'],
  ] as const)
    await publisher.publish(workSubject(pool, id), Buffer.from('x'), { msgId: id });
  expect(await watch.look()).toEqual([
    { pool: 'default', messages: 1, isServed: true },
    { pool: 'gone', messages: 2, isServed: false },
  ]);
  expect(watch.standing()).toEqual({
    state: 'degraded',
    detail: 'no delivery pod takes what waits in WORK: 2 messages of gone',
  });
  await served.stop();
  await connection.close();
});
