/** What may have been delivered before is looked up, nothing else is: the done mark of an item repeats its outcome, not its delivery, and it is never parked. */
import { FakeClock } from '@postern/clock';
import { expect, test } from 'vitest';
import { bytesOf, item, workDelivery, workerStage } from './testing/worker-stage.js';

test.each([
  { name: 'new', marked: false, deliveryCount: 1, again: '', looked: 0, attempts: 1 },
  { name: 'new, whatever is marked', marked: true, deliveryCount: 1, again: '', looked: 0, attempts: 1 },
  { name: 'given out again, delivered', marked: true, deliveryCount: 2, again: '', looked: 1, attempts: 0 },
  { name: 'in WORK again, delivered', marked: true, deliveryCount: 1, again: 'queue', looked: 1, attempts: 0 },
  { name: 'in WORK again, not delivered', marked: false, deliveryCount: 1, again: 'queue', looked: 1, attempts: 1 },
  {
    name: 'from before the server was met',
    marked: true,
    deliveryCount: 1,
    again: '',
    doubt: true,
    looked: 1,
    attempts: 0,
  },
])('an item that is $name', async ({ marked, deliveryCount, again, doubt = false, looked, attempts }) => {
  const isInDoubt = (): boolean => doubt;
  const { worker, seen } = workerStage({ clock: new FakeClock(), marked: marked ? ['Q1'] : [], isInDoubt });
  const { message, settled } = workDelivery([bytesOf(item('Q1'))], { deliveryCount, again });
  await worker.handle(message);
  expect([seen.lookedUp.length, seen.attempted.length]).toEqual([looked, attempts]);
  expect(seen).toMatchObject({ recorded: ['Q1'], notStored: [], fenced: [], parked: [] });
  expect(settled).toEqual(['ack']);
});

test.each([
  { name: 'given out again', deliveryCount: 2, mayRepeat: ['Q1'] },
  { name: 'new', deliveryCount: 1, mayRepeat: [] },
])(
  'an item that is $name while no mark can be read is sent, and counted as it is',
  async ({ deliveryCount, mayRepeat }) => {
    const { worker, seen } = workerStage({ clock: new FakeClock(), marksAway: true });
    const { message, settled } = workDelivery([bytesOf(item('Q1'))], { deliveryCount });
    await worker.handle(message);
    expect(seen).toMatchObject({ attempted: ['Q1'], recorded: ['Q1'], mayRepeat });
    expect(settled).toEqual(['ack']);
  },
);

test.each([
  { name: 'done', marked: ['Q1'], recorded: ['Q1'], parked: [] },
  { name: 'not done', marked: [], recorded: [], parked: [undefined] },
])('an item that came too often and is $name', async ({ marked, recorded, parked }) => {
  const { worker, seen } = workerStage({ clock: new FakeClock(), marked });
  const { message, settled } = workDelivery([bytesOf(item('Q1'))], { deliveryCount: 6 });
  await worker.handle(message);
  expect(seen).toMatchObject({ recorded, parked, attempted: [] });
  expect(settled).toEqual(['ack']);
});

test('an item that is done is not parked while OUTCOMES has no room', async () => {
  const store = () => Promise.resolve({ kind: 'refused', reason: 'maximum bytes exceeded' } as const);
  const { worker, seen } = workerStage({ clock: new FakeClock(), marked: ['Q1'], store });
  const { message, settled } = workDelivery([bytesOf(item('Q1'))], { deliveryCount: 9 });
  await worker.handle(message);
  expect(seen).toMatchObject({ notStored: ['Q1'], parked: [], attempted: [] });
  expect(settled).toEqual([]);
});
