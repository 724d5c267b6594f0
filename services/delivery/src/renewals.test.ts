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

test('an item in work is renewed every 10 s and stays fresh', () => {
  const clock = new FakeClock();
  const renewals = createRenewals(clock);
  let renewed = 0;
  const lease = renewals.hold({ working: () => renewed++ });
  for (let second = 0; second < 60; second++) clock.advanceSync(1_000);
  expect(renewed).toBe(6);
  expect(lease.isFresh()).toBe(true);
  lease.release();
  clock.advanceSync(60_000);
  expect(renewed).toBe(6);
});

test('after a pause the item is stale for good: another worker may have it', () => {
  const clock = new PausableClock();
  const renewals = createRenewals(clock);
  let renewed = 0;
  const lease = renewals.hold({ working: () => renewed++ });
  clock.paused = 25_000;
  expect(lease.isFresh()).toBe(false);
  clock.advanceSync(30_000);
  expect(lease.isFresh()).toBe(false);
  expect(renewed).toBe(0);
});
