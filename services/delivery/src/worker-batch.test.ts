/** Items of one message are worked on side by side, each for itself; the message is acknowledged once, when the last of them is done with. */
import { FakeClock } from '@postern/clock';
import type { PublishResult } from '@postern/stream';
import { expect, test, vi } from 'vitest';
import { bytesOf, item, storedResult, taken, workDelivery, workerStage } from './testing/worker-stage.js';

const batch = [bytesOf(item('Q1')), bytesOf(item('Q2')), bytesOf(item('Q3'))] as const;

/** Each waits until it is told. */
function gates<T>() {
  const waiting = new Map<string, (value: T) => void>();
  const wait = (queueId: string): Promise<T> => new Promise((resolve) => waiting.set(queueId, resolve));
  return { waiting, wait, open: (queueId: string, value: T) => waiting.get(queueId)?.(value) };
}

test('none waits for another, and each outcome is stored when its item is done', async () => {
  const hops = gates<void>();
  const { worker, seen } = workerStage({
    clock: new FakeClock(),
    attempt: async (one) => {
      await hops.wait(one.item.queueId);
      return taken(one);
    },
  });
  const { message, settled } = workDelivery(batch);
  const handled = worker.handle(message);
  await vi.waitFor(() => expect([...hops.waiting.keys()]).toEqual(['Q1', 'Q2', 'Q3']));
  for (const [queueId, recorded] of [
    ['Q2', ['Q2']],
    ['Q3', ['Q2', 'Q3']],
  ] as const) {
    hops.open(queueId);
    await vi.waitFor(() => expect(seen.recorded).toEqual(recorded));
    expect(settled).toEqual([]);
  }
  hops.open('Q1');
  await handled;
  expect(seen).toMatchObject({ recorded: ['Q2', 'Q3', 'Q1'], lookedUp: [] });
  expect(settled).toEqual(['ack']);
});

test('it is acknowledged after the last outcome is stored, not after the last attempt', async () => {
  const outcomes = gates<PublishResult>();
  const { worker, seen } = workerStage({ clock: new FakeClock(), store: outcomes.wait });
  const { message, settled } = workDelivery(batch);
  const handled = worker.handle(message);
  await vi.waitFor(() => expect(outcomes.waiting.size).toBe(3));
  for (const queueId of ['Q3', 'Q1']) outcomes.open(queueId, storedResult);
  await vi.waitFor(() => expect(seen.recorded).toEqual(['Q3', 'Q1']));
  expect(settled).toEqual([]);
  outcomes.open('Q2', storedResult);
  await handled;
  expect(settled).toEqual(['ack']);
});

test('one that cannot be read is parked alone', async () => {
  const { worker, seen } = workerStage({ clock: new FakeClock() });
  const { message, settled } = workDelivery([batch[0], Buffer.from([0x0a, 0xff]), batch[2]]);
  await worker.handle(message);
  expect(seen).toMatchObject({ parked: [1], recorded: ['Q1', 'Q3'] });
  expect(settled).toEqual(['ack']);
});

test.each(['refused', 'unknown'] as const)('one outcome that is %s keeps the message', async (kind) => {
  const { worker, seen } = workerStage({
    clock: new FakeClock(),
    store: (queueId) => Promise.resolve(queueId === 'Q2' ? { kind, reason: 'no room' } : storedResult),
  });
  const { message, settled } = workDelivery(batch);
  await worker.handle(message);
  expect(seen).toMatchObject({ attempted: ['Q1', 'Q2', 'Q3'], recorded: ['Q1', 'Q3'], notStored: ['Q2'] });
  expect(settled).toEqual([]);
});

test('of one that came back, items with a mark repeat their outcome and the others are tried', async () => {
  const { worker, seen } = workerStage({ clock: new FakeClock(), marked: ['Q1', 'Q3'] });
  const { message, settled } = workDelivery(batch, { deliveryCount: 2 });
  await worker.handle(message);
  expect(seen).toMatchObject({ lookedUp: ['Q1', 'Q2', 'Q3'], attempted: ['Q2'] });
  expect([...seen.recorded].sort()).toEqual(['Q1', 'Q2', 'Q3']);
  expect(settled).toEqual(['ack']);
});

test('a message that was not renewed in time is fenced for all of its items', async () => {
  const hops = gates<void>();
  const clock = new (class extends FakeClock {
    paused = 0;
    override monotonic(): number {
      return super.monotonic() + this.paused;
    }
  })();
  const { worker, seen } = workerStage({
    clock,
    attempt: async (one) => {
      await hops.wait(one.item.queueId);
      return one.mayFinish() ? taken(one) : { kind: 'fenced' };
    },
  });
  const { message, settled } = workDelivery(batch);
  const handled = worker.handle(message);
  await vi.waitFor(() => expect(hops.waiting.size).toBe(3));
  hops.open('Q1');
  await vi.waitFor(() => expect(seen.recorded).toEqual(['Q1']));
  clock.paused = 25_000;
  for (const queueId of ['Q2', 'Q3']) hops.open(queueId);
  await handled;
  expect(seen).toMatchObject({ recorded: ['Q1'], fenced: ['Q2', 'Q3'] });
  expect(settled).toEqual([]);
});
