import { FakeClock } from '@postern/clock';
import { expect, test } from 'vitest';
import { createRenewals } from './renewals.js';

/** A paused process: monotonic time goes on while no timer fires. */
class PausableClock extends FakeClock {
  paused = 0;
  override monotonic(): number {
    return super.monotonic() + this.paused;
  }
}

const heard = (): Promise<void> => Promise.resolve();

test('an item in work is renewed every 10 s and stays fresh', async () => {
  const clock = new FakeClock();
  const renewals = createRenewals(clock, heard);
  let renewed = 0;
  const lease = renewals.hold({ working: () => renewed++ });
  for (let second = 0; second < 60; second++) await clock.advance(1_000);
  expect(renewed).toBe(6);
  expect(lease.isFresh()).toBe(true);
  lease.release();
  await clock.advance(60_000);
  expect(renewed).toBe(6);
});

test('after a pause the item is stale for good: another worker may have it', async () => {
  const clock = new PausableClock();
  const renewals = createRenewals(clock, heard);
  let renewed = 0;
  const lease = renewals.hold({ working: () => renewed++ });
  clock.paused = 25_000;
  expect(lease.isFresh()).toBe(false);
  await clock.advance(30_000);
  expect(lease.isFresh()).toBe(false);
  expect(renewed).toBe(0);
});

test('a renewal that the server did not hear counts for nothing, one it heard counts from when it was sent', async () => {
  const clock = new FakeClock();
  const asked: PromiseWithResolvers<void>[] = [];
  const renewals = createRenewals(clock, () => {
    const question = Promise.withResolvers<void>();
    asked.push(question);
    return question.promise;
  });
  let renewed = 0;
  const lease = renewals.hold({ working: () => renewed++ });
  await clock.advance(10_000);
  asked[0]?.resolve();
  await clock.advance(15_000);
  // Renewed at 10 s and 20 s; the second is not answered, and no other question is asked meanwhile.
  expect([renewed, asked.length, lease.isFresh()]).toEqual([2, 2, true]);
  await clock.advance(5_000);
  expect([renewed, asked.length, lease.isFresh()]).toEqual([3, 2, true]);
  asked[1]?.reject(new Error('connection lost'));
  await clock.advance(1);
  expect(lease.isFresh()).toBe(false);
  await clock.advance(30_000);
  expect([renewed, lease.isFresh()]).toEqual([3, false]);
  // What is taken after the connection stands again is another matter.
  const later = renewals.hold({ working: () => undefined });
  await clock.advance(10_000);
  asked.at(-1)?.resolve();
  await clock.advance(15_000);
  expect(later.isFresh()).toBe(true);
});
